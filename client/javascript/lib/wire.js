// SPDX-License-Identifier: BSD-3-Clause
// Datagrams as bytes: the header of 12 bytes, and the kinds that are not sealed. Sections 2, 3 and 9 of PROTOCOL.md.

export const VERSION = 2;
export const HEADER_BYTES = 12;
export const TAG_BYTES = 16;
/** What every path carries, and the sizes that are tried above it. */
export const LEAST_DATAGRAM = 508;
export const SIZES = [1400, 1232, 1000, LEAST_DATAGRAM];

export const KIND = Object.freeze({
  HELLO: 1,
  CHALLENGE: 2,
  CONFIRM: 3,
  WELCOME: 4,
  DATA: 5,
  CLOSE: 6,
  PATH_CHALLENGE: 7,
  PATH_RESPONSE: 8,
  DENIED: 9,
  RESET: 10,
  PROBE: 11,
});

export const DENIED = Object.freeze({ 2: 'version', 3: 'expired', 4: 'revoked', 5: 'consumed', 6: 'full' });
const CLOSED = Object.freeze({
  1: 'left',
  2: 'idle',
  3: 'expired',
  4: 'revoked',
  5: 'replaced',
  7: 'protocol',
  8: 'restarted',
  9: 'shutdown',
  10: 'kicked',
});
/** Reasons from here on are the game's own, and so much more than it says: it kicked the player. */
const CLOSED_BY_GAME = 128;
/** What a user is told of a CLOSE: why, and of a kick the game's own reason, if it says one. */
export const toldOf = (reason) =>
  reason >= CLOSED_BY_GAME
    ? { reason: CLOSED[10], kickReason: reason - CLOSED_BY_GAME }
    : { reason: CLOSED[reason] ?? String(reason) };
export const CLOSE = Object.freeze({ LEFT: 1, IDLE: 2, PROTOCOL: 7, RESTARTED: 8 });

/** The lengths that a datagram from a gateway may have, by its kind: at least, at most. */
const FROM_GATEWAY = {
  [KIND.CHALLENGE]: [68, 68],
  [KIND.WELCOME]: [LEAST_DATAGRAM, SIZES[0]],
  [KIND.DATA]: [40, SIZES[0]],
  [KIND.CLOSE]: [36, 36],
  [KIND.PATH_CHALLENGE]: [36, 36],
  [KIND.DENIED]: [48, 48],
  [KIND.RESET]: [28, 28],
  [KIND.PROBE]: [40, SIZES[0]],
};
const UNSEALED = new Set([KIND.CHALLENGE, KIND.DENIED, KIND.RESET]);

/** A datagram of zeros behind its header. */
export function blank(kind, length, session, counter = 0, flags = 0) {
  const datagram = Buffer.alloc(length);
  datagram.writeUInt8(kind, 0);
  datagram.writeUInt8(flags, 1);
  datagram.writeUInt16LE(length, 2);
  datagram.writeUInt32LE(session >>> 0, 4);
  datagram.writeUInt32LE(counter >>> 0, 8);
  return datagram;
}

/** The header of what a gateway sent, or null where it is none: another kind, length, flag or counter. */
export function readHeader(datagram) {
  if (datagram.length < HEADER_BYTES) return null;
  const header = {
    kind: datagram.readUInt8(0),
    flags: datagram.readUInt8(1),
    length: datagram.readUInt16LE(2),
    session: datagram.readUInt32LE(4),
    counter: datagram.readUInt32LE(8),
  };
  const lengths = FROM_GATEWAY[header.kind];
  if (!lengths || header.length !== datagram.length) return null;
  if (header.length < lengths[0] || header.length > lengths[1]) return null;
  if (header.flags & ~1) return null;
  if (UNSEALED.has(header.kind) && (header.flags !== 0 || header.counter !== 0)) return null;
  return header;
}

export const isZero = (bytes) => bytes.every((byte) => byte === 0);

export function hello(session, nonce) {
  const datagram = blank(KIND.HELLO, 72, session);
  datagram.writeUInt16LE(VERSION, 12);
  nonce.copy(datagram, 16);
  return datagram;
}

/** A CONFIRM without its proof, which covers all that is before it. */
export function confirm(session, size, { nonce, cookie, share }) {
  const datagram = blank(KIND.CONFIRM, size, session);
  datagram.writeUInt16LE(VERSION, 12);
  datagram.writeUInt16LE(size, 14);
  nonce.copy(datagram, 16);
  cookie.copy(datagram, 32);
  share.copy(datagram, 56);
  return datagram;
}

export function readChallenge(datagram) {
  return {
    nonce: datagram.subarray(12, 28),
    cookie: datagram.subarray(28, 52),
    proved: datagram.subarray(0, 52),
    proof: datagram.subarray(52),
  };
}

export function readDenied(datagram) {
  return {
    nonce: datagram.subarray(12, 28),
    reason: datagram.readUInt8(28),
    versions: [...datagram.subarray(29, 32)].filter((version) => version !== 0),
    proved: datagram.subarray(0, 32),
    proof: datagram.subarray(32),
  };
}

/** Entries of limits, 8 bytes each, or null where they are none. Both WELCOME and LIMITS have them. */
export function readLimits(bytes, count) {
  if (count > 48 || bytes.length < 8 * count) return null;
  const limits = [];
  for (let at = 0; at < 8 * count; at += 8) {
    if (bytes.readUInt8(at + 1) !== 0) return null;
    limits.push({
      type: bytes.readUInt8(at),
      burst: bytes.readUInt16LE(at + 2),
      perMinute: bytes.readUInt32LE(at + 4),
    });
  }
  return new Set(limits.map((limit) => limit.type)).size === count ? limits : null;
}

/** What WELCOME seals (its bytes from 60 on), or null where it is not as it has to be. */
export function readWelcome(plain, length) {
  const count = plain.readUInt16LE(14);
  if (count > 48) return null;
  const limits = readLimits(plain.subarray(44), count);
  if (!limits || plain.readUInt16LE(12) !== length || !isZero(plain.subarray(44 + 8 * count))) return null;
  return {
    playerId: plain.readUInt32LE(0),
    expiresInS: plain.readUInt32LE(4),
    idleTimeoutMs: plain.readUInt32LE(8),
    maxDatagram: length,
    resetToken: Buffer.from(plain.subarray(16, 32)),
    spare: readSpare(plain.subarray(32, 44)),
    limits,
  };
}

/** Another visible number, with what is added to the counters under it; null: none is given. */
export function readSpare(bytes) {
  const number = bytes.readUInt32LE(0);
  return number === 0 ? null : { number, out: bytes.readUInt32LE(4), in: bytes.readUInt32LE(8) };
}
