// SPDX-License-Identifier: BSD-3-Clause
// What the gateway takes of this session, kept to from this side. Section 7 of PROTOCOL.md.

import { limitedAs } from './messages.js';

export const DATAGRAMS = 0; // the type that limits datagrams
const MINUTE_MS = 60_000;
const SHARE = 0.9; // a tenth more slowly than the gateway's own bucket fills
const COST_BYTES = 1400;

class Bucket {
  #tokens;
  #at;

  constructor({ burst, perMinute }, now) {
    this.burst = burst;
    this.perMs = (SHARE * perMinute) / MINUTE_MS;
    this.#tokens = burst;
    this.#at = now;
  }

  #fill(now) {
    this.#tokens = Math.min(this.burst, this.#tokens + (now - this.#at) * this.perMs);
    this.#at = now;
  }

  /** When `cost` will be there; Infinity: never. */
  when(cost, now) {
    this.#fill(now);
    const missing = cost - this.#tokens;
    if (missing <= 1e-9) return now;
    return this.perMs === 0 || cost > this.burst ? Infinity : now + missing / this.perMs;
  }

  draw(cost, now) {
    this.#fill(now);
    this.#tokens -= cost;
  }

  /** The same fill under another limit. */
  changed(limit, now) {
    this.#fill(now);
    const next = new Bucket(limit, now);
    next.#tokens = Math.min(this.#tokens, limit.burst);
    return next;
  }
}

export class Limits {
  #buckets = new Map(); // by type
  #version = 0;

  constructor(limits, now) {
    this.#set(limits, now);
  }

  #set(limits, now) {
    const before = this.#buckets;
    this.#buckets = new Map(
      limits.map((limit) => [limit.type, before.get(limit.type)?.changed(limit, now) ?? new Bucket(limit, now)]),
    );
  }

  /** LIMITS came: whether they are newer than those that hold. */
  change({ version, limits }, now) {
    if (version <= this.#version) return false;
    this.#version = version;
    this.#set(limits, now);
    return true;
  }

  /** The gateway's next process counts its versions anew. */
  restart() {
    this.#version = 0;
  }

  #cost(type, bytes) {
    const bucket = this.#buckets.get(limitedAs(type));
    return bucket ? Math.min(Math.max(1, Math.ceil(bytes / COST_BYTES)), bucket.burst) : 0;
  }

  /** When a message of so many bytes, or a datagram, may leave. */
  when(type, bytes, now) {
    return this.#buckets.get(limitedAs(type))?.when(this.#cost(type, bytes), now) ?? now;
  }

  draw(type, bytes, now) {
    this.#buckets.get(limitedAs(type))?.draw(this.#cost(type, bytes), now);
  }
}
