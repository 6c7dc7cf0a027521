// SPDX-License-Identifier: BSD-3-Clause
// Datagrams on their way: acknowledged, lost, or refused. Sections 6, 10 and 15 of PROTOCOL.md.

import { BulkPace, PathMtu, RoundTrip, Window } from './path.js';
import { acknowledged } from './replay.js';

const LATER = 3;
const MOST_RELIABLE = 32;
const UNKNOWN_DELAY = 65_535;
const MOST_MISSED = 256;
const UNMEASURED_MS = 200;
const PROBE_MS = 1000; // how long one may take; what it waits for is no timeout

const reliableOf = (record) => record.items.filter((item) => item.reliable);

export class Flight {
  #records = new Map(); // by counter, in the order in which they left
  #missed = new Map(); // those that were held for lost: they may be acknowledged after all
  #reliable = 0;
  #lastTimeout = -1;
  roundTrip = new RoundTrip();
  window = new Window();
  bulk = new BulkPace();
  mtu;

  /** @param most  bytes of the longest datagram that ever leaves; the handshake proved `size` */
  constructor(size, most) {
    this.mtu = new PathMtu(size, most);
  }

  // ---------------------------------------------------------------- leaving

  /** When what a window bounds may leave, what is reliable, and bulk; Infinity: when something has come. */
  allowed(now) {
    return {
      window: this.window.when(now, this.roundTrip.smoothed ?? UNMEASURED_MS),
      reliable: this.#reliable < MOST_RELIABLE ? now : Infinity,
      bulk: this.bulk.when(this.roundTrip),
    };
  }

  /** A datagram that asks for an acknowledgement left. `bounded`: it counts for the window. */
  left(counter, { items = [], size, bounded = false, bulk = false, probe = false }, now) {
    const reliable = items.some((item) => item.reliable);
    this.#records.set(counter, { counter, at: now, items, size, bounded, probe, reliable });
    if (bounded) this.window.left();
    if (reliable) this.#reliable++;
    if (bulk) this.bulk.left(now);
  }

  #take(record) {
    this.#records.delete(record.counter);
    if (record.reliable) this.#reliable--;
    return reliableOf(record);
  }

  // ---------------------------------------------------------------- what became of them

  /** An acknowledgement came: the items that it acknowledges, and those that it shows to be lost. */
  acknowledge(fields, sent, now) {
    const arrived = [];
    let newest = 0;
    for (const counter of acknowledged(fields, sent)) {
      newest = Math.max(newest, counter);
      const record = this.#records.get(counter) ?? this.#missed.get(counter);
      if (!record) continue;
      const isMissed = this.#missed.delete(counter);
      if (counter === fields.ack && fields.delay !== UNKNOWN_DELAY) {
        this.roundTrip.sample(now - record.at, fields.delay / 16, now);
        this.bulk.sample(record.at, this.roundTrip, now);
      }
      this.roundTrip.backoff = 0;
      arrived.push(...reliableOf(record));
      this.mtu.came(record.size, now);
      if (isMissed) continue;
      this.#take(record);
      if (record.bounded) this.window.came(counter);
    }
    const lost = [];
    for (const record of this.#records.values()) {
      if (record.counter + LATER > newest) break;
      lost.push(...this.#lose(record, sent));
    }
    return { arrived, lost };
  }

  #lose(record, sent) {
    if (record.bounded) this.window.lost(record.counter, sent);
    if (record.bounded) this.bulk.lost();
    if (!record.probe) this.mtu.lost(record.size, this.roundTrip.backoff);
    this.#missed.set(record.counter, record);
    if (this.#missed.size > MOST_MISSED) this.#missed.delete(this.#missed.keys().next().value);
    return this.#take(record);
  }

  /** Those whose time is over, and what was in them. */
  expire(sent, now, silentMs) {
    const timeout = this.roundTrip.timeout(silentMs);
    const lost = [];
    for (const record of this.#records.values()) {
      if (record.at + timeout > now) break;
      if (record.probe) {
        if (record.at + PROBE_MS <= now) this.#take(record);
        continue;
      }
      if (record.at > this.#lastTimeout) this.#countTimeout(now);
      lost.push(...this.#lose(record, sent));
    }
    return lost;
  }

  /** One more timeout in a row: what left before it is of the same. */
  #countTimeout(now) {
    this.#lastTimeout = now;
    this.roundTrip.backoff++;
    if (this.roundTrip.backoff >= 2) this.window.restart();
  }

  nextTimeout(silentMs) {
    const first = [...this.#records.values()].find((record) => !record.probe);
    return first ? first.at + this.roundTrip.timeout(silentMs) : Infinity;
  }

  /** BUSY came for this datagram: its reliable items, or null where it does not wait for an acknowledgement. */
  refused(counter) {
    const record = this.#records.get(counter);
    if (!record) return null;
    if (record.bounded) this.window.released();
    return this.#take(record);
  }

  /** Nothing is known of the path. */
  newPath() {
    this.window.restart();
    this.roundTrip = new RoundTrip();
    this.bulk = new BulkPace();
  }

  /** Forget all that is on its way; what was in it. */
  abandon() {
    const items = [];
    this.#missed.clear();
    for (const record of this.#records.values()) {
      if (record.bounded) this.window.released();
      items.push(...this.#take(record));
    }
    return items;
  }
}
