// SPDX-License-Identifier: BSD-3-Clause
// A player and a gateway on a network that loses, doubles, delays and forbids, with a clock of its own: nothing waits.

import { Client } from '../lib/client.js';
import { Gateway } from './gateway.js';

/** Numbers from 0 to 1 that are the same in each run (mulberry32). */
export function dice(seed) {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t = (t + Math.imul(t ^ (t >>> 7), t | 61)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

export const bytesOf = (roll) => (count) => Buffer.from(Array.from({ length: count }, () => Math.floor(roll() * 256)));

/** What a path does to a datagram, each in [0, 1], in ms, or in bytes. */
const EVEN = { loss: 0, doubled: 0, delayMs: 20, jitterMs: 0, mtu: 1500, msPerByte: 0, queueMs: Infinity };

export const TICKET = { session: 0x07000123, key: Buffer.alloc(32, 7) };

export class World {
  now = 1000;
  events = []; // what the client told, in order: [name, detail]
  upward = { ...EVEN };
  downward = { ...EVEN };
  /** `tap(direction, datagram)` may return null (lost) or another datagram. */
  tap = (_, datagram) => datagram;
  onEvent = () => {};
  #queue = []; // [time, order, deliver]
  #order = 0;
  #busyUntil; // of the bottleneck, which several players may share

  constructor({ seed = 1, path = {}, gateway = {}, client = {}, ticket = TICKET, bottleneck } = {}) {
    this.#busyUntil = bottleneck ?? { up: 0, down: 0 };
    this.roll = dice(seed);
    Object.assign(this.upward, path);
    Object.assign(this.downward, path);
    this.address = 'player:1';
    this.gateway = new Gateway({
      random: bytesOf(this.roll),
      send: (address, datagram) => {
        if (address === this.address) this.#travel('down', datagram);
      },
      ...gateway,
    });
    this.gateway.issue(ticket.session, ticket.key);
    this.client = new Client(ticket, {
      random: bytesOf(this.roll),
      send: (datagram) => this.#travel('up', datagram),
      tell: (name, detail) => {
        this.events.push([name, detail]);
        this.onEvent(name, detail);
      },
      ...client,
    });
  }

  #travel(direction, sent) {
    const path = direction === 'up' ? this.upward : this.downward;
    const datagram = this.tap(direction, sent);
    if (!datagram || datagram.length > path.mtu || this.roll() < path.loss) return;
    const copies = this.roll() < path.doubled ? 2 : 1;
    for (let i = 0; i < copies; i++) {
      const begins = Math.max(this.now, this.#busyUntil[direction]);
      if (begins - this.now > path.queueMs) return;
      this.#busyUntil[direction] = begins + datagram.length * path.msPerByte;
      const at = this.#busyUntil[direction] + path.delayMs + this.roll() * path.jitterMs;
      this.inject(direction, datagram, at, this.address);
    }
  }

  inject(direction, datagram, at = this.now, from = this.address) {
    const copy = Buffer.from(datagram);
    const deliver =
      direction === 'up'
        ? () => this.gateway.receive(from, copy, this.now)
        : () => this.client.receive(copy, this.now);
    this.#queue.push([at, this.#order++, deliver]);
    this.#queue.sort((a, b) => a[0] - b[0] || a[1] - b[1]);
  }

  connect() {
    this.client.connect(this.now);
    return this;
  }

  /** Turn until `done()`, at most so long. Whether it came to be. */
  until(done, forMs = 60_000) {
    const end = this.now + forMs;
    this.#poll();
    for (let turns = 0; !done(); turns++) {
      if (turns > 3e6) throw new Error(`time stands still at ${this.now}`);
      const ends = [this.client, this.gateway].map((one) => one.nextAt(this.now));
      const next = Math.min(this.#queue[0]?.[0] ?? Infinity, ...ends);
      if (next > end) {
        this.now = end;
        return false;
      }
      this.now = Math.max(this.now, next);
      while (this.#queue.length && this.#queue[0][0] <= this.now) this.#queue.shift()[2]();
      this.#poll();
    }
    return true;
  }

  #poll() {
    this.client.poll(this.now);
    this.gateway.poll(this.now);
  }

  run(forMs) {
    this.until(() => false, forMs);
    return this;
  }

  connected(forMs = 20_000) {
    this.connect();
    if (!this.until(() => this.of('connected').length > 0, forMs)) throw new Error('was not connected');
    return this;
  }

  /** The details of all events of a name. */
  of(name) {
    return this.events.filter(([event]) => event === name).map(([, detail]) => detail);
  }

  say(...message) {
    return this.client.connection.say(...message);
  }

  outage(forMs) {
    const tap = this.tap;
    this.tap = () => null;
    this.run(forMs);
    this.tap = tap;
  }
}
