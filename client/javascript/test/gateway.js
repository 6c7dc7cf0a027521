// SPDX-License-Identifier: BSD-3-Clause
// A gateway for these tests, as plain as can be: it repeats by a fixed time, and does what a test tells it to.

import * as keys from '../lib/keys.js';
import { cut, readMessages, writeMessage } from '../lib/messages.js';
import { KIND, blank } from '../lib/wire.js';

const AGAIN_MS = 300;
const ACK_MS = 25;
const LABEL = { challenge: 'pollgate challenge', confirm: 'pollgate confirm', denied: 'pollgate denied' };

/** The gateway's half of one connection. */
class Side {
  sent = 0;
  phase = 0; // of what it sends and, but for a moment, of what comes
  came = new Set();
  taken = new Set();
  newest = 0;
  ackAt = Infinity;
  delivered = []; // { type, channel, body } in the order of delivery
  nextIn = [0, 0, 0, 0];
  held = [new Map(), new Map(), new Map(), new Map()];
  nextOut = [0, 0, 0, 0];
  open = []; // reliable messages that are not acknowledged: { message, counters, at }
  once = []; // what is not reliable and waits
  probes = new Map();
  acknowledged = new Set();
  epoch = 0;
  restartedIn = []; // counters of DATA with RESTARTED; null: none is needed
  out = 0; // offsets of the present number
  in = 0;
}

export class Gateway {
  #options;
  #records = new Map(); // by number
  #cookies = 0;
  /** What a test looks at. */
  counts = { hellos: 0, confirms: 0, data: 0, broken: 0 };
  /** What it refuses: (message, side) => { reason, retryMs } or null. */
  refuse = () => null;

  constructor({ random, send, ...options }) {
    this.random = random;
    this.send = send;
    this.#options = {
      limits: [], idleTimeoutMs: 30_000, most: 1400, spares: false, denies: null, secret: Buffer.alloc(32, 9),
      ...options,
    };
  }

  issue(session, key) {
    this.#records.set(session, { session, key, side: null, spares: [] });
  }

  record(session) {
    return [...this.#records.values()].find((r) => r.session === session || r.side?.spare?.number === session);
  }

  /** The connection of the only session that the tests have. */
  get side() {
    return [...this.#records.values()][0].side;
  }

  receive(from, datagram, now) {
    const kind = datagram.readUInt8(0);
    const record = this.record(datagram.readUInt32LE(4));
    if (!record || datagram.readUInt16LE(2) !== datagram.length) return;
    if (kind === KIND.HELLO) this.#hello(record, from, datagram, now);
    else if (kind === KIND.CONFIRM) this.#confirm(record, from, datagram, now);
    else this.#sealed(kind, record, from, datagram, now);
  }

  // ---------------------------------------------------------------- handshake

  #hello(record, from, datagram, now) {
    this.counts.hellos++;
    if (datagram.length !== 72 || datagram.readUInt16LE(12) !== 2) throw new Error('a HELLO that is none');
    const challenge = blank(KIND.CHALLENGE, 68, record.session);
    datagram.copy(challenge, 12, 16, 32);
    this.#cookie(record, from, datagram.subarray(16, 32), ++this.#cookies, now).copy(challenge, 28);
    keys.mac(record.key, LABEL.challenge, challenge.subarray(0, 52)).copy(challenge, 52);
    this.send(from, challenge);
  }

  /** u32 number ‖ u32 time ‖ MAC: for a client 24 bytes that say nothing. */
  #cookie(record, from, nonce, number, now) {
    const cookie = Buffer.alloc(24);
    cookie.writeUInt32LE(number, 0);
    cookie.writeUInt32LE(now >>> 0, 4);
    keys.mac(this.#options.secret, `${record.session} ${from} `, nonce, cookie.subarray(0, 8)).copy(cookie, 8);
    return cookie;
  }

  #confirm(record, from, datagram, now) {
    this.counts.confirms++;
    const [nonce, cookie] = [datagram.subarray(16, 32), datagram.subarray(32, 56)];
    const end = datagram.length - 16;
    if (datagram.readUInt16LE(14) !== datagram.length) throw new Error('a CONFIRM of another length');
    const [number, made] = [cookie.readUInt32LE(0), cookie.readUInt32LE(4)];
    if (!this.#cookie(record, from, nonce, number, made).equals(cookie) || now - made > 4000) return;
    const proof = keys.mac(record.key, LABEL.confirm, datagram.subarray(0, end));
    if (!proof.equals(datagram.subarray(end))) throw new Error('a CONFIRM without its proof');
    if (this.#options.denies) {
      this.send(from, this.denied(record, nonce, this.#options.denies));
      return;
    }
    const request = datagram.subarray(16, 88);
    const before = record.side;
    if (before?.request.equals(request)) {
      if (!before.tookData) before.size = Math.min(before.size, datagram.length);
    } else if (before && number <= before.cookie) return;
    else record.side = this.#connect(record, from, request, number, Math.min(datagram.length, this.#options.most));
    this.#welcome(record);
  }

  #connect(record, from, request, cookie, size) {
    const own = keys.share(this.random(32));
    const serverNonce = this.random(16);
    const clientShare = Buffer.from(request.subarray(40));
    const secret = keys.firstSecret({
      session: record.session, key: record.key, agreed: keys.agree(own.secret, clientShare),
      clientNonce: request.subarray(0, 16), serverNonce, clientShare, serverShare: own.public,
    });
    const spare = this.#options.spares ? this.#newSpare() : null;
    return Object.assign(new Side(), {
      request: Buffer.from(request), cookie, size, address: from, number: record.session, spare, serverNonce,
      secrets: [secret], share: own.public, resetToken: this.random(16), tookData: false, restartedIn: null,
    });
  }

  #newSpare() {
    return {
      number: (0x07000000 | this.random(3).readUIntLE(0, 3)) >>> 0,
      out: this.random(4).readUInt32LE(0), in: this.random(4).readUInt32LE(0),
    };
  }

  #welcome({ side, session }) {
    const datagram = blank(KIND.WELCOME, side.size, session, ++side.sent);
    side.serverNonce.copy(datagram, 12);
    side.share.copy(datagram, 28);
    const plain = Buffer.alloc(side.size - 76);
    const { limits, idleTimeoutMs } = this.#options;
    [7, 3600, idleTimeoutMs].forEach((value, i) => plain.writeUInt32LE(value, 4 * i));
    plain.writeUInt16LE(side.size, 12);
    plain.writeUInt16LE(limits.length, 14);
    side.resetToken.copy(plain, 16);
    if (side.spare) spareBytes(side.spare).copy(plain, 32);
    limits.forEach((limit, i) => limitBytes(limit).copy(plain, 44 + 8 * i));
    const associated = datagram.subarray(0, 60);
    keys.seal(this.#keys(side, 0).toClient, side.sent, associated, plain).copy(datagram, 60);
    this.send(side.address, datagram);
  }

  denied(record, nonce, reason) {
    const datagram = blank(KIND.DENIED, 48, record.session);
    nonce.copy(datagram, 12);
    datagram.writeUInt8(reason, 28);
    datagram.writeUInt8(reason === 2 ? 3 : 2, 29);
    if (reason !== 2) keys.mac(record.key, LABEL.denied, datagram.subarray(0, 32)).copy(datagram, 32);
    return datagram;
  }

  reset() {
    const [record] = this.#records.values();
    const datagram = blank(KIND.RESET, 28, record.session);
    record.side.resetToken.copy(datagram, 12);
    return datagram;
  }

  // ---------------------------------------------------------------- sealed datagrams

  #keys(side, phase) {
    while (side.secrets.length <= phase) side.secrets.push(keys.nextSecret(side.secrets.at(-1)));
    return keys.trafficKeys(side.secrets[phase]);
  }

  seal(kind, plain, side = this.side) {
    const counter = ++side.sent;
    const head = blank(kind, 28 + plain.length, side.number, counter + side.in, side.phase & 1).subarray(0, 12);
    const direction = this.#keys(side, side.phase).toClient;
    return Buffer.concat([head, keys.seal(direction, counter, head, plain)]);
  }

  #sealed(kind, record, from, datagram, now) {
    const { side } = record;
    if (!side) return;
    const number = datagram.readUInt32LE(4);
    const isSpare = number === side.spare?.number;
    const counter = (datagram.readUInt32LE(8) - (isSpare ? side.spare.out : side.out)) >>> 0;
    const flag = datagram.readUInt8(1);
    const phases = [side.phase, side.phase + 1, side.phase - 1].filter((n) => n >= 0 && (n & 1) === flag);
    const opened = phases
      .map((n) => {
        const { toGateway } = this.#keys(side, n);
        return [n, keys.open(toGateway, counter, datagram.subarray(0, 12), datagram.subarray(12))];
      })
      .find(([, plain]) => plain);
    if (!opened || side.came.has(counter)) return;
    side.came.add(counter);
    side.tookData = true;
    side.phase = Math.max(side.phase, opened[0]);
    if (isSpare) this.#moved(record, side, from);
    if (kind === KIND.DATA) this.#data(side, counter, opened[1], now);
    else this.#take(side, counter, kind === KIND.PROBE, now);
    if (kind === KIND.CLOSE) side.closed = opened[1].readUInt8(0);
    if (kind === KIND.PATH_RESPONSE) side.answered = opened[1];
    if (kind === KIND.PROBE) side.probes.set(counter, datagram.length);
  }

  #moved(record, side, from) {
    const { spare } = side;
    Object.assign(side, { number: spare.number, out: spare.out, in: spare.in, address: from, spare: this.#newSpare() });
    this.say(11, spareBytes(side.spare), { channel: 3 });
  }

  #take(side, counter, asks, now) {
    side.taken.add(counter);
    if (counter > side.newest) side.newestAt = now;
    side.newest = Math.max(side.newest, counter);
    if (asks) side.ackAt = Math.min(side.ackAt, now + ACK_MS);
  }

  #data(side, counter, plain, now) {
    this.counts.data++;
    const ack = plain.readUInt32LE(0);
    if (ack > side.sent) throw new Error('an acknowledgement of what was not sent');
    const bits = plain.readUInt32LE(4);
    side.acknowledged.add(ack);
    for (let n = 0; n < 32; n++) if (bits & (1 << n)) side.acknowledged.add(ack - 1 - n);
    side.open = side.open.filter(({ counters }) => !counters.some((one) => side.acknowledged.has(one)));
    if (side.restartedIn?.some((one) => side.acknowledged.has(one))) side.restartedIn = null;
    const messages = readMessages(plain.subarray(12));
    if (!messages) throw new Error('messages that are none');
    let refused = null;
    const closed = new Set();
    for (const message of messages) {
      const answer = this.refuse(message, side);
      if (message.reliable && (answer || closed.has(message.channel))) {
        refused ??= { counter, type: message.type, ...answer };
        closed.add(message.channel);
      } else if (message.reliable) this.#order(side, message);
      else side.delivered.push(message);
    }
    if (refused) this.say(9, busyBytes(refused), { reliable: false });
    else this.#take(side, counter, messages.length > 0, now);
    if (plain.readUInt8(10) & 1 && messages.length) side.ackAt = now;
  }

  #order(side, message) {
    const { channel, id } = message;
    const before = (id - side.nextIn[channel]) & 0xffff;
    if (before >= 0x8000 || side.held[channel].has(id)) return;
    side.held[channel].set(id, { ...message, body: Buffer.from(message.body) });
    if (channel === 3) side.delivered.push(side.held[3].get(id));
    for (let next; (next = side.held[channel].get(side.nextIn[channel])); ) {
      if (channel < 3 && !this.#deliver(side, channel, next)) return;
      side.held[channel].delete(side.nextIn[channel]);
      side.nextIn[channel] = (side.nextIn[channel] + 1) & 0xffff;
    }
  }

  /** Whether `next` was the last piece that was missing, or whole. */
  #deliver(side, channel, next) {
    if (!next.piece) {
      side.delivered.push(next);
      return true;
    }
    const ids = Array.from({ length: next.piece.count }, (_, n) => (side.nextIn[channel] + n) & 0xffff);
    const pieces = ids.map((id) => side.held[channel].get(id));
    if (!pieces.every(Boolean)) return false;
    side.delivered.push({ ...next, body: Buffer.concat(pieces.map((piece) => piece.body.subarray(4))) });
    ids.slice(0, -1).forEach((id) => side.held[channel].delete(id));
    side.nextIn[channel] = ids.at(-1);
    return true;
  }

  // ---------------------------------------------------------------- what it says

  /** Bytes of a body, or of its pieces, to the player. */
  say(type, body, { reliable = true, channel = 0, priority = 1, compressed = false } = {}) {
    const { side } = this;
    const whole = { type, reliable, channel, priority, compressed };
    if (!reliable) {
      side.once.push({ ...whole, channel: 0, fragment: false, body });
      return;
    }
    const parts = body.length > 458 && channel < 3 ? cut(body) : [body];
    for (const part of parts) {
      const id = side.nextOut[channel];
      side.nextOut[channel] = (id + 1) & 0xffff;
      const message = { ...whole, id, fragment: parts.length > 1, body: part };
      side.open.push({ message, counters: [], at: -Infinity });
    }
  }

  /** A process dies: what another one finds of each connection. */
  crash() {
    const old = this.side;
    const kept = ['request', 'cookie', 'size', 'address', 'number', 'spare', 'serverNonce', 'secrets', 'share',
      'resetToken', 'tookData', 'sent', 'phase', 'came', 'delivered', 'nextIn', 'nextOut', 'out', 'in', 'newest'];
    const [record] = this.#records.values();
    record.side = Object.assign(new Side(), Object.fromEntries(kept.map((name) => [name, old[name]])));
    record.side.epoch = old.epoch + 1;
    record.side.seen = [...old.held[3].keys()];
    for (const id of record.side.seen) record.side.held[3].set(id, {});
    record.side.restartedIn = [];
  }

  #restarted(side) {
    const body = Buffer.alloc(50);
    body.writeUInt16LE(side.epoch, 0);
    side.nextIn.forEach((id, channel) => body.writeUInt16LE(id, 2 + 2 * channel));
    for (const id of side.seen) {
      const n = (id - side.nextIn[3]) & 0xffff;
      if (n < 256) body[10 + (n >> 3)] |= 1 << (n & 7);
    }
    side.nextOut.forEach((id, channel) => body.writeUInt16LE(id, 42 + 2 * channel));
    return { type: 10, reliable: false, channel: 0, priority: 0, body };
  }

  poll(now) {
    const { side } = this;
    if (!side?.tookData || this.silent) return;
    const due = side.open.filter(({ at }) => at + AGAIN_MS <= now).slice(0, 30);
    while (due.length || side.once.length || side.ackAt <= now) {
      const messages = side.restartedIn ? [this.#restarted(side)] : [];
      let room = 468 - (messages.length ? 54 : 0);
      while (side.once.length && side.once[0].body.length + 4 <= room) {
        room -= side.once[0].body.length + 4;
        messages.push(side.once.shift());
      }
      while (due.length && due[0].message.body.length + 6 <= room) {
        const entry = due.shift();
        room -= entry.message.body.length + 6;
        entry.counters.push(side.sent + 1);
        entry.at = now;
        messages.push(entry.message);
      }
      this.#say(side, messages, now);
    }
  }

  #say(side, messages, now) {
    const head = Buffer.alloc(12);
    head.writeUInt32LE(side.newest, 0);
    let bits = 0;
    for (let n = 0; n < 32; n++) if (side.taken.has(side.newest - 1 - n)) bits |= 1 << n;
    head.writeUInt32LE(bits >>> 0, 4);
    const delay = side.newestAt === undefined ? Infinity : Math.round((now - side.newestAt) * 16);
    head.writeUInt16LE(Math.min(delay, 65_535), 8);
    side.ackAt = Infinity;
    side.restartedIn?.push(side.sent + 1);
    this.send(side.address, this.seal(KIND.DATA, Buffer.concat([head, ...messages.map(writeMessage)]), side));
  }

  nextAt(now) {
    const { side } = this;
    if (!side?.tookData || this.silent) return Infinity;
    if (side.once.length) return now;
    return Math.min(side.ackAt, ...side.open.map(({ at }) => Math.max(at + AGAIN_MS, now)));
  }
}

export function limitBytes({ type, burst, perMinute }) {
  const bytes = Buffer.alloc(8);
  bytes.writeUInt8(type, 0);
  bytes.writeUInt16LE(burst, 2);
  bytes.writeUInt32LE(perMinute, 4);
  return bytes;
}

export function spareBytes({ number, out, in: back }) {
  const bytes = Buffer.alloc(12);
  [number, out, back].forEach((value, i) => bytes.writeUInt32LE(value, 4 * i));
  return bytes;
}

function busyBytes({ counter, reason, type, retryMs }) {
  const bytes = Buffer.alloc(8);
  bytes.writeUInt32LE(counter, 0);
  bytes.writeUInt8(reason ?? 1, 4);
  bytes.writeUInt8(type, 5);
  bytes.writeUInt16LE(retryMs ?? 100, 6);
  return bytes;
}
