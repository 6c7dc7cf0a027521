// SPDX-License-Identifier: BSD-3-Clause
// Proofs, key agreement and sealing, by node's own cryptography. Sections 3 to 5 of PROTOCOL.md.

import {
  createCipheriv,
  createDecipheriv,
  createHash,
  createHmac,
  createPrivateKey,
  createPublicKey,
  diffieHellman,
  timingSafeEqual,
} from 'node:crypto';
import { TAG_BYTES } from './wire.js';

const hmac = (key, ...parts) => parts.reduce((state, part) => state.update(part), createHmac('sha256', key)).digest();

/** MAC(k, m): the first 16 bytes of HMAC-SHA-256. */
export const mac = (key, ...parts) => hmac(key, ...parts).subarray(0, 16);

/** Whether two byte strings of one length are the same, in a time that does not tell where they differ. */
export const same = (a, b) => a.length === b.length && timingSafeEqual(a, b);

/** Expand of HKDF-SHA-256 (RFC 5869): node's hkdfSync would extract, too. */
export function expand(secret, label, length) {
  let block = Buffer.alloc(0);
  let okm = Buffer.alloc(0);
  for (let i = 1; okm.length < length; i++) {
    block = hmac(secret, block, label, Buffer.of(i));
    okm = Buffer.concat([okm, block]);
  }
  return okm.subarray(0, length);
}

const PKCS8_X25519 = Buffer.from('302e020100300506032b656e04220420', 'hex'); // RFC 8410, in front of the 32 bytes

/** An X25519 secret of these 32 bytes, and the public value that travels. */
export function share(random) {
  const secret = createPrivateKey({ key: Buffer.concat([PKCS8_X25519, random]), format: 'der', type: 'pkcs8' });
  const { x } = createPublicKey(secret).export({ format: 'jwk' });
  return { secret, public: Buffer.from(x, 'base64url') };
}

/** X25519 of our secret and the other's public value, or null where that is 32 zeros. */
export function agree(secret, other) {
  const jwk = { kty: 'OKP', crv: 'X25519', x: other.toString('base64url') };
  try {
    return diffieHellman({ privateKey: secret, publicKey: createPublicKey({ key: jwk, format: 'jwk' }) });
  } catch {
    return null; // OpenSSL refuses to return zeros
  }
}

/** secret_0 of a connection. */
export function firstSecret({ session, key, clientNonce, serverNonce, clientShare, serverShare, agreed }) {
  const number = Buffer.alloc(4);
  number.writeUInt32LE(session);
  const th = createHash('sha256');
  for (const part of ['pollgate 2', number, clientNonce, serverNonce, clientShare, serverShare]) th.update(part);
  return hmac(th.digest(), key, agreed);
}

export const nextSecret = (secret) => expand(secret, 'pollgate update', 32);

export const keyMaterial = (secret) => expand(secret, 'pollgate keys', 40);

/** The traffic keys of the phase of `secret`, for each direction. */
export function trafficKeys(secret) {
  const okm = keyMaterial(secret);
  return {
    toGateway: { key: okm.subarray(0, 16), salt: okm.subarray(32, 36) },
    toClient: { key: okm.subarray(16, 32), salt: okm.subarray(36, 40) },
  };
}

function nonce(salt, counter) {
  const bytes = Buffer.alloc(12);
  salt.copy(bytes);
  bytes.writeBigUInt64LE(BigInt(counter), 4);
  return bytes;
}

/** AES-128-GCM of `plain`: the encrypted bytes and the tag behind them. */
export function seal({ key, salt }, counter, associated, plain) {
  const cipher = createCipheriv('aes-128-gcm', key, nonce(salt, counter));
  cipher.setAAD(associated);
  return Buffer.concat([cipher.update(plain), cipher.final(), cipher.getAuthTag()]);
}

/** What `seal` was given, or null where somebody else made it. */
export function open({ key, salt }, counter, associated, sealed) {
  const decipher = createDecipheriv('aes-128-gcm', key, nonce(salt, counter), { authTagLength: TAG_BYTES });
  decipher.setAAD(associated);
  decipher.setAuthTag(sealed.subarray(sealed.length - TAG_BYTES));
  const plain = decipher.update(sealed.subarray(0, sealed.length - TAG_BYTES));
  try {
    decipher.final();
  } catch {
    return null;
  }
  return plain;
}
