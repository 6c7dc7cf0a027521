// SPDX-License-Identifier: BSD-3-Clause
// Which counters of the peer came, and which of them were taken. Section 5 of PROTOCOL.md.

const WINDOW = 256;

/** A window over counters, which remembers each of the last 256 by itself. */
class Counters {
  newest = 0;
  #slots = new Uint32Array(WINDOW);

  has(counter) {
    return counter > 0 && this.#slots[counter % WINDOW] === counter;
  }

  add(counter) {
    this.#slots[counter % WINDOW] = counter;
    this.newest = Math.max(this.newest, counter);
  }
}

export class ReplayWindow extends Counters {
  /** Whether a datagram of this counter may be opened: asked before its tag is checked, `add` comes after. */
  fresh(counter) {
    return counter >= 1 && this.newest - counter < WINDOW && !this.has(counter);
  }
}

const WITHIN_MS = 20; // 25 by the document, less what a timer is late
const AT_ONCE_FROM = 16;
const UNKNOWN_DELAY = 65_535;

/** What is to be acknowledged, and by when. */
export class Acknowledgements {
  #taken = new Counters();
  #newestCame = 0;
  #waiting = 0;
  /** When DATA has to leave for what waits. */
  due = Infinity;

  taken(counter, { asks = false, atOnce = false }, now) {
    if (counter > this.#taken.newest) this.#newestCame = now;
    this.#taken.add(counter);
    if (!asks) return;
    this.#waiting++;
    this.due = atOnce || this.#waiting >= AT_ONCE_FROM ? now : Math.min(this.due, now + WITHIN_MS);
  }

  /** Whether so many wait that they may soon be more than one DATA can name. */
  get areMany() {
    return this.#waiting >= AT_ONCE_FROM;
  }

  /** ack, ack_bits and ack_delay of a DATA that leaves now: nothing waits afterwards. */
  fields(now) {
    this.#waiting = 0;
    this.due = Infinity;
    const ack = this.#taken.newest;
    let bits = 0;
    for (let n = 0; n < 32; n++) if (this.#taken.has(ack - 1 - n)) bits |= 1 << n;
    const delay = ack === 0 ? UNKNOWN_DELAY : Math.min(Math.round((now - this.#newestCame) * 16), UNKNOWN_DELAY);
    return { ack, bits: bits >>> 0, delay };
  }
}

/** Each counter from 1 to `sent` that an acknowledgement names; none where it names what was not sent. */
export function* acknowledged({ ack, bits }, sent) {
  if (ack === 0 || ack > sent) return;
  yield ack;
  for (let n = 0; n < 32; n++) if (bits & (1 << n) && ack - 1 - n >= 1) yield ack - 1 - n;
}
