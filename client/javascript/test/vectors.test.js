// SPDX-License-Identifier: BSD-3-Clause
// The test vectors beside PROTOCOL.md, every one of them.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { Incoming } from '../lib/incoming.js';
import * as keys from '../lib/keys.js';
import { GAME, TYPE, readBody, readMessages } from '../lib/messages.js';
import { ReplayWindow } from '../lib/replay.js';
import {
  HEADER_BYTES, KIND, LEAST_DATAGRAM, TAG_BYTES, confirm, hello, readChallenge, readDenied, readHeader, readWelcome,
} from '../lib/wire.js';

const path = new URL('../../../dpdk_app/wire/session_vectors.json', import.meta.url);
const vectors = JSON.parse(readFileSync(path));
const hex = (text) => Buffer.from(text, 'hex');

/** What a client says, as its receiver reads it: this client reads the events that come of it, and so their bodies. */
function isRead({ type, compressed, body }) {
  const mayCompress = [TYPE.CHAT_MESSAGE, TYPE.BULK].includes(type);
  if (compressed && !mayCompress) return false;
  const plain = compressed ? readBody({ type: TYPE.INVENTORY, compressed, body })?.data : body;
  if (!plain) return false;
  if (type === TYPE.PLAYER_MOVE) {
    return plain.length === 24 && [0, 4, 8, 12, 16, 20].every((at) => Number.isFinite(plain.readFloatLE(at)));
  }
  if (type >= GAME.FIRST && type <= GAME.LAST) return readBody({ type, body: plain }) !== null;
  if (type === TYPE.HEARTBEAT) return plain.length === 0;
  if (type === TYPE.PING) return readBody({ type, body: plain }) !== null;
  if (type === TYPE.PLAYER_ATTACK && plain.length === 24) {
    // What the player saw follows, and no event has that.
    return plain[23] === 0 && isRead({ type, compressed, body: plain.subarray(0, 20) });
  }
  if (type === TYPE.PLAYER_ATTACK && plain.length !== 20) return false;
  const isEvents = [TYPE.PLAYER_ATTACK, TYPE.CHAT_MESSAGE, TYPE.SKILL, TYPE.BULK].includes(type);
  return isEvents && readBody({ type: type + 200, body: Buffer.concat([Buffer.alloc(4), plain]) }) !== null;
}

function fate(bytes) {
  const messages = readMessages(bytes);
  const taken = messages && new Incoming().take(messages);
  if (!taken) return 'closes';
  if (taken.refused) return 'refused';
  return taken.whole.every(isRead) ? 'taken' : 'skipped';
}

for (const vector of vectors.data) {
  test(`messages: ${vector.name}`, () => assert.equal(fate(hex(vector.secret)), vector.fate));
}

test('each list of vectors that there is is checked here', () => {
  const lists = Object.keys(vectors).filter((name) => Array.isArray(vectors[name]));
  assert.deepEqual(lists.sort(), ['data', 'datagrams', 'derive', 'exchange', 'numbers', 'replay']);
});

for (const [i, vector] of vectors.exchange.entries()) {
  test(`key agreement ${i}`, () => {
    const [client, server] = [keys.share(hex(vector.client_secret)), keys.share(hex(vector.server_secret))];
    assert.deepEqual(client.public, hex(vector.client_share));
    assert.deepEqual(server.public, hex(vector.server_share));
    assert.deepEqual(keys.agree(client.secret, server.public), hex(vector.agreed));
    assert.deepEqual(keys.agree(server.secret, client.public), hex(vector.agreed));
  });
}

for (const [i, vector] of vectors.derive.entries()) {
  test(`keys of connection ${i}`, () => {
    const secret = keys.firstSecret({
      session: vector.session,
      key: hex(vector.key),
      clientNonce: hex(vector.client_nonce),
      serverNonce: hex(vector.server_nonce),
      clientShare: hex(vector.client_share),
      serverShare: hex(vector.server_share),
      agreed: hex(vector.agreed),
    });
    assert.deepEqual(secret, hex(vector.secret));
    assert.deepEqual(keys.nextSecret(secret), hex(vector.next_secret));
    const { toGateway, toClient } = keys.trafficKeys(secret);
    assert.deepEqual(toGateway, { key: hex(vector.client_key), salt: hex(vector.client_salt) });
    assert.deepEqual(toClient, { key: hex(vector.gateway_key), salt: hex(vector.gateway_salt) });
  });
}

for (const vector of vectors.numbers) {
  test(`number: ${vector.name}`, () => {
    const { kind, session, counter } = readHeader(hex(vector.datagram));
    assert.deepEqual({ kind, session, counter: (counter - vector.offset) >>> 0 }, {
      kind: KIND.DATA, session: vector.spare, counter: vector.counter,
    });
    opens({ ...vector, kind: 'DATA', clear_bytes: HEADER_BYTES }, hex(vector.datagram));
  });
}

for (const { name, steps } of vectors.replay) {
  test(`replay window: ${name}`, () => {
    const window = new ReplayWindow();
    for (const { counter, fresh } of steps) {
      assert.equal(window.fresh(counter), fresh, `${counter}`);
      if (fresh) window.add(counter);
    }
  });
}

/** What this client does with a datagram of a kind that is not sealed. */
const UNSEALED = {
  HELLO({ session }, datagram) {
    assert.deepEqual(hello(session, datagram.subarray(16, 32)), datagram);
  },
  CONFIRM({ session, proof_key }, datagram) {
    const end = datagram.length - TAG_BYTES;
    const [nonce, cookie, share] = [[16, 32], [32, 56], [56, 88]].map((range) => datagram.subarray(...range));
    const made = confirm(session, datagram.length, { nonce, cookie, share });
    keys.mac(hex(proof_key), 'pollgate confirm', made.subarray(0, end)).copy(made, end);
    assert.deepEqual(made, datagram);
  },
  CHALLENGE({ proof_key }, datagram) {
    const { proved, proof } = readChallenge(datagram);
    assert.deepEqual(keys.mac(hex(proof_key), 'pollgate challenge', proved), proof);
  },
  DENIED({ proof_key }, datagram) {
    const { reason, proved, proof } = readDenied(datagram);
    const right = reason === 2 ? Buffer.alloc(16) : keys.mac(hex(proof_key), 'pollgate denied', proved);
    assert.deepEqual(proof, right);
  },
  RESET(vector, datagram) {
    assert.equal(datagram.length, 28);
  },
};

function opens(vector, datagram) {
  const direction = { key: hex(vector.key), salt: hex(vector.salt) };
  const associated = datagram.subarray(0, vector.clear_bytes);
  const sealed = datagram.subarray(vector.clear_bytes);
  const secret = hex(vector.secret);
  assert.equal(vector.clear_bytes, vector.kind === 'WELCOME' ? 60 : HEADER_BYTES);
  assert.deepEqual(keys.open(direction, vector.counter, associated, sealed), secret);
  assert.deepEqual(keys.seal(direction, vector.counter, associated, secret), sealed);
  if (vector.kind === 'WELCOME') assert.ok(readWelcome(secret, datagram.length).maxDatagram >= LEAST_DATAGRAM);
}

for (const vector of vectors.datagrams) {
  test(`datagram: ${vector.name}`, () => {
    const datagram = hex(vector.datagram);
    assert.equal(datagram.readUInt8(0), KIND[vector.kind]);
    assert.equal(datagram.readUInt16LE(2), datagram.length);
    if (!vector.from_client) assert.equal(readHeader(datagram).kind, KIND[vector.kind]);
    if (vector.key) opens(vector, datagram);
    else UNSEALED[vector.kind](vector, datagram);
  });
}
