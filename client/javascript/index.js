// SPDX-License-Identifier: BSD-3-Clause
// The client with a socket and a clock: what a program uses. README.md shows how.

import { randomBytes } from 'node:crypto';
import { createSocket } from 'node:dgram';
import { lookup } from 'node:dns/promises';
import { EventEmitter } from 'node:events';
import { isIP } from 'node:net';
import { performance } from 'node:perf_hooks';
import { Client } from './lib/client.js';

export { GAME, TYPE } from './lib/messages.js';

const LONGEST_SLEEP_MS = 60_000;

/** host and port of `host:port` or `[IPv6]:port`. */
export function readAddress(address) {
  const parts = /^(?:\[([^\]]+)\]|([^:]+)):(\d+)$/.exec(address);
  const port = Number(parts?.[3]);
  if (!(port >= 1 && port <= 65_535)) throw new TypeError(`address ${address}: must be host:port or [IPv6]:port`);
  return { host: parts[1] ?? parts[2], port };
}

function readTicket({ session, key, address }) {
  if (!Number.isInteger(session) || session < 0 || session > 0xffffffff) {
    throw new TypeError(`session ${session}: must be the number of the ticket`);
  }
  const bytes = typeof key === 'string' ? Buffer.from(key, 'base64url') : Buffer.from(key);
  if (bytes.length !== 32) throw new TypeError(`a key of ${bytes.length} bytes: must be the 32 of the ticket`);
  return { session, key: bytes, ...readAddress(address) };
}

/**
 * A player. Events: connected, message, delivered, busy, limits, skipped, pong, restarted, reset, ended, refused,
 * closed; README.md says what comes with each.
 */
export class Player extends EventEmitter {
  #ticket;
  #client;
  #socket = null;
  #timer = null;
  #turn = false;
  #closed = false;

  constructor(ticket, options) {
    super();
    this.#ticket = readTicket(ticket);
    this.#client = new Client(this.#ticket, {
      ...options,
      random: randomBytes,
      send: (datagram) => this.#socket?.send(datagram, () => {}), // what a network refuses is lost, and repeated
      tell: (event, detail) => queueMicrotask(() => this.emit(event, detail)),
    });
    this.#open().then(
      () => this.#do((now) => this.#client.connect(now)),
      (error) => {
        this.emit('refused', { reason: `${ticket.address}: ${error.message}` });
        this.#end();
      },
    );
  }

  async #open() {
    const { host, port } = this.#ticket;
    const { address, family } = isIP(host) ? { address: host, family: isIP(host) } : await lookup(host);
    const socket = createSocket(family === 6 ? 'udp6' : 'udp4');
    socket.on('message', (datagram) => this.#do((now) => this.#client.receive(datagram, now)));
    socket.on('error', () => {}); // an ICMP error proves nothing: silence decides
    // Connected, so that the kernel drops what comes from elsewhere.
    await new Promise((done, fail) => socket.connect(port, address, (error) => (error ? fail(error) : done())));
    if (this.#closed) return socket.close();
    this.#socket?.close();
    this.#socket = socket;
    return undefined;
  }

  /** One step, and the datagrams that are due after it: together with those of other steps of this turn of the loop. */
  #do(step) {
    if (this.#closed) return undefined;
    const outcome = step(performance.now());
    if (!this.#turn) {
      this.#turn = true;
      setImmediate(() => this.#poll());
    }
    return outcome;
  }

  #poll() {
    this.#turn = false;
    clearTimeout(this.#timer);
    if (this.#closed) return;
    this.#client.poll(performance.now());
    if (this.#client.isOver) {
      this.#end();
      return;
    }
    const now = performance.now();
    const wait = Math.min(Math.max(this.#client.nextAt(now) - now, 0), LONGEST_SLEEP_MS);
    this.#timer = setTimeout(() => this.#poll(), Math.ceil(wait));
  }

  #end() {
    this.#closed = true;
    clearTimeout(this.#timer);
    this.#socket?.close();
    queueMicrotask(() => this.emit('closed'));
  }

  get #connection() {
    if (!this.#client.connection) throw new Error('not connected yet: wait for the event "connected"');
    return this.#client.connection;
  }

  /** Say a message of a type of TYPE, or of the game's own (64 to 199). Returns the number that 'delivered' tells. */
  send(type, body, how = {}) {
    return this.#do(() => this.#connection.say(type, body, how));
  }

  /** Ask for a round trip, which 'pong' tells. */
  ping() {
    return this.#do((now) => this.#connection.ping(now));
  }

  get status() {
    return this.#connection.status;
  }

  /** Tell that this host has another network: the connection goes on there, under another number. */
  async networkChanged() {
    await this.#open();
    this.#do((now) => this.#client.connection?.moved(now));
  }

  /** Leave. 'closed' comes when nothing more is sent, 3 s later at most. */
  close() {
    this.#do((now) => this.#client.close(now));
  }
}

export const connect = (ticket, options = {}) => new Player(ticket, options);
