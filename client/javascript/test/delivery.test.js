// SPDX-License-Identifier: BSD-3-Clause
// Reliable messages on bad paths: each once, in order, in pieces, within the gateway's limits, whatever happens.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { TYPE } from '../lib/messages.js';
import { World, bytesOf, dice } from './world.js';
import { limitBytes } from './gateway.js';

const GAME = 64; // a type of the game's own: a body is bytes
const number = (i) => {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(i);
  return bytes;
};
const numbersTo = (world, channel = 0) =>
  world.gateway.side.delivered
    .filter((message) => message.type === GAME && message.channel === channel)
    .map(({ body }) => body.readUInt32LE(0));
const upTo = (count) => Array.from({ length: count }, (_, i) => i);
const BAD = { loss: 0.2, doubled: 0.2, jitterMs: 80 };

for (const channel of [0, 1, 2, 3]) {
  test(`on a bad path every message to the gateway comes once, on channel ${channel}`, () => {
    const world = new World({ seed: channel + 1, path: BAD }).connected();
    const tickets = upTo(600).map((i) => world.say(GAME, number(i), { channel }));
    assert.ok(world.until(() => world.client.connection.status.isQuiet, 300_000));
    const came = numbersTo(world, channel);
    assert.deepEqual(channel === 3 ? came.sort((a, b) => a - b) : came, upTo(600));
    assert.deepEqual(world.of('delivered').sort((a, b) => a - b), tickets);
  });

  test(`on a bad path every message from the gateway is told once, on channel ${channel}`, () => {
    const world = new World({ seed: channel + 20, path: BAD }).connected();
    world.until(() => world.gateway.side.tookData);
    for (const i of upTo(200)) world.gateway.say(GAME, number(i), { channel });
    const told = () => world.of('message').map(({ body }) => body.data.readUInt32LE(0));
    assert.ok(world.until(() => told().length === 200 && world.gateway.side.open.length === 0, 60_000));
    assert.deepEqual(channel === 3 ? told().sort((a, b) => a - b) : told(), upTo(200));
  });
}

test('ids wrap around after 65,536 messages', () => {
  const world = new World({ path: { delayMs: 1 } }).connected();
  for (let said = 0; said < 66_000; said += 600) {
    for (let i = 0; i < 600; i++) world.say(GAME, number(said + i));
    assert.ok(world.until(() => world.client.connection.status.isQuiet));
  }
  assert.equal(world.gateway.side.nextIn[0], 66_000 & 0xffff);
  assert.deepEqual(numbersTo(world), upTo(66_000));
});

test('bulk of 64 KiB goes in pieces, and arrives over a bad path', () => {
  for (const seed of upTo(20)) {
    const world = new World({ seed, path: BAD }).connected();
    const data = bytesOf(dice(seed + 99))(65_528);
    world.say(TYPE.BULK, { targetId: 5, data }, { priority: 2 });
    assert.ok(world.until(() => world.of('delivered').length === 1, 300_000));
    const [bulk] = world.gateway.side.delivered.filter(({ type }) => type === TYPE.BULK);
    assert.ok(bulk.body.subarray(4).equals(data));
  }
});

test('pieces from the gateway are joined, and expanded', () => {
  const world = new World({ path: BAD }).connected();
  world.until(() => world.gateway.side.tookData);
  const data = bytesOf(dice(3))(65_536);
  world.gateway.say(TYPE.INVENTORY, data, { channel: 1 });
  assert.ok(world.until(() => world.of('message').length === 1));
  assert.ok(world.of('message')[0].body.data.equals(data));
});

test('what can be compressed is, and costs its uncompressed length', () => {
  const limits = [{ type: TYPE.BULK, burst: 60, perMinute: 60 }];
  const world = new World({ gateway: { limits } }).connected();
  const data = Buffer.alloc(60_000, 'abc');
  world.say(TYPE.BULK, { data });
  world.say(TYPE.BULK, { data });
  assert.ok(world.until(() => world.of('delivered').length === 1, 1000));
  const [bulk] = world.gateway.side.delivered.filter(({ type }) => type === TYPE.BULK);
  assert.ok(bulk.compressed && bulk.body.length < 1000);
  world.run(20_000);
  assert.equal(world.of('delivered').length, 1, 'the second waits until the bucket has its 43');
  assert.ok(world.until(() => world.of('delivered').length === 2, 60_000));
});

test('a hundred chats at once against a burst of 32 are delivered in order, and none is refused', () => {
  const limits = [{ type: TYPE.CHAT_MESSAGE, burst: 32, perMinute: 600 }];
  const world = new World({ gateway: { limits } }).connected();
  let tokens = 32;
  let at = world.now;
  let refused = 0;
  world.gateway.refuse = ({ type }) => {
    if (type !== TYPE.CHAT_MESSAGE) return null;
    tokens = Math.min(32, tokens + (world.now - at) / 100);
    at = world.now;
    if (tokens >= 1) {
      tokens--;
      return null;
    }
    refused++;
    return { reason: 1, retryMs: 100 };
  };
  for (const i of upTo(100)) world.say(TYPE.CHAT_MESSAGE, { text: `chat ${i}` });
  assert.ok(world.until(() => world.of('delivered').length === 100, 60_000));
  assert.equal(refused, 0);
});

test('limits that change are kept to', () => {
  const world = new World().connected();
  world.until(() => world.gateway.side.tookData);
  const entry = limitBytes({ type: GAME, burst: 2, perMinute: 60 });
  world.gateway.say(TYPE.LIMITS, Buffer.concat([Buffer.from([2, 0, 1, 0]), entry]), { channel: 3 });
  world.gateway.say(TYPE.LIMITS, Buffer.from([1, 0, 0, 0]), { channel: 3 }); // older, but comes later
  assert.ok(world.until(() => world.of('limits').length === 1));
  world.run(1000);
  for (const i of upTo(4)) world.say(GAME, number(i));
  world.run(900);
  assert.equal(numbersTo(world).length, 2);
  assert.ok(world.until(() => numbersTo(world).length === 4, 4000));
  assert.equal(world.of('limits').length, 1);
});

test('all types of the game\'s own share the limit of the first', () => {
  const limits = [{ type: GAME, burst: 3, perMinute: 60 }];
  const world = new World({ gateway: { limits } }).connected();
  const said = () => world.gateway.side.delivered.map(({ type }) => type).filter((type) => type >= 64);
  for (const type of [199, 130, 64, 77]) world.say(type, Buffer.alloc(1));
  world.run(900);
  assert.deepEqual(said(), [199, 130, 64]);
  assert.ok(world.until(() => said().length === 4, 4000));
});

test('messages of every type of the game\'s own arrive either way, whatever their length', () => {
  const world = new World().connected();
  for (const [type, length] of [[64, 0], [128, 1], [199, 65_536]]) {
    world.say(type, Buffer.alloc(length, type), { channel: 1 });
    world.gateway.say(type, Buffer.alloc(length, type), { channel: 2 });
  }
  assert.ok(world.until(() => world.of('delivered').length === 3 && world.of('message').length === 3, 60_000));
  for (const [heard, bodyOf] of [[world.gateway.side.delivered.filter(({ type }) => type >= 64), (one) => one.body],
    [world.of('message'), (one) => one.body.data]]) {
    assert.deepEqual(heard.map((one) => [one.type, bodyOf(one).length]), [[64, 0], [128, 1], [199, 65_536]]);
    assert.ok(heard.every((one) => bodyOf(one).every((byte) => byte === one.type)));
  }
});

test('a limit of datagrams paces all that leaves', () => {
  const limits = [{ type: 0, burst: 5, perMinute: 600 }];
  const world = new World({ gateway: { limits } }).connected();
  let sent = 0;
  world.tap = (direction, datagram) => {
    if (direction === 'up') sent++;
    return datagram;
  };
  for (const i of upTo(400)) world.say(GAME, Buffer.alloc(400, i));
  world.run(10_000);
  assert.ok(sent <= 5 + 100 && sent > 80, `${sent}`);
});

test('what is refused comes again after its time, and what follows waits with it', () => {
  const world = new World().connected();
  let refusals = 3;
  world.gateway.refuse = ({ type }) => (type === GAME && refusals-- > 0 ? { reason: 2, retryMs: 500 } : null);
  for (const i of upTo(10)) world.say(GAME, number(i));
  world.run(400);
  assert.equal(numbersTo(world).length, 0);
  assert.equal(world.of('busy')[0].retryMs, 500);
  assert.ok(world.until(() => world.of('delivered').length === 10, 10_000));
  assert.deepEqual(numbersTo(world), upTo(10));
});

test('a refusal is no sign of congestion', () => {
  const world = new World().connected();
  for (const i of upTo(100)) world.say(GAME, Buffer.alloc(400, i));
  world.until(() => world.of('delivered').length === 100);
  const before = world.client.connection.status.window;
  let refusals = 5;
  world.gateway.refuse = ({ type }) => (type === GAME && refusals-- > 0 ? { reason: 1, retryMs: 50 } : null);
  for (const i of upTo(20)) world.say(GAME, Buffer.alloc(400, i));
  world.until(() => world.of('delivered').length === 120);
  assert.ok(world.client.connection.status.window >= before);
});

test('what the gateway forgot although it acknowledged it comes again', () => {
  const world = new World().connected();
  const data = bytesOf(dice(8))(458 * 20);
  let dropFirst = true;
  world.gateway.refuse = ({ type, piece }, side) => {
    if (type !== TYPE.BULK || !dropFirst) return null;
    if (piece.index !== 0) return null;
    if (side.held[0].size < 15) return { reason: 3, retryMs: 100 };
    side.held[0].clear(); // the deadline of its pieces: all were acknowledged
    dropFirst = false;
    return { reason: 6, retryMs: 100 };
  };
  world.say(TYPE.BULK, { data });
  assert.ok(world.until(() => world.of('delivered').length === 1, 20_000));
  assert.equal(dropFirst, false);
  const [bulk] = world.gateway.side.delivered.filter(({ type }) => type === TYPE.BULK);
  assert.ok(bulk.body.subarray(4).equals(data));
});

test('an outage of ten seconds is survived, and what was said in it is delivered', () => {
  const world = new World().connected();
  for (const i of upTo(50)) world.say(GAME, number(i));
  world.outage(5000);
  for (const i of upTo(50)) world.say(GAME, number(50 + i));
  world.outage(5000);
  assert.ok(world.until(() => world.of('delivered').length === 100, 5000));
  assert.deepEqual(numbersTo(world), upTo(100));
  assert.equal(world.of('ended').length, 0);
});

for (const delayMs of [300, 700, 1500]) {
  test(`a round trip of ${2 * delayMs} ms is a path like any other`, () => {
    const world = new World({ path: { delayMs } }).connected();
    for (const i of upTo(50)) world.say(GAME, Buffer.alloc(400, i));
    assert.ok(world.until(() => world.of('delivered').length === 50, 60_000));
    for (const i of upTo(50)) world.say(GAME, Buffer.alloc(400, i));
    let datagrams = 0;
    world.tap = (direction, datagram) => {
      datagrams += direction === 'up' && datagram.length > 300;
      return datagram;
    };
    assert.ok(world.until(() => world.of('delivered').length === 100, 60_000));
    assert.equal(datagrams, 17, 'nothing is said twice once the round trip is known');
  });
}

test('urgent messages overtake bulk on another channel', () => {
  const world = new World({ path: { msPerByte: 0.1 } }).connected();
  world.say(TYPE.BULK, { data: bytesOf(dice(8))(60_000) }, { channel: 1, priority: 2 });
  world.run(500);
  world.say(GAME, number(1), { priority: 0 });
  const said = world.now;
  world.until(() => numbersTo(world).length === 1);
  assert.ok(world.now - said < 500, `${world.now - said} ms`);
  assert.ok(world.gateway.side.delivered.every(({ type }) => type !== TYPE.BULK));
});

test('a movement beside bulk at 1 Mbit/s waits no 50 ms, and the bulk arrives', () => {
  const world = new World({ path: { msPerByte: 0.008 } }).connected();
  world.say(TYPE.BULK, { data: bytesOf(dice(8))(65_528) }, { channel: 1, priority: 2 });
  const moves = () => world.gateway.side.delivered.filter(({ type }) => type === TYPE.PLAYER_MOVE).length;
  let worst = 0;
  for (let i = 1; world.of('delivered').length === 0; i++) {
    const said = world.now;
    world.say(TYPE.PLAYER_MOVE, { position: [i, 0, 0], velocity: [0, 0, 0] });
    assert.ok(world.until(() => moves() === i, 1000));
    worst = Math.max(worst, world.now - said - 20);
    world.run(Math.max(16 - (world.now - said), 1));
  }
  assert.ok(worst < 50, `${worst} ms`); // on a clock of its own: the same in each run
});

/** Says movements of one player, and keeps how long each that was said from `since` on waited for others. */
class Mover {
  waits = [];
  #saidAt = [];
  #seen = 0;

  constructor(world) {
    this.world = world;
  }

  move() {
    this.#saidAt.push(this.world.now);
    this.world.say(TYPE.PLAYER_MOVE, { position: [1, 0, 0], velocity: [0, 0, 0] });
  }

  look(since) {
    const { delivered } = this.world.gateway.side;
    for (; this.#seen < delivered.length; this.#seen++) {
      if (delivered[this.#seen].type !== TYPE.PLAYER_MOVE) continue;
      const saidAt = this.#saidAt.shift();
      if (saidAt >= since) this.waits.push(this.world.now - saidAt - 20);
    }
  }
}

test('ten players who send bulk up one link of 1 Mbit/s keep no movement for 50 ms', () => {
  const bottleneck = { up: 0, down: 0 };
  const worlds = upTo(10).map((seed) => new World({ seed, bottleneck, path: { msPerByte: 0.008 } }).connect());
  const movers = worlds.map((world) => new Mover(world));
  const together = () => worlds.forEach((world) => world.run(1)); // or one would be ahead of the link
  while (worlds.some((world) => world.of('connected').length === 0)) together();
  for (const world of worlds) world.say(TYPE.BULK, { data: bytesOf(dice(8))(65_528) }, { channel: 1, priority: 2 });
  const since = worlds[0].now + 2000; // until each has found its pace
  for (let ms = 1; ms <= 6000; ms++) {
    movers.forEach((mover, player) => (ms + 5 * player) % 50 === 0 && mover.move());
    together();
    for (const mover of movers) mover.look(since);
  }
  const waits = movers.flatMap((mover) => mover.waits).sort((a, b) => a - b);
  const late = waits[Math.floor(waits.length * 0.95)];
  assert.ok(waits.length > 700, `${waits.length} movements`);
  assert.ok(late < 50, `${late} ms`); // on a clock of its own: the same in each run
  assert.ok(bottleneck.up > worlds[0].now - 100, 'the link is used');
});

test('movements leave while the window is full, and are never repeated', () => {
  const world = new World().connected();
  world.say(TYPE.BULK, { data: bytesOf(dice(8))(60_000) }, { priority: 2 });
  for (const i of upTo(60)) {
    world.say(TYPE.PLAYER_MOVE, { position: [i, 0, 0], velocity: [0, 0, 0] });
    world.run(16);
  }
  world.run(100);
  const moves = world.gateway.side.delivered.filter(({ type }) => type === TYPE.PLAYER_MOVE);
  assert.equal(moves.length, 60);
});

test('what can never be said is refused at once, in words', () => {
  const world = new World().connected();
  assert.throws(() => world.say(TYPE.CHAT_MESSAGE, { text: '' }), /1 to 512 bytes/);
  assert.throws(() => world.say(TYPE.CHAT_MESSAGE, { text: 'x'.repeat(513) }), /1 to 512 bytes/);
  assert.throws(() => world.say(TYPE.BULK, { data: Buffer.alloc(65_529) }), /65,528/);
  assert.throws(() => world.say(TYPE.LIMITS, {}), /not for a client/);
  assert.throws(() => world.say(63, Buffer.alloc(1)), /not for a client/);
  assert.throws(() => world.say(GAME, Buffer.alloc(459), { channel: 3 }), /channel 3/);
  assert.throws(() => world.say(GAME, Buffer.alloc(1361), { reliable: false }), /do not fit/);
  assert.throws(() => world.say(GAME, Buffer.alloc(1), { reliable: false, channel: 1 }), /channel 1/);
  assert.throws(() => world.say(TYPE.PLAYER_MOVE, { position: [NaN, 0, 0], velocity: [0, 0, 0] }), /finite/);
  world.say(GAME, Buffer.alloc(1360 - 24 - 4 - 4), { reliable: false });
  world.say(GAME, Buffer.alloc(458), { channel: 3 });
});
