// SPDX-License-Identifier: BSD-3-Clause
// A connection in its life: liveness, closing, path MTU, keys, numbers, a gateway that crashes, and what breaks rules.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { TYPE, writeMessage } from '../lib/messages.js';
import { KIND } from '../lib/wire.js';
import { TICKET, World, bytesOf, dice } from './world.js';

const GAME = 64;
const established = (options) => {
  const world = new World(options).connected();
  world.until(() => world.gateway.side.tookData);
  return world;
};
/** DATA from the gateway with these bytes behind its header. */
const inject = (world, messages, { wants = 0, reserved = 0, ack = 0, bits = 0 } = {}) => {
  const head = Buffer.alloc(12);
  head.writeUInt32LE(ack, 0);
  head.writeUInt32LE(bits, 4);
  head.writeUInt8(wants, 10);
  head.writeUInt8(reserved, 11);
  world.inject('down', world.gateway.seal(KIND.DATA, Buffer.concat([head, ...messages])));
  world.run(1);
};
const message = (fields) =>
  writeMessage({
    type: GAME, compressed: false, reliable: true, fragment: false, channel: 0, priority: 1, id: 0,
    body: Buffer.alloc(0), ...fields,
  });
const piece = (index, count, bytes) => {
  const head = Buffer.alloc(4);
  head.writeUInt16LE(index, 0);
  head.writeUInt16LE(count, 2);
  return Buffer.concat([head, Buffer.alloc(bytes)]);
};

// ---------------------------------------------------------------- liveness and ends

test('a silent player is there for ten minutes at a fifth lost both ways', () => {
  for (let seed = 1; seed <= 20; seed++) {
    const path = { loss: 0.2, doubled: 0.2, jitterMs: 60 };
    const world = established({ seed, path, gateway: { idleTimeoutMs: 10_000 } });
    world.run(600_000);
    assert.deepEqual(world.of('ended'), []);
  }
});

test('players who talk once a second at a fifth lost both ways are all heard, for ten minutes', () => {
  for (let seed = 1; seed <= 10; seed++) {
    const path = { loss: 0.2, doubled: 0.2, jitterMs: 80 };
    const world = established({ seed, path, gateway: { idleTimeoutMs: 10_000 } });
    for (let said = 0; said < 600; said++) {
      world.say(TYPE.CHAT_MESSAGE, { text: `${said}` });
      world.run(1000);
    }
    assert.ok(world.until(() => world.of('delivered').length === 600));
    assert.deepEqual(world.of('ended'), []);
  }
});

test('a gateway that says nothing is given up after the idle time, by CLOSE 2', () => {
  const world = established();
  world.gateway.silent = true;
  const began = world.now;
  world.say(GAME, Buffer.from('lost?'));
  assert.ok(world.until(() => world.of('ended').length === 1, 60_000));
  assert.ok(world.now - began <= 30_100);
  const [ended] = world.of('ended');
  assert.deepEqual([ended.reason, ended.byUs, ended.undelivered.length], ['idle', true, 1]);
  world.run(100);
  assert.equal(world.gateway.side.closed, 2);
});

test('CLOSE is said again to each datagram for three seconds, ten times a second at most', () => {
  const world = established();
  let closes = 0;
  world.tap = (direction, datagram) => {
    if (direction === 'up' && datagram[0] === KIND.CLOSE && closes++ === 0) return null;
    return datagram;
  };
  world.client.close(world.now);
  for (let i = 0; i < 100; i++) {
    world.gateway.say(GAME, Buffer.from('more'), { reliable: false });
    world.run(10);
  }
  assert.equal(world.gateway.side.closed, 1);
  assert.ok(closes > 5 && closes <= 12, `${closes}`);
  world.run(3000);
  assert.ok(world.client.isOver);
});

const kicks = [0, 7, 127].map((own) => [128 + own, 'kicked', own]); // for reasons of the game's own
const closes = [[1, 'left'], [4, 'revoked'], [5, 'replaced'], [9, 'shutdown'], [10, 'kicked'], [77, '77'], ...kicks];
for (const [reason, word, kickReason] of closes) {
  test(`a CLOSE ${reason} from the gateway is told as ${word}, and nothing is said afterwards`, () => {
    const world = established();
    world.inject('down', world.gateway.seal(KIND.CLOSE, Buffer.of(reason, 0, 0, 0, 0, 0, 0, 0)));
    world.run(30);
    const [ended] = world.of('ended');
    assert.deepEqual([ended.reason, ended.kickReason], [word, kickReason]);
    let sent = 0;
    world.tap = (direction, datagram) => {
      sent += direction === 'up';
      return datagram;
    };
    world.gateway.say(GAME, Buffer.from('more'));
    world.run(5000);
    assert.equal(sent, 0);
    assert.throws(() => world.say(GAME, Buffer.from('more')), /over/);
  });
}

test('a RESET with the token of the connection connects anew, and any other does nothing', () => {
  const world = established();
  const other = world.gateway.reset();
  other[20] ^= 1;
  world.inject('down', other);
  world.run(100);
  assert.equal(world.of('reset').length, 0);
  world.gateway.silent = true;
  const ticket = world.say(GAME, Buffer.from('lost?'));
  world.inject('down', world.gateway.reset());
  assert.ok(world.until(() => world.of('connected').length === 2));
  assert.deepEqual(world.of('reset'), [{ undelivered: [ticket] }]);
});

test('a CLOSE 8 from the gateway, which has lost the connection, is followed by another attempt', () => {
  const world = established();
  world.inject('down', world.gateway.seal(KIND.CLOSE, Buffer.of(8, 0, 0, 0, 0, 0, 0, 0)));
  assert.ok(world.until(() => world.of('connected').length === 2, 5000));
  assert.equal(world.of('ended')[0].reason, 'restarted');
});

test('the answer to a ping is told with its round trip', () => {
  const world = established();
  const token = world.client.connection.ping(world.now);
  const answer = (at) => {
    const bytes = Buffer.alloc(4);
    bytes.writeUInt32LE(at);
    return bytes;
  };
  world.run(20);
  world.gateway.say(TYPE.PONG, answer(token), { reliable: false });
  world.gateway.say(TYPE.PONG, answer(token), { reliable: false });
  world.run(100);
  assert.deepEqual(world.of('pong'), [{ token, roundTripMs: 40 }]);
});

test('a ping from the gateway is answered at once', () => {
  const world = established();
  world.gateway.say(TYPE.PING, Buffer.from([1, 2, 3, 4]), { reliable: false });
  world.run(41);
  const [pong] = world.gateway.side.delivered.filter(({ type }) => type === TYPE.PONG);
  assert.deepEqual([...pong.body], [1, 2, 3, 4]);
});

test('a PATH_CHALLENGE is answered at once with its token', () => {
  const world = established();
  world.inject('down', world.gateway.seal(KIND.PATH_CHALLENGE, Buffer.from('12345678')));
  world.run(20);
  assert.equal(world.gateway.side.answered.toString(), '12345678');
});

// ---------------------------------------------------------------- acknowledgements

test('DATA is acknowledged within 25 ms, at once if asked for and at the sixteenth, a PROBE at once', () => {
  const world = established();
  const times = [];
  world.tap = (direction, datagram) => {
    if (direction === 'up') times.push(world.now);
    return datagram;
  };
  const began = world.now;
  inject(world, [message({ type: 200, reliable: false })]);
  world.run(100);
  assert.equal(times.length, 1);
  assert.ok(times[0] - began > 0 && times[0] - began <= 25);
  world.inject('down', world.gateway.seal(KIND.PROBE, Buffer.alloc(972)));
  world.run(1);
  assert.equal(times.length, 2);
  inject(world, [message({ type: 200, reliable: false })], { wants: 1 });
  assert.equal(times.length, 3);
  for (let i = 0; i < 16; i++) inject(world, [message({ type: 200, reliable: false })]);
  assert.equal(times.length, 4);
  inject(world, [], { wants: 1 });
  world.run(100);
  assert.equal(times.length, 4, 'what has no messages asks for nothing');
});

test('an acknowledgement of what was not sent, and bits below 1, are ignored', () => {
  const world = established();
  world.tap = (direction, datagram) => (direction === 'up' ? null : datagram);
  world.say(GAME, Buffer.from('lost'));
  world.run(10);
  inject(world, [], { ack: 0xffffffff, bits: 0xffffffff });
  inject(world, [], { ack: 1, bits: 0xffffffff });
  assert.deepEqual(world.of('delivered'), []);
  assert.equal(world.client.connection.state, 'open');
});

// ---------------------------------------------------------------- path MTU

test('a path that shrinks in mid-session is found, and nothing is lost', () => {
  const world = established();
  const data = bytesOf(dice(8))(60_000);
  world.say(TYPE.BULK, { data });
  world.run(100);
  world.upward.mtu = 600;
  assert.ok(world.until(() => world.of('delivered').length === 1, 60_000));
  assert.equal(world.client.connection.status.datagramBytes, 508);
  world.upward.mtu = 1300;
  world.run(700_000);
  assert.equal(world.client.connection.status.datagramBytes, 1232);
});

test('a connection that began on a narrow path finds out that the path carries more', () => {
  const world = new World({ path: { mtu: 1100 } }).connected();
  assert.equal(world.client.connection.status.datagramBytes, 1000);
  world.run(5000); // a search in vain
  assert.equal(world.client.connection.status.datagramBytes, 1000);
  world.upward.mtu = 1500;
  world.run(610_000);
  assert.equal(world.client.connection.status.datagramBytes, 1400);
});

test('a path is searched while messages are on their way, if none waits to leave', () => {
  const world = established();
  world.client.connection.moved(world.now);
  for (let i = 0; i < 100; i++) {
    world.say(GAME, Buffer.from(`${i}`)); // one is always on its way
    world.run(20);
  }
  assert.equal(world.client.connection.status.datagramBytes, 1400);
});

test('PROBEs leave three of one size, a second apart, and again after ten minutes', () => {
  const world = established();
  const probes = [];
  world.upward.mtu = 600;
  world.tap = (direction, datagram) => {
    if (direction === 'up' && datagram[0] === KIND.PROBE) probes.push([Math.round(world.now - began), datagram.length]);
    return datagram;
  };
  const began = world.now;
  world.client.connection.moved(world.now);
  world.run(700_000);
  const after = probes[0][0];
  assert.deepEqual(probes.map(([at, size]) => [at - after, size]), [
    [0, 1000], [1000, 1000], [2000, 1000], [603_000, 1000], [604_000, 1000], [605_000, 1000],
  ]);
});

test('of many datagrams that come before the client can say anything each is acknowledged', () => {
  const world = established();
  const plain = Buffer.concat([Buffer.alloc(12), message({ reliable: false })]);
  const before = world.gateway.side.sent;
  for (let i = 0; i < 100; i++) world.inject('down', world.gateway.seal(KIND.DATA, plain));
  world.run(500);
  for (let i = 1; i <= 100; i++) assert.ok(world.gateway.side.acknowledged.has(before + i), `${i}`);
});

// ---------------------------------------------------------------- keys and numbers

test('keys are updated without a pause, from either side, on a bad path', () => {
  const path = { loss: 0.1, doubled: 0.1, jitterMs: 50 };
  const told = [];
  const client = { phaseDatagrams: 50, keyLog: (line) => told.push(line) };
  const world = new World({ path, client }).connected();
  world.until(() => world.gateway.side.tookData);
  for (let i = 0; i < 1000; i++) {
    world.say(GAME, Buffer.from(`${i}`));
    if (i % 100 === 50) {
      world.until(() => world.gateway.side.phase === world.client.connection.status.phase);
      world.gateway.side.phase++; // the gateway goes first
      world.gateway.say(GAME, Buffer.from('from the next phase'));
    }
    world.run(20);
  }
  assert.ok(world.until(() => world.client.connection.status.isQuiet));
  assert.equal(world.of('delivered').length, 1000);
  assert.ok(world.client.connection.status.phase > 15);
  assert.equal(world.of('message').length, 10);
  assert.ok(told.every((line) => /^\d+ [0-9a-f]{80}$/.test(line)));
  assert.equal(new Set(told).size, told.length);
  assert.equal(told.length, world.client.connection.status.phase + 1);
});

test('no counter is sealed twice, through phases and numbers', () => {
  const world = new World({ client: { phaseDatagrams: 10 }, gateway: { spares: true } });
  const sealed = new Set();
  world.connected();
  world.until(() => world.gateway.side.tookData);
  let datagrams = 0;
  world.tap = (direction, datagram) => {
    if (direction === 'up') sealed.add(datagram.toString('hex', 12));
    datagrams += direction === 'up';
    return datagram;
  };
  for (let i = 0; i < 200; i++) {
    world.say(GAME, Buffer.from('the same'));
    if (i % 40 === 20) world.client.connection.moved(world.now);
    world.run(30);
  }
  assert.equal(sealed.size, datagrams);
});

test('on another network the client has another number, and the next move has yet another', () => {
  const world = established({ gateway: { spares: true } });
  const numbers = [world.client.connection.status.number];
  for (let i = 2; i <= 4; i++) {
    world.address = `player:${i}`;
    world.client.connection.moved(world.now);
    numbers.push(world.client.connection.status.number);
    world.say(GAME, Buffer.from('here'));
    assert.ok(world.until(() => world.of('delivered').length === i - 1, 5000));
    world.run(5000);
  }
  assert.equal(new Set(numbers).size, 4);
  assert.equal(world.gateway.side.number, numbers.at(-1));
});

test('a NUMBER that names the number in use is no spare', () => {
  const world = established({ gateway: { spares: true } });
  world.client.connection.moved(world.now);
  world.say(GAME, Buffer.from('here'));
  assert.ok(world.until(() => world.of('delivered').length === 1, 5000));
  world.run(1000);
  const { number, spare } = world.gateway.side;
  const late = Buffer.alloc(12);
  late.writeUInt32LE(number, 0);
  world.gateway.say(11, late, { channel: 3 });
  world.run(1000);
  world.client.connection.moved(world.now);
  assert.equal(world.client.connection.status.number, spare.number);
});

test('without a spare the client keeps its number', () => {
  const world = established();
  world.client.connection.moved(world.now);
  assert.equal(world.client.connection.status.number, TICKET.session);
});

// ---------------------------------------------------------------- a crash

test('after a crash nothing of the player is lost, and what of the gateway is lost is told', () => {
  for (let seed = 1; seed <= 30; seed++) {
    const world = established({ seed, path: { loss: 0.15, doubled: 0.1, jitterMs: 60 } });
    for (let i = 0; i < 60; i++) {
      world.say(GAME, Buffer.from([i]), { channel: i % 4 });
      world.gateway.say(GAME, Buffer.from([i]), { channel: i % 4 });
      if (i % 3 === 0) world.run(20);
    }
    world.run(seed * 5);
    const had = world.gateway.side.nextOut.slice();
    world.gateway.crash();
    assert.ok(world.until(() => world.of('restarted').length === 1, 15_000), 'told with the next DATA');
    assert.ok(world.until(() => world.client.connection.status.isQuiet, 60_000));
    for (const channel of [0, 1, 2, 3]) {
      const came = world.gateway.side.delivered.filter((one) => one.type === GAME && one.channel === channel);
      const expected = Array.from({ length: 15 }, (_, i) => channel + 4 * i);
      assert.deepEqual(came.map(({ body }) => body[0]).sort((a, b) => a - b), expected, `seed ${seed}`);
      const told = world.of('message').filter((one) => one.channel === channel).length;
      assert.equal(told + world.of('restarted')[0].lost[channel], had[channel], `seed ${seed}`);
    }
    world.gateway.say(GAME, Buffer.from('and on'));
    const before = world.of('message').length;
    assert.ok(world.until(() => world.of('message').length === before + 1, 5000));
  }
});

test('an epoch is heeded once, and an older one not at all', () => {
  const world = established();
  const restarted = (epoch) => {
    const body = Buffer.alloc(50);
    body.writeUInt16LE(epoch, 0);
    return message({ type: TYPE.RESTARTED, reliable: false, body });
  };
  for (const epoch of [65_535, 65_535, 65_534, 0, 65_535, 0, 3, 2]) inject(world, [restarted(epoch)]);
  assert.equal(world.of('restarted').length, 3);
});

// ---------------------------------------------------------------- what is not understood, and what breaks rules

test('types and bodies that are not understood are skipped, and the others of the datagram are told', () => {
  const world = established();
  inject(world, [
    message({ id: 0, type: 63, body: Buffer.alloc(20) }),
    message({ id: 1, type: TYPE.CHAT_EVENT, body: Buffer.alloc(3) }),
    message({ id: 2, type: TYPE.PLAYER_MOVE, body: Buffer.alloc(24) }),
    message({ id: 3, type: GAME, compressed: true, body: Buffer.alloc(24) }),
    message({ id: 4, type: GAME, body: Buffer.from('told') }),
  ]);
  assert.deepEqual(world.of('skipped').map(({ type }) => type), [63, 203, 1, 64]);
  assert.equal(world.of('message')[0].body.data.toString(), 'told');
});

test('an id too far ahead is refused with BUSY, and what follows on its channel, too', () => {
  const world = established();
  const counter = world.gateway.side.sent + 1;
  inject(world, [
    message({ id: 256, body: Buffer.from('far') }),
    message({ id: 0, body: Buffer.from('near') }),
    message({ id: 0, channel: 1, body: Buffer.from('other') }),
  ]);
  world.run(100);
  assert.deepEqual(world.of('message').map(({ body }) => body.data.toString()), ['other']);
  const [busy] = world.gateway.side.delivered.filter(({ type }) => type === TYPE.BUSY);
  assert.deepEqual([busy.body.readUInt32LE(0), busy.body[4], busy.body[5]], [counter, 4, GAME]);
});

const first = message({ id: 0, fragment: true, body: piece(0, 3, 458) });
const BROKEN = {
  'a header cut short': [Buffer.from([GAME, 0, 0])],
  'a body cut short': [Buffer.from([GAME, 0, 5, 0, 1])],
  'an id cut short': [Buffer.from([GAME, 2, 0, 0, 1])],
  'bit 3': [Buffer.from([GAME, 8, 0, 0])],
  'a channel without an id': [Buffer.from([GAME, 16, 0, 0])],
  'a piece without an id': [Buffer.concat([Buffer.from([GAME, 4, 9, 0]), piece(0, 2, 5)])],
  'more than 50 messages': [Buffer.alloc(4 * 51, Buffer.from([GAME, 0, 0, 0]))],
  'a piece on channel 3': [message({ fragment: true, channel: 3, body: piece(0, 2, 458) })],
  'a piece of one': [message({ fragment: true, body: piece(0, 1, 458) })],
  'a piece of 145': [message({ fragment: true, body: piece(0, 145, 458) })],
  'a piece beyond the last': [message({ fragment: true, body: piece(2, 2, 458) })],
  'a short piece in the middle': [message({ fragment: true, body: piece(0, 2, 457) })],
  'an empty piece': [message({ id: 1, fragment: true, body: piece(1, 2, 0) })],
  'a long piece': [message({ id: 1, fragment: true, body: piece(1, 2, 459) })],
  'more than 65,536 bytes in pieces': [message({ id: 143, fragment: true, body: piece(143, 144, 43) })],
  'pieces of another count': [first, message({ id: 1, fragment: true, body: piece(1, 4, 458) })],
  'pieces of another type': [first, message({ id: 1, type: 65, fragment: true, body: piece(1, 3, 458) })],
  'pieces of another priority': [first, message({ id: 1, priority: 2, fragment: true, body: piece(1, 3, 458) })],
  'pieces of another flag': [first, message({ id: 1, compressed: true, fragment: true, body: piece(1, 3, 458) })],
  'a whole message among pieces': [first, message({ id: 1 })],
  'pieces around a whole message': [message({ id: 2 }), first],
  'pieces that begin before what was delivered': [
    message({ id: 0 }),
    message({ id: 1, fragment: true, body: piece(1, 3, 458) }),
  ],
};
for (const [name, messages] of Object.entries(BROKEN)) {
  test(`${name} ends the connection with CLOSE 7`, () => {
    const world = established();
    inject(world, messages);
    assert.equal(world.of('ended')[0]?.reason, 'protocol');
    world.run(100);
    assert.equal(world.gateway.side.closed, 7);
  });
}
for (const [name, fields] of [['wants', { wants: 2 }], ['the reserved byte', { reserved: 1 }]]) {
  test(`${name} of DATA with unknown bits ends the connection with CLOSE 7`, () => {
    const world = established();
    inject(world, [], fields);
    assert.equal(world.of('ended')[0]?.reason, 'protocol');
  });
}

test('random bytes, and sealed datagrams that were changed, do nothing', () => {
  const world = established();
  const random = bytesOf(dice(5));
  for (let i = 0; i < 2000; i++) {
    const bytes = random(1 + Math.floor(world.roll() * 100));
    if (bytes.length >= 12) {
      bytes[0] %= 13;
      bytes[1] &= 1;
      bytes.writeUInt16LE(bytes.length, 2);
      bytes.writeUInt32LE(TICKET.session, 4);
    }
    world.inject('down', bytes);
  }
  const whole = world.gateway.seal(KIND.DATA, Buffer.alloc(40));
  for (let at = 0; at < whole.length; at++) {
    const changed = Buffer.from(whole);
    changed[at] ^= 1 << Math.floor(world.roll() * 8);
    world.inject('down', changed);
  }
  world.run(100);
  assert.equal(world.client.connection.state, 'open');
  world.say(GAME, Buffer.from('still here'));
  assert.ok(world.until(() => world.of('delivered').length === 1));
});

test('a replayed datagram is heeded once', () => {
  const world = established();
  const tap = world.tap;
  world.tap = (direction, datagram) => {
    if (direction === 'down') for (let i = 0; i < 5; i++) world.inject('down', datagram, world.now + 30 * i);
    return datagram;
  };
  for (let i = 0; i < 50; i++) world.gateway.say(GAME, Buffer.from([i]), { reliable: false });
  world.run(1000);
  world.tap = tap;
  assert.equal(world.of('message').length, 50);
});
