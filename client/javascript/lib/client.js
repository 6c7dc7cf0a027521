// SPDX-License-Identifier: BSD-3-Clause
// A player's end from the first HELLO to the last CLOSE: attempts and connections, one after the other.

import { Connection } from './connection.js';
import { Handshake } from './handshake.js';
import { CLOSE } from './wire.js';

export class Client {
  #ticket;
  #options;
  #handshake = null;
  /** The latest, or null: none was welcomed yet. */
  connection = null;

  /** `send(datagram)`, `tell(event, detail)` and `random(bytes)` come from outside, as does each time, in ms. */
  constructor(ticket, options) {
    this.#ticket = ticket;
    this.#options = options;
  }

  connect(now) {
    this.#handshake = new Handshake(this.#ticket, { ...this.#options, now });
  }

  get isOver() {
    return !this.#handshake && (!this.connection || ['over', 'reset'].includes(this.connection.state));
  }

  receive(datagram, now) {
    this.connection?.receive(datagram, now);
    if (this.#handshake) this.#heed(this.#handshake.receive(datagram, now), now);
    else if (this.#isLost) this.connect(now);
  }

  /** Whether the gateway lost the connection: another attempt follows. */
  get #isLost() {
    const { state, reason } = this.connection ?? {};
    return state === 'reset' || (state !== 'open' && reason === CLOSE.RESTARTED);
  }

  poll(now) {
    if (this.#handshake) this.#heed(this.#handshake.poll(now), now);
    this.connection?.poll(now);
    if (this.connection?.state === 'open' && this.connection.isLastCounterNear) {
      this.connection.close(CLOSE.RESTARTED, now);
      this.connect(now);
    }
  }

  close(now) {
    this.#handshake = null;
    this.connection?.close(CLOSE.LEFT, now);
  }

  #heed(outcome, now) {
    if (!outcome) return;
    this.#handshake = null;
    if (outcome.ended) {
      this.#options.tell('refused', { reason: outcome.ended });
      return;
    }
    this.connection = new Connection(this.#ticket.session, outcome.connected, { ...this.#options, now });
    const { playerId, expiresInS, maxDatagram, limits } = outcome.connected;
    this.#options.tell('connected', { playerId, expiresInS, maxDatagram, limits });
  }

  nextAt(now) {
    return Math.min(this.#handshake?.nextAt ?? Infinity, this.connection?.nextAt(now) ?? Infinity);
  }
}
