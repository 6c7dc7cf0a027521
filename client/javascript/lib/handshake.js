// SPDX-License-Identifier: BSD-3-Clause
// Getting in: HELLO, CHALLENGE, CONFIRM, WELCOME, and DENIED. Sections 3 and 4 of PROTOCOL.md.

import { agree, firstSecret, mac, open, same, share, trafficKeys } from './keys.js';
import {
  DENIED, KIND, LEAST_DATAGRAM, SIZES, TAG_BYTES, VERSION,
  confirm, hello, isZero, readChallenge, readDenied, readHeader, readWelcome,
} from './wire.js';

const FIRST_WAIT_MS = 250;
const MOST_WAIT_MS = 2000;
const COOKIE_MS = 4000;
const TRIES_OF_ONE_SIZE = 2;
const SEALED_FROM = 60;
const VERSION_REASON = 2;

/** One attempt to connect. `send` takes datagrams; time and randomness come from outside. */
export class Handshake {
  #ticket;
  #send;
  #random;
  #deadline;
  #sizes;
  #tried = 0; // CONFIRMs of the present size
  #challenge = null; // { cookie, at, roundTrip }, once there is one
  #nonce;
  #share;
  #wait;
  #sentAt;
  #next;
  /** What an unproved DENIED said: versions that the gateway speaks. It ends nothing. */
  versions = null;

  constructor({ session, key }, { send, random, now, forMs = 10_000, maxDatagram = SIZES[0] }) {
    this.#ticket = { session, key };
    this.#send = send;
    this.#random = random;
    this.#deadline = now + forMs;
    this.#sizes = [...new Set([maxDatagram, ...SIZES.filter((size) => size < maxDatagram)])];
    this.#ask(now);
  }

  /** Ask for a cookie, with a nonce and a share of its own: what comes for the one before leads nowhere. */
  #ask(now) {
    this.#nonce = this.#random(16);
    this.#share = share(this.#random(32));
    this.#challenge = null;
    this.#wait = FIRST_WAIT_MS;
    this.#say(now);
  }

  #say(now) {
    this.#sentAt = now;
    if (this.#challenge) this.#sayConfirm();
    else this.#send(hello(this.#ticket.session, this.#nonce));
    this.#next = now + Math.max(this.#wait, 2 * (this.#challenge?.roundTrip ?? 0));
    this.#wait = Math.min(2 * this.#wait, MOST_WAIT_MS);
  }

  #sayConfirm() {
    if (this.#tried === TRIES_OF_ONE_SIZE && this.#sizes.length > 1) {
      this.#sizes.shift();
      this.#tried = 0;
    }
    this.#tried++;
    const { cookie } = this.#challenge;
    const datagram = confirm(this.#ticket.session, this.#sizes[0], {
      nonce: this.#nonce, cookie, share: this.#share.public,
    });
    const proved = datagram.subarray(0, datagram.length - TAG_BYTES);
    mac(this.#ticket.key, 'pollgate confirm', proved).copy(datagram, proved.length);
    this.#send(datagram);
  }

  get nextAt() {
    const cookieEnds = this.#challenge ? this.#challenge.at + COOKIE_MS : Infinity;
    return Math.min(this.#deadline, this.#next, cookieEnds);
  }

  /** What is due by now. Null, or { ended } when the time is over. */
  poll(now) {
    if (now >= this.#deadline) {
      const otherVersion = this.versions && !this.versions.includes(VERSION);
      return { ended: otherVersion ? DENIED[VERSION_REASON] : 'timeout' };
    }
    if (this.#challenge && now >= this.#challenge.at + COOKIE_MS) this.#ask(now);
    else if (now >= this.#next) this.#say(now);
    return null;
  }

  /** Null, { ended } of a refusal that is proved, or { connected } with all that a connection begins with. */
  receive(datagram, now) {
    const header = readHeader(datagram);
    if (!header || header.session !== this.#ticket.session) return null;
    if (header.kind === KIND.CHALLENGE) return this.#challenged(readChallenge(datagram), now);
    if (header.kind === KIND.DENIED) return this.#denied(readDenied(datagram));
    if (header.kind === KIND.WELCOME) return this.#welcomed(header, datagram);
    return null;
  }

  #proves(label, { proved, proof }) {
    return same(mac(this.#ticket.key, label, proved), proof);
  }

  #challenged(challenge, now) {
    if (this.#challenge || !same(challenge.nonce, this.#nonce)) return null;
    if (!this.#proves('pollgate challenge', challenge)) return null;
    this.#challenge = { cookie: Buffer.from(challenge.cookie), at: now, roundTrip: now - this.#sentAt };
    this.#wait = FIRST_WAIT_MS;
    this.#say(now);
    return null;
  }

  #denied(denied) {
    if (!same(denied.nonce, this.#nonce)) return null;
    if (denied.reason === VERSION_REASON) {
      if (isZero(denied.proof)) this.versions = denied.versions;
      return null;
    }
    if (!this.#proves('pollgate denied', denied)) return null;
    return { ended: DENIED[denied.reason] ?? `denied, reason ${denied.reason}` };
  }

  #welcomed({ flags, length, session, counter }, datagram) {
    if (!this.#challenge || flags !== 0 || counter === 0) return null;
    if (length > this.#sizes[0] || length < LEAST_DATAGRAM) return null;
    const serverShare = datagram.subarray(28, SEALED_FROM);
    const agreed = agree(this.#share.secret, serverShare);
    if (!agreed) return null;
    const secret = firstSecret({
      session, key: this.#ticket.key, agreed,
      clientNonce: this.#nonce, serverNonce: datagram.subarray(12, 28),
      clientShare: this.#share.public, serverShare,
    });
    const associated = datagram.subarray(0, SEALED_FROM);
    const plain = open(trafficKeys(secret).toClient, counter, associated, datagram.subarray(SEALED_FROM));
    const welcome = plain && readWelcome(plain, length);
    return welcome && { connected: { secret, counter, ...welcome } };
  }
}
