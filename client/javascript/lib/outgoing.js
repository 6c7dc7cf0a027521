// SPDX-License-Identifier: BSD-3-Clause
// What is to be said: kept until it is acknowledged, picked into datagrams by priority. Sections 6, 7 and 16.

import { ahead, isBehind } from './incoming.js';
import { MOST_MESSAGES, PIECE_BYTES, TYPE, UNORDERED } from './messages.js';
import { compressBody, cut, headerBytes, writeBody, writeMessage } from './messages.js';

const IDS_ON_THEIR_WAY = 256;
const MOST_UNRELIABLE = 1024; // waiting at once; the oldest goes when there are more
const IDS = 65_536;
export const BULK = 2;

/** What limits alone bound, and no window: section 15. */
const FREE = new Set([TYPE.PLAYER_MOVE, TYPE.HEARTBEAT, TYPE.BUSY, TYPE.PING, TYPE.PONG]);
export const isFree = (item) => FREE.has(item.whole.type);
const isUsers = (whole) => whole.type !== TYPE.HEARTBEAT; // which the client says by itself

class Channel {
  #nextId = 0;
  /** Items, in order, from the oldest that is kept. */
  items = [];

  constructor(number) {
    this.number = number;
  }

  get isOrdered() {
    return this.number !== UNORDERED;
  }

  /** The first item that may leave, as `ready` decides; what follows one that must wait does so, too, in order. */
  first(ready) {
    for (const item of this.items) {
      if (item.acked || item.flies) continue;
      if (item.id === null && this.#onTheirWay() >= IDS_ON_THEIR_WAY) return null;
      if (ready(item)) return item;
      if (this.isOrdered) return null;
    }
    return null;
  }

  /** How many ids there are from the oldest that is not acknowledged on. */
  #onTheirWay() {
    if (this.isOrdered) {
      const oldest = this.items.find((item) => !item.acked);
      return oldest.id === null ? 0 : ahead(this.#nextId, oldest.id);
    }
    const ids = this.items.map((item) => item.id).filter((id) => id !== null);
    return ids.reduce((most, id) => Math.max(most, ahead(this.#nextId, id)), 0);
  }

  assignId(item) {
    if (item.id !== null) return;
    item.id = this.#nextId;
    this.#nextId = (this.#nextId + 1) % IDS;
  }

  /** Forget what is acknowledged and needed no more; its messages. */
  *release() {
    if (!this.isOrdered) {
      const done = this.items.filter((item) => item.acked);
      if (done.length) this.items = this.items.filter((item) => !item.acked);
      yield* done.map((item) => item.whole);
      return;
    }
    let done = 0;
    while (done < this.items.length && this.items[done].whole.open === 0) {
      yield this.items[done].whole;
      done += this.items[done].whole.pieces;
    }
    this.items.splice(0, done);
  }
}

export class Outgoing {
  #channels = [0, 1, 2, UNORDERED].map((number) => new Channel(number));
  #unreliable = [];
  #said = 0;

  /** Queue a message; what tells it from others when it is delivered or not. Throws where it cannot be said. */
  say(type, body, { reliable, channel, priority }, room) {
    const plain = writeBody(type, body);
    const packed = compressBody(type, plain);
    const bytes = packed ?? plain;
    const pieces = reliable && channel !== UNORDERED && bytes.length > PIECE_BYTES ? cut(bytes) : [bytes];
    if (reliable && channel === UNORDERED && bytes.length > PIECE_BYTES) {
      throw new RangeError(`${bytes.length} bytes on channel 3, which has at most ${PIECE_BYTES}: use another channel`);
    }
    if (!reliable && bytes.length + headerBytes(false) > room) {
      throw new RangeError(`${bytes.length} bytes do not fit a datagram of this path: send them reliably`);
    }
    const whole = {
      ticket: ++this.#said, type, reliable, channel, priority,
      bytes: plain.length, pieces: pieces.length, open: pieces.length, charged: false,
    };
    const shape = { type, compressed: packed !== null, reliable, fragment: pieces.length > 1, channel, priority };
    const items = pieces.map((piece) => ({
      ...shape, whole, body: piece, id: null, acked: false, flies: false, notBefore: 0,
    }));
    if (reliable) this.#channels[channel].items.push(...items);
    else if (this.#unreliable.push(...items) > MOST_UNRELIABLE) this.#unreliable.shift();
    return whole.ticket;
  }

  get isEmpty() {
    return this.#unreliable.length === 0 && this.#channels.every((channel) => channel.items.length === 0);
  }

  /** Is there anything that is not on its way? */
  get waits() {
    const isLeft = (item) => !item.flies && !item.acked;
    return this.#unreliable.length > 0 || this.#channels.some((channel) => channel.items.some(isLeft));
  }

  holds(type) {
    return this.#channels.some((channel) => channel.items.some((item) => item.whole.type === type));
  }

  /**
   * Messages for a datagram with so much room. `may(item)` says when an item may leave, `limits` when its limit allows.
   * Returns the items, the bytes, and when to ask again for what must wait.
   */
  pick(room, now, may, limits) {
    let wake = Infinity;
    const ready = (item) => {
      const { whole } = item;
      const limited = whole.charged ? now : limits.when(whole.type, whole.bytes, now);
      const at = Math.max(may(item), item.notBefore, limited);
      if (at > now) wake = Math.min(wake, at);
      return at <= now;
    };
    const items = [];
    const parts = [];
    const full = new Set();
    while (items.length < MOST_MESSAGES) {
      const item = this.#best(ready, full);
      if (!item) break;
      const bytes = headerBytes(item.reliable) + item.body.length;
      if (bytes > room) {
        if (!item.reliable && items.length === 0) this.#forget(item); // the path has become too small for it
        else full.add(item.reliable ? item.channel : 'unreliable');
        continue;
      }
      this.#leaves(item, now, limits);
      items.push(item);
      parts.push(writeMessage(item));
      room -= bytes;
    }
    return { items, bytes: Buffer.concat(parts), wake };
  }

  #best(ready, full) {
    const candidates = this.#channels
      .filter(({ number }) => !full.has(number))
      .map((channel) => channel.first(ready));
    if (!full.has('unreliable')) {
      for (const priority of [0, 1, 2, 3]) {
        candidates.push(this.#unreliable.find((item) => item.priority === priority && ready(item)));
      }
    }
    const urgency = (item) => Math.min(item.priority, BULK);
    return candidates
      .filter(Boolean)
      .sort((a, b) => urgency(a) - urgency(b) || a.whole.ticket - b.whole.ticket)[0];
  }

  #leaves(item, now, limits) {
    if (!item.whole.charged) limits.draw(item.whole.type, item.whole.bytes, now);
    item.whole.charged = true;
    item.flies = true;
    if (item.reliable) this.#channels[item.channel].assignId(item);
    else this.#forget(item);
  }

  #forget(item) {
    this.#unreliable.splice(this.#unreliable.indexOf(item), 1);
  }

  /** These were acknowledged. Returns the tickets of messages that are delivered now. */
  acknowledge(items) {
    for (const item of items) this.#set(item, true);
    return this.#release();
  }

  /** These were lost, or refused until `notBefore`: they leave again. */
  again(items, notBefore = 0) {
    for (const item of items) {
      item.flies = false;
      item.notBefore = notBefore;
    }
  }

  #set(item, acked) {
    item.flies = false;
    if (item.acked === acked) return;
    item.acked = acked;
    item.whole.open += acked ? -1 : 1;
  }

  #release() {
    return this.#channels.flatMap((channel) => [...channel.release()].filter(isUsers).map((whole) => whole.ticket));
  }

  /** BUSY, reason 6: all that is kept on channels 0 to 2 leaves again, and `flying`, which was on its way. */
  forgotten(flying) {
    this.again(flying);
    for (const channel of this.#channels.filter(({ isOrdered }) => isOrdered)) {
      for (const item of channel.items) if (item.acked) this.#set(item, false);
    }
  }

  /** RESTARTED: what the gateway delivered, and nothing else, is acknowledged. */
  restart({ nextIn, seen }) {
    for (const { number, isOrdered, items } of this.#channels) {
      for (const item of items.filter(({ id }) => id !== null)) {
        const behind = isBehind(item.id, nextIn[number]);
        this.#set(item, behind || (!isOrdered && seen.has(ahead(item.id, nextIn[number]))));
        item.notBefore = 0;
      }
    }
    return this.#release();
  }

  /** The tickets of what is not known to be delivered. */
  undelivered() {
    const kept = this.#channels.flatMap(({ items }) => items.map((item) => item.whole));
    return [...new Set(kept)].filter(isUsers).map((whole) => whole.ticket).sort((a, b) => a - b);
  }
}
