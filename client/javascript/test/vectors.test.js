// SPDX-License-Identifier: BSD-3-Clause
// The test vectors beside PROTOCOL.md: replay windows and sealed datagrams.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import * as keys from '../lib/keys.js';
import { ReplayWindow } from '../lib/replay.js';
import { HEADER_BYTES, KIND, readHeader } from '../lib/wire.js';

const vectors = JSON.parse(readFileSync(new URL('../../../dpdk_app/wire/session_vectors.json', import.meta.url)));
const hex = (text) => Buffer.from(text, 'hex');

for (const { name, steps } of vectors.replay) {
  test(`replay window: ${name}`, () => {
    const window = new ReplayWindow();
    for (const { counter, fresh } of steps) {
      assert.equal(window.fresh(counter), fresh, `${counter}`);
      if (fresh) window.add(counter);
    }
  });
}

for (const vector of vectors.datagrams) {
  test(`datagram: ${vector.name}`, () => {
    const datagram = hex(vector.datagram);
    assert.equal(datagram.readUInt8(0), KIND[vector.kind]);
    assert.equal(datagram.readUInt16LE(2), datagram.length);
    assert.equal(datagram.readUInt32LE(4), vector.session);
    if (!vector.key) return;
    if (!vector.from_client) assert.equal(readHeader(datagram).kind, KIND[vector.kind]);
    const direction = { key: hex(vector.key), salt: hex(vector.salt) };
    const associated = datagram.subarray(0, vector.clear_bytes);
    const sealed = datagram.subarray(vector.clear_bytes);
    const secret = hex(vector.secret);
    assert.ok(vector.clear_bytes === HEADER_BYTES || vector.kind === 'WELCOME');
    assert.deepEqual(keys.open(direction, vector.counter, associated, sealed), secret);
    assert.deepEqual(keys.seal(direction, vector.counter, associated, secret), sealed);
  });
}
