// SPDX-License-Identifier: BSD-3-Clause
// Messages: their header, their types, and what their bodies say. Section 14 of PROTOCOL.md.

import { deflateSync, inflateSync } from 'node:zlib';
import { readLimits, readSpare } from './wire.js';

export const LONGEST_BODY = 65_536;
export const PIECE_BYTES = 458;
export const MOST_PIECES = 144;
export const MOST_MESSAGES = 50;
/** A channel whose messages come in any order, and are not cut. */
export const UNORDERED = 3;

export const TYPE = Object.freeze({
  PLAYER_MOVE: 1,
  PLAYER_ATTACK: 2,
  CHAT_MESSAGE: 3,
  HEARTBEAT: 4,
  SKILL: 5,
  BULK: 7,
  LIMITS: 8,
  BUSY: 9,
  RESTARTED: 10,
  NUMBER: 11,
  PING: 12,
  PONG: 13,
  ATTACK_EVENT: 202,
  CHAT_EVENT: 203,
  SKILL_EVENT: 205,
  INVENTORY: 206,
  BULK_EVENT: 207,
  CORRECTION: 208,
});
const NAMES = Object.fromEntries(Object.entries(TYPE).map(([name, type]) => [type, name]));

const COMPRESSIBLE = new Set([TYPE.CHAT_MESSAGE, TYPE.BULK, TYPE.CHAT_EVENT, TYPE.INVENTORY, TYPE.BULK_EVENT]);
/** The game's own types, of which the first stands for all in the gateway's limits. */
export const GAME = Object.freeze({ FIRST: 64, LAST: 199 });
const isGames = (type) => type >= GAME.FIRST && type <= GAME.LAST;
export const limitedAs = (type) => (isGames(type) ? GAME.FIRST : type);
export const nameOf = (type) => NAMES[type] ?? String(type);

// ---------------------------------------------------------------- bodies

const text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

function floats(body, at, count) {
  const values = Array.from({ length: count }, (_, i) => body.readFloatLE(at + 4 * i));
  return values.every(Number.isFinite) ? values : null;
}

function writeFloats(values, count) {
  const bytes = Buffer.alloc(4 * count);
  for (let i = 0; i < count; i++) bytes.writeFloatLE(values[i], 4 * i);
  if (!floats(bytes, 0, count)) throw new RangeError(`${values} must be ${count} finite numbers of 32 bits`);
  return bytes;
}

function u32s(...values) {
  const bytes = Buffer.alloc(4 * values.length);
  values.forEach((value, i) => bytes.writeUInt32LE(value, 4 * i));
  return bytes;
}

const JUDGED = ['notJudged', 'hit', 'miss', 'tooFar', 'noTarget', 'noAttacker', 'noDirection'];

/** How an attack was judged: behind its event, where the world judges attacks. */
function readJudgement(body) {
  return {
    tick: body.readUInt32LE(0),
    parts: body.readUInt8(4),
    judged: JUDGED[body.readUInt8(5)] ?? 'other',
    isClamped: body.readUInt8(6) !== 0,
    isPlayer: body.readUInt8(7) === 0 && body.readUInt32LE(8) !== 0,
    who: body.readUInt32LE(8),
    distance: body.readUInt32LE(12),
    error: body.readUInt32LE(16),
  };
}

function readAttack(body) {
  if (body.length !== 20 && body.length !== 40) return null;
  const direction = floats(body, 8, 3);
  if (!direction) return null;
  const attack = { targetId: body.readUInt32LE(0), attackId: body.readUInt32LE(4), direction };
  return body.length === 20 ? attack : { ...attack, judgement: readJudgement(body.subarray(20)) };
}

/** The moment of the world that the player saw, if it is said: a tick and 256ths of one. */
function writeView(view) {
  if (!view) return Buffer.alloc(0);
  const bytes = Buffer.alloc(4);
  bytes.writeUInt16LE(view.tick % 65536, 0);
  bytes.writeUInt8(view.parts, 2);
  return bytes;
}

function readChat(body) {
  if (body.length < 9 || body.readUInt8(5) !== 0) return null;
  const bytes = body.readUInt16LE(6);
  if (bytes < 1 || bytes > 512 || body.length !== 8 + bytes) return null;
  try {
    return { targetId: body.readUInt32LE(0), channel: body.readUInt8(4), text: text.decode(body.subarray(8)) };
  } catch {
    return null;
  }
}

function writeChat({ targetId = 0, channel = 0, text: words }) {
  const bytes = Buffer.from(words, 'utf8');
  if (bytes.length < 1 || bytes.length > 512) throw new RangeError(`a chat has 1 to 512 bytes, not ${bytes.length}`);
  const head = Buffer.alloc(4);
  head.writeUInt8(channel, 0);
  head.writeUInt16LE(bytes.length, 2);
  return Buffer.concat([u32s(targetId), head, bytes]);
}

const readSkill = (body) =>
  body.length === 8 ? { skillId: body.readUInt32LE(0), targetId: body.readUInt32LE(4) } : null;
const readBulk = (body) =>
  body.length >= 4 && body.length <= 65_532 ? { targetId: body.readUInt32LE(0), data: body.subarray(4) } : null;
function readMotion(body) {
  const values = body.length === 24 ? floats(body, 0, 6) : null;
  return values && { position: values.slice(0, 3), velocity: values.slice(3) };
}

const WHY_REFUSED = [undefined, 'bounds', 'speed', 'acceleration'];

/** `refused`: the movement of ours that was not taken, and why; without one, the game has put us there. */
function readCorrection(body) {
  if (body.length !== 52) return readMotion(body);
  const at = readMotion(body.subarray(0, 24));
  const refused = readMotion(body.subarray(24, 48));
  return at && refused && { ...at, refused: { ...refused, why: WHY_REFUSED[body.readUInt8(48)] ?? 'other' } };
}

const readToken = (body) => (body.length === 4 ? { token: body.readUInt32LE(0) } : null);

function readLimitsMessage(body) {
  if (body.length < 4 || body.length !== 4 + 8 * body.readUInt16LE(2)) return null;
  const limits = readLimits(body.subarray(4), body.readUInt16LE(2));
  return limits && { version: body.readUInt16LE(0), limits };
}

function readBusy(body) {
  if (body.length !== 8) return null;
  return {
    counter: body.readUInt32LE(0),
    reason: body.readUInt8(4),
    type: body.readUInt8(5),
    retryMs: body.readUInt16LE(6),
  };
}

export function writeBusy({ counter, reason, type, retryMs }) {
  const bytes = Buffer.alloc(8);
  bytes.writeUInt32LE(counter, 0);
  bytes.writeUInt8(reason, 4);
  bytes.writeUInt8(type, 5);
  bytes.writeUInt16LE(retryMs, 6);
  return bytes;
}

function readRestarted(body) {
  if (body.length !== 50) return null;
  const four = (at) => [0, 1, 2, 3].map((channel) => body.readUInt16LE(at + 2 * channel));
  const seen = new Set();
  for (let n = 0; n < 256; n++) if (body.readUInt8(10 + (n >> 3)) & (1 << (n & 7))) seen.add(n);
  return { epoch: body.readUInt16LE(0), nextIn: four(2), seen, nextOut: four(42) };
}

/** An event is the body that was said, behind the player who said it. */
const readEvent = (read) => (body) => {
  const said = body.length >= 4 ? read(body.subarray(4)) : null;
  return said && { playerId: body.readUInt32LE(0), ...said };
};

/** What comes from a gateway, by its type: its body read, or null where it is not what its type says. */
const READ = {
  [TYPE.LIMITS]: readLimitsMessage,
  [TYPE.BUSY]: readBusy,
  [TYPE.RESTARTED]: readRestarted,
  [TYPE.NUMBER]: (body) => (body.length === 12 ? { spare: readSpare(body) } : null),
  [TYPE.PING]: readToken,
  [TYPE.PONG]: readToken,
  [TYPE.ATTACK_EVENT]: readEvent(readAttack),
  [TYPE.CHAT_EVENT]: readEvent(readChat),
  [TYPE.SKILL_EVENT]: readEvent(readSkill),
  [TYPE.INVENTORY]: (body) => ({ data: body }),
  [TYPE.BULK_EVENT]: readEvent(readBulk),
  [TYPE.CORRECTION]: readCorrection,
};

/** What a client says, by its type: its body in bytes. RangeError where it cannot be said. */
const WRITE = {
  [TYPE.PLAYER_MOVE]: ({ position, velocity }) => writeFloats([...position, ...velocity], 6),
  [TYPE.PLAYER_ATTACK]: ({ targetId = 0, attackId, direction, view }) =>
    Buffer.concat([u32s(targetId, attackId), writeFloats(direction, 3), writeView(view)]),
  [TYPE.CHAT_MESSAGE]: writeChat,
  [TYPE.HEARTBEAT]: () => Buffer.alloc(0),
  [TYPE.SKILL]: ({ skillId, targetId = 0 }) => u32s(skillId, targetId),
  [TYPE.BULK]: ({ targetId = 0, data }) => {
    if (data.length > 65_528) throw new RangeError(`bulk has at most 65,528 bytes, not ${data.length}`);
    return Buffer.concat([u32s(targetId), data]);
  },
  [TYPE.BUSY]: writeBusy,
  [TYPE.PING]: ({ token }) => u32s(token),
  [TYPE.PONG]: ({ token }) => u32s(token),
};

/** The body of a message that a client says; of the game's own types (64 to 199) it is bytes. */
export function writeBody(type, body) {
  if (isGames(type)) {
    if (body.length > LONGEST_BODY) throw new RangeError(`a body has at most 65,536 bytes, not ${body.length}`);
    return Buffer.from(body);
  }
  if (!WRITE[type]) throw new RangeError(`type ${nameOf(type)} is not for a client to say`);
  return WRITE[type](body ?? {});
}

/** What a whole message from a gateway says, or null where this client skips it. */
export function readBody({ type, compressed, body }) {
  const plain = compressed ? expandBody(type, body) : body;
  if (!plain) return null;
  if (isGames(type)) return { data: plain };
  return READ[type]?.(plain) ?? null;
}

// ---------------------------------------------------------------- compression

/** Length and zlib stream of `body`, where that saves at least a tenth; else null. */
export function compressBody(type, body) {
  if (!COMPRESSIBLE.has(type) || body.length === 0) return null;
  const stream = deflateSync(body);
  return 10 * (4 + stream.length) <= 9 * body.length ? Buffer.concat([u32s(body.length), stream]) : null;
}

function expandBody(type, body) {
  if (!COMPRESSIBLE.has(type) || body.length < 4) return null;
  const length = body.readUInt32LE(0);
  if (length < 1 || length > LONGEST_BODY) return null;
  try {
    const { buffer, engine } = inflateSync(body.subarray(4), { maxOutputLength: length, info: true });
    return buffer.length === length && engine.bytesWritten === body.length - 4 ? buffer : null;
  } catch {
    return null; // no zlib stream, cut short, or longer than it says
  }
}

// ---------------------------------------------------------------- headers

const FLAG = { COMPRESSED: 1, RELIABLE: 2, FRAGMENT: 4, NONE: 8 };

export const headerBytes = (reliable) => (reliable ? 6 : 4);

export function writeMessage({ type, compressed, reliable, fragment, channel, priority, id, body }) {
  const head = Buffer.alloc(headerBytes(reliable));
  head.writeUInt8(type, 0);
  head.writeUInt8(
    (compressed ? FLAG.COMPRESSED : 0) | (reliable ? FLAG.RELIABLE : 0) | (fragment ? FLAG.FRAGMENT : 0) |
      (channel << 4) | (priority << 6),
    1,
  );
  head.writeUInt16LE(body.length, 2);
  if (reliable) head.writeUInt16LE(id, 4);
  return Buffer.concat([head, body]);
}

/** The pieces of a body: its index and the number of all in front of each. */
export function cut(body) {
  const count = Math.ceil(body.length / PIECE_BYTES);
  return Array.from({ length: count }, (_, index) => {
    const head = Buffer.alloc(4);
    head.writeUInt16LE(index, 0);
    head.writeUInt16LE(count, 2);
    return Buffer.concat([head, body.subarray(index * PIECE_BYTES, (index + 1) * PIECE_BYTES)]);
  });
}

/** Index and count of a piece, or null where they, or its length, cannot be. */
function readPiece(body) {
  if (body.length < 5) return null;
  const [index, count, bytes] = [body.readUInt16LE(0), body.readUInt16LE(2), body.length - 4];
  if (count < 2 || count > MOST_PIECES || index >= count || bytes > PIECE_BYTES) return null;
  if (index < count - 1 && bytes !== PIECE_BYTES) return null;
  return index * PIECE_BYTES + bytes > LONGEST_BODY ? null : { index, count };
}

/** The messages in a datagram, or null where they break the rules of the document, which closes the connection. */
export function readMessages(bytes) {
  const messages = [];
  for (let at = 0; at < bytes.length; ) {
    if (bytes.length - at < 4 || messages.length === MOST_MESSAGES) return null;
    const flags = bytes.readUInt8(at + 1);
    const message = {
      type: bytes.readUInt8(at),
      compressed: (flags & FLAG.COMPRESSED) !== 0,
      reliable: (flags & FLAG.RELIABLE) !== 0,
      channel: (flags >> 4) & 3,
      priority: flags >> 6,
      id: null,
      piece: null,
    };
    const head = headerBytes(message.reliable);
    const end = at + head + bytes.readUInt16LE(at + 2);
    if (flags & FLAG.NONE || end > bytes.length) return null;
    if (!message.reliable && (message.channel !== 0 || flags & FLAG.FRAGMENT)) return null;
    if (message.reliable) message.id = bytes.readUInt16LE(at + 4);
    message.body = bytes.subarray(at + head, end);
    if (flags & FLAG.FRAGMENT) {
      message.piece = message.channel === UNORDERED ? null : readPiece(message.body);
      if (!message.piece) return null;
    }
    messages.push(message);
    at = end;
  }
  return messages;
}
