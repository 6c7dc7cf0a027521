// SPDX-License-Identifier: BSD-3-Clause
// What is known of the path: its round trip, how much it carries, how long its datagrams may be. Sections 6, 10, 15.

import { LEAST_DATAGRAM, SIZES } from './wire.js';

const FIRST_TIMEOUT_MS = 200;
const MOST_TIMEOUT_MS = 1000;
const SILENT_TIMEOUT_MS = 2000;
const SILENT_AFTER_MS = 10_000;
const PEER_WAITS_MS = 25;
const LEAST_FOR_MS = 45_000;

export class RoundTrip {
  smoothed = null;
  #variation = 0;
  #least = Infinity;
  /** The last sample, less what the peer waited; null: nothing was measured. */
  latest = null;
  #recent = []; // [time, sample], samples rising: the first is the least of LEAST_FOR_MS
  /** How often in a row the timeout passed. */
  backoff = 0;

  sample(ms, peerDelayMs, now) {
    this.#least = Math.min(this.#least, ms);
    // A peer that waits longer than it may makes the timeout longer.
    const rtt = ms - peerDelayMs >= this.#least ? ms - Math.min(peerDelayMs, PEER_WAITS_MS) : ms;
    this.latest = Math.max(ms - peerDelayMs, 0.001);
    if (this.smoothed === null) {
      this.smoothed = rtt;
      this.#variation = rtt / 2;
    } else {
      this.#variation += (Math.abs(this.smoothed - rtt) - this.#variation) / 4;
      this.smoothed += (rtt - this.smoothed) / 8;
    }
    while (this.#recent.length && this.#recent.at(-1)[1] >= this.latest) this.#recent.pop();
    this.#recent.push([now, this.latest]);
    while (this.#recent[0][0] < now - LEAST_FOR_MS) this.#recent.shift();
  }

  /** How much longer the last sample is than the least. */
  get excess() {
    return this.latest - this.#recent[0][1];
  }

  timeout(silentMs) {
    if (silentMs >= SILENT_AFTER_MS) return SILENT_TIMEOUT_MS;
    const once =
      this.smoothed === null
        ? FIRST_TIMEOUT_MS
        : this.smoothed + Math.max(4 * this.#variation, 10) + PEER_WAITS_MS;
    return Math.min(once * 2 ** this.backoff, Math.max(MOST_TIMEOUT_MS, once));
  }
}

const LEAST_WINDOW = 4;
const AT_ONCE = 4;
const FASTER = 1.25;

/** How many datagrams may be on their way: NewReno as of RFC 9002 section 7, paced. */
export class Window {
  size = LEAST_WINDOW;
  flying = 0;
  #threshold = Infinity;
  #recovery = 0; // newest counter that was sent when the window was halved
  #allowance = AT_ONCE;
  #at = 0;

  /** When the next datagram may leave; Infinity: not before one that flies has come. */
  when(now, roundTripMs) {
    if (this.flying >= this.size) return Infinity;
    const perMs = (FASTER * this.size) / Math.max(roundTripMs, 1);
    this.#allowance = Math.min(AT_ONCE, this.#allowance + (now - this.#at) * perMs);
    this.#at = now;
    return this.#allowance >= 1 - 1e-9 ? now : now + (1 - this.#allowance) / perMs;
  }

  left() {
    this.#allowance -= 1;
    this.flying++;
  }

  came(counter) {
    const full = this.flying >= this.size / 2; // a window that is not used says nothing
    this.flying--;
    if (!full || counter <= this.#recovery) return;
    this.size += this.size < this.#threshold ? 1 : 1 / this.size;
  }

  lost(counter, newest) {
    this.flying--;
    if (counter <= this.#recovery) return;
    this.#recovery = newest;
    this.#threshold = this.size = Math.max(this.size / 2, LEAST_WINDOW);
  }

  /** What flew is neither here nor lost: it was refused, or the path is another. */
  released() {
    this.flying--;
  }

  /** Nothing comes any more, or the path is another. */
  restart() {
    this.size = LEAST_WINDOW;
  }
}

const BULK_EXCESS_MS = 20;
const BULK_FIRST = 1 / 4;
const BULK_LEAST = 1 / 64;
const BULK_GROWS = 1 / 32;
const BULK_MOST = 32;
const BULK_LONGEST_MS = [200, 1000];

/** How soon after each other datagrams with bulk leave, so that others do not wait for them (RFC 6817). Section 15. */
export class BulkPace {
  #pace = BULK_FIRST; // datagrams in a round trip
  #doubles = true; // until a queue is seen
  #above = 0; // samples in a row
  #grew = false; // when it changed last
  #changedAt = -Infinity;
  #leftAt = -Infinity;

  when({ latest }) {
    const [least, most] = BULK_LONGEST_MS;
    if (latest === null) return this.#leftAt + least;
    return this.#leftAt + Math.min(latest / this.#pace, Math.max(least, Math.min(4 * latest, most)));
  }

  left(now) {
    this.#leftAt = now;
  }

  lost() {
    this.#doubles = false;
  }

  /**
   * A sample of a datagram that left then. One before the pace was halved says nothing of it; one before it grew, only that
   * it was too fast already.
   */
  sample(sentAt, { latest, excess }, now) {
    const before = sentAt < this.#changedAt;
    if (before && !this.#grew) return;
    this.#doubles &&= excess <= BULK_EXCESS_MS / 2;
    this.#above = excess > BULK_EXCESS_MS ? this.#above + 1 : 0;
    if (this.#above >= 2 || excess > 2 * BULK_EXCESS_MS) this.#change(this.#pace / 2, now);
    else if (!this.#above && !before && this.#used(sentAt, latest)) this.#change(this.#doubles ? this.#pace * 2 : this.#pace * (33 / 32) + BULK_GROWS, now);
  }

  /** Since it changed. While it doubles, its whole effect is to be seen first: one round trip later. */
  #used(sentAt, latest) {
    if (this.#doubles && sentAt < this.#changedAt + latest) return false;
    return this.#leftAt >= this.#changedAt;
  }

  #change(pace, now) {
    this.#grew = pace > this.#pace;
    this.#pace = Math.min(Math.max(pace, BULK_LEAST), BULK_MOST);
    this.#changedAt = now;
    this.#above = 0;
  }
}

const PROBES_OF_ONE_SIZE = 3;
const BETWEEN_PROBES_MS = 1000;
const NEXT_SEARCH_MS = 600_000;
const LOSSES_IN_A_ROW = 3;
const TIMEOUTS_IN_A_ROW = 2;

/** How long datagrams may be, and when to ask the path for more (RFC 8899). */
export class PathMtu {
  #lost = 0; // long ones, in a row
  #shorterCame = false;
  #tried = 0;
  nextProbe = 0;

  constructor(size, most) {
    this.most = most;
    this.size = size;
  }

  /** A datagram of this size was acknowledged, and if it is longer than any was believed to be, proves it. */
  came(size, now) {
    this.#prove(size, now);
    if (size > LEAST_DATAGRAM) this.#lost = 0;
    else this.#shorterCame = true;
    this.#shrinkWhereBlack(0);
  }

  lost(size, backoff) {
    if (size <= LEAST_DATAGRAM || this.size === LEAST_DATAGRAM) return;
    if (this.#lost++ === 0) this.#shorterCame = false;
    this.#shrinkWhereBlack(backoff);
  }

  #shrinkWhereBlack(backoff) {
    const hole = this.#lost >= LOSSES_IN_A_ROW && this.#shorterCame;
    if (hole || backoff >= TIMEOUTS_IN_A_ROW) this.shrink();
  }

  /** The path is another, or carries no more. */
  shrink(now = 0) {
    this.size = LEAST_DATAGRAM;
    this.#lost = 0;
    this.#tried = 0;
    this.nextProbe = now;
  }

  /** The size of a PROBE that is to leave now, or null. */
  probe(now) {
    if (this.size >= this.most || now < this.nextProbe) return null;
    if (this.#tried === PROBES_OF_ONE_SIZE) {
      this.#tried = 0;
      this.nextProbe = now + NEXT_SEARCH_MS;
      return null;
    }
    this.#tried++;
    this.nextProbe = now + BETWEEN_PROBES_MS;
    return Math.min(...SIZES.filter((size) => size > this.size && size < this.most), this.most);
  }

  #prove(size, now) {
    if (size <= this.size) return;
    this.size = size;
    this.#tried = 0;
    this.nextProbe = now;
  }

  get searchAt() {
    return this.size >= this.most ? Infinity : this.nextProbe;
  }
}
