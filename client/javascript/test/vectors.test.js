// SPDX-License-Identifier: BSD-3-Clause
// The test vectors beside PROTOCOL.md: replay windows, sealed datagrams, and what becomes of messages.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { Incoming } from '../lib/incoming.js';
import * as keys from '../lib/keys.js';
import { TYPE, readBody, readMessages } from '../lib/messages.js';
import { ReplayWindow } from '../lib/replay.js';
import { HEADER_BYTES, KIND, readHeader } from '../lib/wire.js';

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
  if (type === TYPE.HEARTBEAT) return plain.length === 0;
  if (type === TYPE.PING) return readBody({ type, body: plain }) !== null;
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

for (const { name, steps } of vectors.replay) {
  test(`replay window: ${name}`, () => {
    const window = new ReplayWindow();
    for (const { counter, fresh } of steps) {
      assert.equal(window.fresh(counter), fresh, `${counter}`);
      if (fresh) window.add(counter);
    }
  });
}

function opens(vector, datagram) {
  const direction = { key: hex(vector.key), salt: hex(vector.salt) };
  const associated = datagram.subarray(0, vector.clear_bytes);
  const sealed = datagram.subarray(vector.clear_bytes);
  const secret = hex(vector.secret);
  assert.ok(vector.clear_bytes === HEADER_BYTES || vector.kind === 'WELCOME');
  assert.deepEqual(keys.open(direction, vector.counter, associated, sealed), secret);
  assert.deepEqual(keys.seal(direction, vector.counter, associated, secret), sealed);
}

for (const vector of vectors.datagrams) {
  test(`datagram: ${vector.name}`, () => {
    const datagram = hex(vector.datagram);
    assert.equal(datagram.readUInt8(0), KIND[vector.kind]);
    assert.equal(datagram.readUInt16LE(2), datagram.length);
    if (!vector.key) return;
    if (!vector.from_client) assert.equal(readHeader(datagram).kind, KIND[vector.kind]);
    opens(vector, datagram);
  });
}
