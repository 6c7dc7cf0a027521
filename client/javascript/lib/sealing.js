// SPDX-License-Identifier: BSD-3-Clause
// Sealed datagrams of one connection: counters, key phases, visible numbers. Sections 5, 11 and 12 of PROTOCOL.md.

import { keyMaterial, nextSecret, open, seal, trafficKeys } from './keys.js';
import { ReplayWindow } from './replay.js';
import { HEADER_BYTES, TAG_BYTES, blank } from './wire.js';

const PHASE_DATAGRAMS = 2 ** 22 - 2 ** 10;
const PHASE_MS = 3_600_000 - 60_000;
const BEFORE_MS = 3000; // how long the keys and the number before are still good
export const LAST_COUNTER = 2 ** 32 - 2 ** 24;

/** Keys by phase: those that are present, the next, and for a while those before. */
class Phases {
  #secret;
  #keys = new Map(); // by phase
  #log;
  present = 0;
  #beforeEnds = 0;

  constructor(secret, log) {
    this.#log = log;
    this.#make(0, secret);
  }

  #make(phase, secret) {
    this.#secret = secret;
    this.#keys.set(phase, trafficKeys(secret));
    this.#log(secret);
  }

  keys(phase) {
    if (!this.#keys.has(phase)) {
      this.#make(phase, nextSecret(this.#secret)); // only ever the one that follows
    }
    return this.#keys.get(phase);
  }

  advance(now) {
    this.#keys.delete(this.present - 1);
    this.present++;
    this.#beforeEnds = now + BEFORE_MS;
  }

  hasBefore(now) {
    if (now >= this.#beforeEnds) this.#keys.delete(this.present - 1);
    return this.#keys.has(this.present - 1);
  }
}

export class Sealing {
  #phases;
  #window = new ReplayWindow();
  #sendPhase = 0;
  #phaseBegan; // { counter, at } of the present phase of what is sent
  #phaseAcked = false;
  #numbers; // the one in use first; then the one before, while it is good
  #spare;
  #phaseDatagrams;
  /** The counter of the newest datagram that was sealed. */
  sent = 0;

  constructor({ session, secret, counter, spare, now, phaseDatagrams = PHASE_DATAGRAMS, keyLog }) {
    this.#phases = new Phases(secret, (of) => keyLog?.(`${session} ${keyMaterial(of).toString('hex')}`));
    this.#window.add(counter);
    this.#numbers = [{ number: session, out: 0, in: 0, until: Infinity }];
    this.#spare = spare;
    this.#phaseBegan = { counter: 1, at: now };
    this.#phaseDatagrams = phaseDatagrams;
  }

  get number() {
    return this.#numbers[0].number;
  }

  get phase() {
    return this.#sendPhase;
  }

  // ---------------------------------------------------------------- numbers

  /** NUMBER came, or WELCOME had one. */
  give(spare) {
    if (spare?.number === this.number) return; // late: it was used meanwhile
    this.#spare = spare;
  }

  /** Be another number from now on, where the gateway gave one. */
  moveOn() {
    if (!this.#spare) return;
    this.#numbers = [{ ...this.#spare, until: Infinity }, this.#numbers[0]];
    this.#spare = null;
  }

  /** The gateway has gone over to the number in use: the one before is good for a while. */
  #cameUnder(number, now) {
    const before = this.#numbers[1];
    if (number === this.#numbers[0] && before?.until === Infinity) before.until = now + BEFORE_MS;
  }

  // ---------------------------------------------------------------- sealing

  seal(kind, plain, now) {
    this.#updateKeys(now);
    const { number, out } = this.#numbers[0];
    const counter = ++this.sent;
    const length = HEADER_BYTES + plain.length + TAG_BYTES;
    const header = blank(kind, length, number, (counter + out) >>> 0, this.#sendPhase & 1).subarray(0, HEADER_BYTES);
    return Buffer.concat([header, seal(this.#phases.keys(this.#sendPhase).toGateway, counter, header, plain)]);
  }

  #updateKeys(now) {
    const many = this.sent + 1 - this.#phaseBegan.counter >= this.#phaseDatagrams;
    const long = now - this.#phaseBegan.at >= PHASE_MS;
    if (this.#phaseAcked && (many || long)) this.#sendIn(this.#sendPhase + 1, now);
  }

  #sendIn(phase, now) {
    this.#sendPhase = phase;
    this.#phaseBegan = { counter: this.sent + 1, at: now };
    this.#phaseAcked = false;
  }

  /** A datagram of ours was acknowledged. */
  acknowledged(counter) {
    if (counter >= this.#phaseBegan.counter) this.#phaseAcked = true;
  }

  // ---------------------------------------------------------------- opening

  /** { counter, plain } of a datagram that is authentic and new, or null. */
  open(header, datagram, now) {
    const number = this.#numbers.find((known) => known.number === header.session && now < known.until);
    if (!number) return null;
    const counter = (header.counter - number.in) >>> 0;
    if (!this.#window.fresh(counter)) return null;
    const phase = this.#phaseOf(header, counter, now);
    if (phase === null) return null;
    const associated = datagram.subarray(0, HEADER_BYTES);
    const plain = open(this.#phases.keys(phase).toClient, counter, associated, datagram.subarray(HEADER_BYTES));
    if (!plain) return null;
    this.#window.add(counter);
    if (phase > this.#phases.present) this.#phases.advance(now);
    if (this.#sendPhase < this.#phases.present) this.#sendIn(this.#phases.present, now);
    this.#cameUnder(number, now);
    return { counter, plain };
  }

  #phaseOf({ flags }, counter, now) {
    const { present } = this.#phases;
    if ((flags & 1) === (present & 1)) return present;
    if (counter > this.#window.newest) return present + 1; // whose keys are made once, so that a forgery is cheap
    return this.#phases.hasBefore(now) ? present - 1 : null;
  }
}
