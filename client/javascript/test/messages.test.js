// SPDX-License-Identifier: BSD-3-Clause
// Messages as bytes: what is said comes back, and whatever else comes, nothing throws.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { deflateSync } from 'node:zlib';
import { Incoming } from '../lib/incoming.js';
import { TYPE, compressBody, readBody, readMessages, writeBody, writeMessage } from '../lib/messages.js';
import { bytesOf, dice } from './world.js';

const event = (type, body) => Buffer.concat([Buffer.from([7, 0, 0, 0]), writeBody(type, body)]);
const read = (type, body, compressed = false) => readBody({ type, body, compressed });
const packed = (length, stream) => {
  const head = Buffer.alloc(4);
  head.writeUInt32LE(length);
  return Buffer.concat([head, stream]);
};

test('what is said to another player comes back as its event', () => {
  const attack = { targetId: 8, attackId: 77, direction: [0, 1, -1] };
  assert.deepEqual(read(TYPE.ATTACK_EVENT, event(TYPE.PLAYER_ATTACK, attack)), { playerId: 7, ...attack });
  const chat = { targetId: 8, channel: 3, text: '\ufeffhéllo\0✓' };
  assert.deepEqual(read(TYPE.CHAT_EVENT, event(TYPE.CHAT_MESSAGE, chat)), { playerId: 7, ...chat });
  const skill = { skillId: 9, targetId: 8 };
  assert.deepEqual(read(TYPE.SKILL_EVENT, event(TYPE.SKILL, skill)), { playerId: 7, ...skill });
  const bulk = { targetId: 8, data: Buffer.alloc(65_528, 1) };
  assert.deepEqual(read(TYPE.BULK_EVENT, event(TYPE.BULK, bulk)), { playerId: 7, ...bulk });
});

test('a correction says where the player is put', () => {
  const motion = { position: [1, -2.5, 0.125], velocity: [3, 0, -1] };
  const body = writeBody(TYPE.PLAYER_MOVE, motion);
  assert.deepEqual(read(TYPE.CORRECTION, body), motion);
  body.writeFloatLE(NaN, 20);
  assert.equal(read(TYPE.CORRECTION, body), null);
  for (const length of [0, 23, 25, 51, 53]) assert.equal(read(TYPE.CORRECTION, Buffer.alloc(length)), null);
});

test('a correction may say which movement was refused, and why', () => {
  const motion = { position: [1, -2.5, 0.125], velocity: [3, 0, -1] };
  const refused = { position: [90, -2.5, 0.125], velocity: [300, 0, -1] };
  const said = (why) =>
    Buffer.concat([writeBody(TYPE.PLAYER_MOVE, motion), writeBody(TYPE.PLAYER_MOVE, refused), Buffer.from([why, 0, 0, 0])]);
  assert.deepEqual(read(TYPE.CORRECTION, said(2)), { ...motion, refused: { ...refused, why: 'speed' } });
  assert.equal(read(TYPE.CORRECTION, said(99)).refused.why, 'other');
  const body = said(1);
  body.writeFloatLE(Infinity, 44);
  assert.equal(read(TYPE.CORRECTION, body), null);
});

test('bodies that are not what their type says are skipped', () => {
  const chat = event(TYPE.CHAT_MESSAGE, { text: 'abc' });
  const changed = (at, value) => {
    const body = Buffer.from(chat);
    body[at] = value;
    return body;
  };
  assert.ok(read(TYPE.CHAT_EVENT, chat));
  for (const body of [changed(9, 1), changed(10, 2), changed(10, 4), changed(13, 0xff), chat.subarray(0, 12)]) {
    assert.equal(read(TYPE.CHAT_EVENT, body), null);
  }
  const attack = event(TYPE.PLAYER_ATTACK, { attackId: 1, direction: [0, 0, 0] });
  attack.writeFloatLE(Infinity, 20);
  assert.equal(read(TYPE.ATTACK_EVENT, attack), null);
  for (const type of [TYPE.LIMITS, TYPE.BUSY, TYPE.RESTARTED, TYPE.NUMBER, TYPE.PING, TYPE.PONG, TYPE.SKILL_EVENT]) {
    for (const length of [0, 1, 3, 5, 7, 9, 11, 13, 49, 51]) {
      assert.equal(read(type, Buffer.alloc(length, 1)), null, `${type}, ${length} bytes`);
    }
  }
});

test('compressed bodies expand to exactly what they say, or are skipped', () => {
  const data = Buffer.alloc(5000, 'abc');
  const stream = deflateSync(data);
  const expanded = read(TYPE.INVENTORY, compressBody(TYPE.INVENTORY, data), true);
  assert.ok(expanded.data.equals(data));
  for (const body of [
    packed(4999, stream), packed(5001, stream), packed(0, stream), packed(65_537, stream), packed(0xffffffff, stream),
    packed(5000, stream.subarray(0, stream.length - 1)), packed(5000, Buffer.concat([stream, Buffer.of(0)])),
    packed(5000, stream.subarray(2)), packed(5000, Buffer.alloc(0)), Buffer.alloc(3),
  ]) {
    assert.equal(read(TYPE.INVENTORY, body, true), null);
  }
  assert.equal(read(64, packed(5000, stream), true), null, 'a type that may not be compressed');
});

test('a body is compressed only where that saves a tenth', () => {
  assert.equal(compressBody(TYPE.BULK, bytesOf(dice(1))(1000)), null);
  assert.equal(compressBody(64, Buffer.alloc(1000)), null);
  assert.ok(compressBody(TYPE.BULK, Buffer.alloc(1000)).length < 100);
});

test('whatever a datagram holds, nothing throws', () => {
  const roll = dice(4);
  const random = bytesOf(roll);
  const types = [...Object.values(TYPE), 63, 64, 127, 150, 199, 201, 255];
  for (let i = 0; i < 5000; i++) {
    const incoming = new Incoming();
    const messages = Array.from({ length: 1 + Math.floor(roll() * 5) }, () => {
      const reliable = roll() < 0.7;
      return writeMessage({
        type: types[Math.floor(roll() * types.length)], compressed: roll() < 0.3, reliable,
        fragment: reliable && roll() < 0.3, channel: reliable ? Math.floor(roll() * 4) : 0, priority: 1,
        id: Math.floor(roll() * 5), body: random(Math.floor(roll() * 60)),
      });
    });
    let bytes = Buffer.concat(messages);
    if (roll() < 0.3) bytes = bytes.subarray(0, Math.floor(roll() * bytes.length));
    if (roll() < 0.3 && bytes.length) bytes[Math.floor(roll() * bytes.length)] = Math.floor(roll() * 256);
    const parsed = readMessages(bytes);
    for (const message of (parsed && incoming.take(parsed))?.whole ?? []) readBody(message);
  }
});
