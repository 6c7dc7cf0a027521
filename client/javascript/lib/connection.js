// SPDX-License-Identifier: BSD-3-Clause
// One connection, from WELCOME to its end: what comes, what leaves, and when. No socket and no clock of its own.

import { Flight } from './flight.js';
import { Incoming } from './incoming.js';
import { same } from './keys.js';
import { DATAGRAMS, Limits } from './limits.js';
import { TYPE, nameOf, readBody, readMessages } from './messages.js';
import { BULK, Outgoing, isFree } from './outgoing.js';
import { Acknowledgements } from './replay.js';
import { LAST_COUNTER, Sealing } from './sealing.js';
import { CLOSE, HEADER_BYTES, KIND, SIZES, TAG_BYTES, isZero, readHeader, toldOf } from './wire.js';

const DATA_HEAD_BYTES = 12;
const OVERHEAD_BYTES = HEADER_BYTES + DATA_HEAD_BYTES + TAG_BYTES;
const CLOSING_MS = 3000;
const BETWEEN_MS = 100; // of CLOSE and BUSY: ten times a second
const REASON_ORDER = 4;
const REASON_FORGOTTEN = 6;
const AT_ONCE = 1;

export class Connection {
  #send;
  #tell;
  #random;
  #sealing;
  #acks = new Acknowledgements();
  #incoming = new Incoming();
  #outgoing = new Outgoing();
  #flight;
  #limits;
  #idleMs;
  #resetToken;
  #lastCame;
  #lastAsked; // when something left that is acknowledged
  #lastBusy = -Infinity;
  #lastClose = -Infinity;
  #epoch = null;
  #pings = new Map(); // when each left, by token
  #wake = Infinity; // when something that waits may leave
  #closing = null; // { reason, until } after our CLOSE
  /** 'open', 'closing' (our CLOSE is repeated), 'over', or 'reset' (the gateway has lost it). */
  state = 'open';
  /** Of CLOSE, once there was one. */
  reason = null;

  /** `welcome`: what Handshake's { connected } holds. `tell(event, detail)` is told what happens. */
  constructor(session, welcome, { send, tell, random, now, phaseDatagrams, keyLog, maxDatagram = SIZES[0] }) {
    this.#send = send;
    this.#tell = tell;
    this.#random = random;
    this.#sealing = new Sealing({ session, ...welcome, now, phaseDatagrams, keyLog });
    this.#flight = new Flight(welcome.maxDatagram, maxDatagram);
    this.#limits = new Limits(welcome.limits, now);
    this.#idleMs = welcome.idleTimeoutMs;
    this.#resetToken = welcome.resetToken;
    this.#lastCame = now;
    this.#lastAsked = -Infinity; // the first heartbeat leaves at once: it uses up a ticket that is good for once
    this.#acks.taken(welcome.counter, {}, now);
  }

  get isLastCounterNear() {
    return this.#sealing.sent >= LAST_COUNTER;
  }

  /** For those who look: round trip in ms, the present number, phase, and how long datagrams are. */
  get status() {
    const { roundTrip, mtu, window } = this.#flight;
    return {
      roundTripMs: roundTrip.smoothed, number: this.#sealing.number, phase: this.#sealing.phase,
      datagramBytes: mtu.size, window: window.size, isQuiet: this.#outgoing.isEmpty,
    };
  }

  // ---------------------------------------------------------------- what the user says

  say(type, body, { reliable = type !== TYPE.PLAYER_MOVE, channel = 0, priority = 1 } = {}) {
    if (this.state !== 'open') throw new Error('the connection is over: nothing can be said in it');
    if (![0, 1, 2, 3].includes(channel) || (!reliable && channel !== 0)) {
      throw new RangeError(`channel ${channel}: 0 to 3, and 0 for what is not reliable`);
    }
    if (![0, 1, 2].includes(priority)) throw new RangeError(`priority ${priority}: 0 urgent, 1 normal, 2 bulk`);
    return this.#outgoing.say(type, body, { reliable, channel, priority }, this.#room());
  }

  /** Ask for a round trip: 'pong' tells how long it took. */
  ping(now) {
    const token = this.#random(4).readUInt32LE(0);
    this.say(TYPE.PING, { token }, { reliable: false, priority: 0 });
    this.#pings.set(token, now);
    if (this.#pings.size > 64) this.#pings.delete(this.#pings.keys().next().value);
    return token;
  }

  /** The client is on another network: another number, a path that is not known, all that flies leaves again. */
  moved(now) {
    this.#sealing.moveOn();
    this.#outgoing.again(this.#flight.abandon());
    this.#flight.mtu.shrink(now);
    this.#flight.newPath();
    this.#lastAsked = -Infinity; // so that the gateway sees the new address at once
  }

  close(reason, now) {
    if (this.state !== 'open') return;
    this.#closing = { reason, until: now + CLOSING_MS };
    this.#sayClose(now);
    this.#end('closing', reason);
  }

  #sayClose(now) {
    this.#lastClose = now;
    this.#send(this.#sealing.seal(KIND.CLOSE, Buffer.of(this.#closing.reason, 0, 0, 0, 0, 0, 0, 0), now));
  }

  #end(state, reason) {
    this.state = state;
    this.reason = reason;
    const undelivered = this.#outgoing.undelivered();
    this.#tell('ended', { ...toldOf(reason), byUs: state === 'closing', undelivered });
  }

  // ---------------------------------------------------------------- what comes

  receive(datagram, now) {
    if (this.state === 'over' || this.state === 'reset') return;
    const header = readHeader(datagram);
    if (!header || header.kind === KIND.WELCOME) return;
    if (header.kind === KIND.RESET) this.#reset(datagram);
    if (header.kind <= KIND.WELCOME || header.kind === KIND.DENIED || header.kind === KIND.RESET) return;
    const opened = this.#sealing.open(header, datagram, now);
    if (!opened) return;
    this.#authentic(header.kind, opened, now);
    // Not with what is said when all that came was read: a socket hands over more at once than one DATA can name.
    if (this.state === 'open' && this.#acks.areMany) this.#sayOnlyAcknowledgement(now);
  }

  #reset(datagram) {
    if (this.state !== 'open' || !same(datagram.subarray(HEADER_BYTES), this.#resetToken)) return;
    this.state = 'reset';
    this.#tell('reset', { undelivered: this.#outgoing.undelivered() });
  }

  #authentic(kind, { counter, plain }, now) {
    if (this.state === 'closing') {
      if (kind === KIND.CLOSE) this.state = 'over';
      else if (now - this.#lastClose >= BETWEEN_MS) this.#sayClose(now);
      return;
    }
    this.#lastCame = now;
    switch (kind) {
      case KIND.DATA:
        return this.#data(counter, plain, now);
      case KIND.CLOSE:
        if (!isZero(plain.subarray(1))) return this.close(CLOSE.PROTOCOL, now);
        return this.#end('over', plain.readUInt8(0));
      case KIND.PATH_CHALLENGE:
        this.#acks.taken(counter, {}, now);
        return this.#send(this.#sealing.seal(KIND.PATH_RESPONSE, plain, now));
      case KIND.PROBE:
        if (!isZero(plain)) return this.close(CLOSE.PROTOCOL, now);
        return this.#acks.taken(counter, { asks: true, atOnce: true }, now);
    }
  }

  #data(counter, plain, now) {
    const fields = { ack: plain.readUInt32LE(0), bits: plain.readUInt32LE(4), delay: plain.readUInt16LE(8) };
    const wants = plain.readUInt8(10);
    const messages = readMessages(plain.subarray(DATA_HEAD_BYTES));
    if (!messages || wants & ~AT_ONCE || plain.readUInt8(11) !== 0) return this.close(CLOSE.PROTOCOL, now);
    for (const message of messages) this.#heedFirst(message, now);
    this.#acknowledge(fields, now);

    const taken = this.#incoming.take(messages);
    if (!taken) return this.close(CLOSE.PROTOCOL, now);
    if (taken.refused) this.#sayBusy(counter, taken.refused, now);
    else this.#acks.taken(counter, { asks: messages.length > 0, atOnce: (wants & AT_ONCE) !== 0 }, now);
    for (const message of taken.whole) if (this.state === 'open') this.#handle(message, now);
  }

  /** What decides what the acknowledgement beside it means. */
  #heedFirst(message, now) {
    const body = message.type === TYPE.RESTARTED || message.type === TYPE.BUSY ? readBody(message) : null;
    if (body && message.type === TYPE.RESTARTED) this.#restart(body);
    if (body && message.type === TYPE.BUSY) this.#busy(body, now);
  }

  #acknowledge(fields, now) {
    const { arrived, lost } = this.#flight.acknowledge(fields, this.#sealing.sent, now);
    if (fields.ack <= this.#sealing.sent) this.#sealing.acknowledged(fields.ack);
    this.#outgoing.again(lost);
    this.#delivered(this.#outgoing.acknowledge(arrived));
  }

  #delivered(tickets) {
    for (const ticket of tickets) this.#tell('delivered', ticket);
  }

  #sayBusy(counter, { type }, now) {
    if (now - this.#lastBusy < BETWEEN_MS) return;
    this.#lastBusy = now;
    const body = { counter, reason: REASON_ORDER, type, retryMs: 100 };
    this.#outgoing.say(TYPE.BUSY, body, { reliable: false, channel: 0, priority: 0 }, this.#room());
  }

  #restart({ epoch, nextIn, seen, nextOut }) {
    const since = (epoch - this.#epoch) & 0xffff;
    if (this.#epoch !== null && (since === 0 || since >= 0x8000)) return;
    this.#epoch = epoch;
    this.#limits.restart();
    this.#flight.abandon();
    this.#delivered(this.#outgoing.restart({ nextIn, seen }));
    this.#tell('restarted', { lost: this.#incoming.restart(nextOut) });
  }

  #handle(message, now) {
    const body = readBody(message);
    if (!body) return this.#tell('skipped', { type: message.type });
    switch (message.type) {
      case TYPE.LIMITS:
        if (this.#limits.change(body, now)) this.#tell('limits', body.limits);
        return undefined;
      case TYPE.NUMBER:
        return this.#sealing.give(body.spare);
      case TYPE.BUSY:
      case TYPE.RESTARTED:
        return undefined; // were heeded before the acknowledgement beside them
      case TYPE.PING:
        this.#outgoing.say(TYPE.PONG, body, { reliable: false, channel: 0, priority: 0 }, this.#room());
        return undefined;
      case TYPE.PONG:
        return this.#pong(body.token, now);
      default: {
        const { type, reliable, channel, priority } = message;
        return this.#tell('message', { type, name: nameOf(type), reliable, channel, priority, body });
      }
    }
  }

  #pong(token, now) {
    if (this.#pings.has(token)) this.#tell('pong', { token, roundTripMs: now - this.#pings.get(token) });
    this.#pings.delete(token);
  }

  #busy({ counter, reason, retryMs, type }, now) {
    const items = this.#flight.refused(counter);
    if (reason === REASON_FORGOTTEN) this.#outgoing.forgotten(this.#flight.abandon());
    if (items) this.#outgoing.again(items, now + retryMs);
    if (items || reason === REASON_FORGOTTEN) this.#tell('busy', { type, reason, retryMs });
  }

  // ---------------------------------------------------------------- what leaves

  #room() {
    return this.#flight.mtu.size - OVERHEAD_BYTES;
  }

  /** What is due by now. */
  poll(now) {
    if (this.state === 'closing' && now >= this.#closing.until) this.state = 'over';
    if (this.state !== 'open') return;
    if (now >= this.#lastCame + this.#idleMs) return this.close(CLOSE.IDLE, now);
    const silentMs = now - this.#lastCame;
    this.#outgoing.again(this.#flight.expire(this.#sealing.sent, now, silentMs));
    this.#heartbeat(now);
    while (this.#sayData(now));
    if (this.#acks.due <= now) this.#sayOnlyAcknowledgement(now);
    this.#search(now);
  }

  #heartbeat(now) {
    if (now < this.#lastAsked + this.#idleMs / 3 || this.#outgoing.holds(TYPE.HEARTBEAT)) return;
    this.#outgoing.say(TYPE.HEARTBEAT, null, { reliable: true, channel: 3, priority: 0 }, this.#room());
  }

  /** One DATA with messages, if one may leave. */
  #sayData(now) {
    const datagram = this.#limits.when(DATAGRAMS, 1, now);
    const { window, reliable, bulk } = this.#flight.allowed(now);
    const may = (item) => Math.max(
      datagram,
      item.reliable ? reliable : now,
      isFree(item) ? now : window,
      item.priority >= BULK ? bulk : now,
    );
    const { items, bytes, wake } = this.#outgoing.pick(this.#room(), now, may, this.#limits);
    this.#wake = wake;
    if (items.length === 0) return false;
    const kinds = { bounded: !items.every(isFree), bulk: items.some((item) => item.priority >= BULK) };
    const isFirst = this.#flight.roundTrip.smoothed === null;
    const wants = isFirst || kinds.bulk || items.some((item) => item.again);
    const size = this.#seal(wants ? AT_ONCE : 0, bytes, now);
    this.#flight.left(this.#sealing.sent, { items, size, ...kinds }, now);
    for (const item of items) item.again = true;
    this.#lastAsked = now;
    return true;
  }

  #seal(wants, messages, now) {
    const { ack, bits, delay } = this.#acks.fields(now);
    const head = Buffer.alloc(DATA_HEAD_BYTES);
    head.writeUInt32LE(ack, 0);
    head.writeUInt32LE(bits, 4);
    head.writeUInt16LE(delay, 8);
    head.writeUInt8(wants, 10);
    const datagram = this.#sealing.seal(KIND.DATA, Buffer.concat([head, messages]), now);
    this.#limits.draw(DATAGRAMS, 1, now);
    this.#send(datagram);
    return datagram.length;
  }

  #sayOnlyAcknowledgement(now) {
    const at = this.#limits.when(DATAGRAMS, 1, now);
    if (at <= now) this.#seal(0, Buffer.alloc(0), now);
    else this.#wake = Math.min(this.#wake, at);
  }

  #search(now) {
    if (this.#outgoing.waits || this.#limits.when(DATAGRAMS, 1, now) > now) return;
    const size = this.#flight.mtu.probe(now);
    if (size === null) return;
    const zeros = Buffer.alloc(size - HEADER_BYTES - TAG_BYTES);
    this.#send(this.#sealing.seal(KIND.PROBE, zeros, now));
    this.#limits.draw(DATAGRAMS, 1, now);
    this.#flight.left(this.#sealing.sent, { size, probe: true }, now);
    this.#lastAsked = now;
  }

  /** When `poll` has to be asked again, if nothing else happens. */
  nextAt(now) {
    if (this.state === 'closing') return this.#closing.until;
    if (this.state !== 'open') return Infinity;
    const heartbeat = this.#outgoing.holds(TYPE.HEARTBEAT) ? Infinity : this.#lastAsked + this.#idleMs / 3;
    const acks = this.#acks.due <= now ? Infinity : this.#acks.due; // an overdue one waits for its limit: #wake
    return Math.min(
      this.#lastCame + this.#idleMs,
      this.#flight.nextTimeout(now - this.#lastCame),
      heartbeat,
      acks,
      this.#wake,
      this.#outgoing.waits ? Infinity : Math.max(this.#flight.mtu.searchAt, now + 1),
    );
  }
}
