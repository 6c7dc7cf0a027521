// SPDX-License-Identifier: BSD-3-Clause
// Reliable messages from the gateway: each once, in order on channels 0 to 2, pieces joined. Sections 6 and 14.

import { UNORDERED } from './messages.js';

const IDS = 65_536;
const AHEAD = 256;
/** By how much `id` is ahead of `from`, modulo 2^16. */
export const ahead = (id, from) => (id - from) & (IDS - 1);
export const isBehind = (id, from) => ahead(id, from) >= IDS / 2;

/** Flags that all pieces of a message share. */
const likeness = ({ type, compressed, priority, piece }) => `${type} ${compressed} ${priority} ${piece.count}`;

/** One channel of 0 to 2. */
class Ordered {
  expected = 0;
  #held = new Map(); // by id
  #groups = new Map(); // of pieces, by the id of the first

  /** 'taken' also of what was delivered before; 'refused' of what is too far ahead; 'broken' of what contradicts. */
  take(message) {
    if (isBehind(message.id, this.expected)) return 'taken';
    if (ahead(message.id, this.expected) >= AHEAD) return 'refused';
    if (!this.#fits(message)) return 'broken';
    this.#held.set(message.id, message);
    return 'taken';
  }

  /** Whether it contradicts nothing that is held. */
  #fits({ id, ...message }) {
    const first = message.piece ? ahead(id, message.piece.index) : null;
    for (const [begin, group] of this.#groups) {
      const inside = ahead(id, begin) < group.count;
      if (inside !== (first === begin)) return false;
      if (inside && group.likeness !== likeness(message)) return false;
    }
    if (first === null || this.#groups.has(first)) return true;
    if (isBehind(first, this.expected)) return false;
    for (const [held, { piece }] of this.#held) {
      if (!piece && ahead(held, first) < message.piece.count) return false;
    }
    for (const begin of this.#groups.keys()) if (ahead(begin, first) < message.piece.count) return false;
    this.#groups.set(first, { count: message.piece.count, likeness: likeness(message) });
    return true;
  }

  /** What may be delivered now, in order. */
  *ready() {
    for (let message; (message = this.#held.get(this.expected)); ) {
      const ids = Array.from({ length: message.piece?.count ?? 1 }, (_, n) => (this.expected + n) % IDS);
      if (!ids.every((id) => this.#held.has(id))) return;
      const parts = ids.map((id) => this.#held.get(id));
      ids.forEach((id) => this.#held.delete(id));
      this.#groups.delete(this.expected);
      this.expected = (this.expected + ids.length) % IDS;
      yield message.piece ? { ...message, body: Buffer.concat(parts.map(({ body }) => body.subarray(4))) } : message;
    }
  }

  /** Go on at `next`: how many ids were passed over. */
  restart(next) {
    if (isBehind(next, this.expected)) return 0;
    const lost = ahead(next, this.expected);
    this.#held.clear();
    this.#groups.clear();
    this.expected = next;
    return lost;
  }
}

/** Channel 3. */
class Unordered {
  expected = 0; // the oldest that did not come
  #came = new Set();
  #ready = [];

  take(message) {
    const { id } = message;
    if (isBehind(id, this.expected) || this.#came.has(id)) return 'taken';
    if (ahead(id, this.expected) >= AHEAD) return 'refused';
    this.#came.add(id);
    while (this.#came.delete(this.expected)) this.expected = (this.expected + 1) % IDS;
    this.#ready.push(message);
    return 'taken';
  }

  *ready() {
    yield* this.#ready.splice(0);
  }

  restart(next) {
    if (isBehind(next, this.expected)) return 0;
    const came = [...this.#came].filter((id) => isBehind(id, next)).length;
    const lost = ahead(next, this.expected) - came;
    this.#came.clear();
    this.expected = next;
    return lost;
  }
}

export class Incoming {
  #channels = [0, 1, 2, UNORDERED].map((channel) => (channel === UNORDERED ? new Unordered() : new Ordered()));

  /**
   * The messages of one datagram. `whole`: what may be delivered now, in the order of the datagram and its channels.
   * `refused`: the first message that was, with which the datagram is not taken. Null: a rule was broken.
   */
  take(messages) {
    const whole = [];
    const closed = new Set(); // what follows a refused message on its channel is refused, too
    let refused = null;
    for (const message of messages) {
      if (!message.reliable) {
        whole.push(message);
        continue;
      }
      const channel = this.#channels[message.channel];
      const how = closed.has(channel) ? 'refused' : channel.take(message);
      if (how === 'broken') return null;
      if (how === 'refused') {
        refused ??= message;
        closed.add(channel);
      }
      whole.push(...channel.ready());
    }
    return { whole, refused };
  }

  /** After the gateway's crash: of each channel, how many ids are lost. */
  restart(nextOut) {
    return this.#channels.map((channel, i) => channel.restart(nextOut[i]));
  }
}
