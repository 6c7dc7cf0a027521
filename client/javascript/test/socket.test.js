// SPDX-License-Identifier: BSD-3-Clause
// The client with its socket and its clock, on loopback, against the tests' gateway.

import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { performance } from 'node:perf_hooks';
import { test } from 'node:test';
import { TYPE, connect, readAddress } from '../index.js';
import { Gateway } from './gateway.js';

const KEY = Buffer.alloc(32, 5);

/** The model on a socket of its own, turned every few milliseconds. */
async function listening(family, options = {}) {
  const socket = createSocket(family === 6 ? 'udp6' : 'udp4');
  const host = family === 6 ? '::1' : '127.0.0.1';
  socket.bind(0, host);
  await once(socket, 'listening');
  const gateway = new Gateway({
    random: randomBytes,
    send: (address, datagram) => {
      const [, to, port] = /^(.*) (\d+)$/.exec(address);
      socket.send(datagram, Number(port), to);
    },
    ...options,
  });
  gateway.issue(0x07000123, KEY);
  socket.on('message', (datagram, from) => {
    gateway.receive(`${from.address} ${from.port}`, datagram, performance.now());
    gateway.poll(performance.now());
  });
  const timer = setInterval(() => gateway.poll(performance.now()), 5);
  const { port } = socket.address();
  const ticket = {
    session: 0x07000123, key: KEY.toString('base64url'), address: family === 6 ? `[::1]:${port}` : `127.0.0.1:${port}`,
  };
  const close = () => {
    clearInterval(timer);
    socket.close();
  };
  return { gateway, ticket, close };
}

for (const family of [4, 6]) {
  test(`a player plays over IPv${family}, and leaves`, async () => {
    const { gateway, ticket, close } = await listening(family);
    const player = connect(ticket);
    const [welcome] = await once(player, 'connected');
    assert.equal(welcome.playerId, 7);
    const number = player.send(TYPE.CHAT_MESSAGE, { text: 'héllo ✓' });
    assert.deepEqual(await once(player, 'delivered'), [number]);
    gateway.say(64, Buffer.from('hello yourself'));
    const [{ body }] = await once(player, 'message');
    assert.equal(body.data.toString(), 'hello yourself');
    player.close();
    const [{ reason, byUs, undelivered }] = await once(player, 'ended');
    assert.deepEqual([reason, byUs, undelivered], ['left', true, []]);
    await once(player, 'closed');
    close();
    assert.equal(gateway.side.closed, 1);
  });
}

test('on another network a player goes on from another port, under another number', async () => {
  const { gateway, ticket, close } = await listening(4, { spares: true });
  const player = connect(ticket);
  await once(player, 'connected');
  player.send(64, Buffer.from('before'));
  await once(player, 'delivered');
  const { address, number } = gateway.side;
  await player.networkChanged();
  player.send(64, Buffer.from('after'));
  await once(player, 'delivered');
  assert.notEqual(gateway.side.address, address);
  assert.notEqual(gateway.side.number, number);
  player.close();
  await once(player, 'closed');
  close();
});

test('where nobody listens, the attempt is refused when its time is over', async () => {
  const player = connect({ session: 1, key: KEY, address: '127.0.0.1:9' }, { forMs: 400 });
  assert.throws(() => player.send(64, Buffer.alloc(1)), /not connected yet/);
  assert.deepEqual(await once(player, 'refused'), [{ reason: 'timeout' }]);
});

test('a ticket that is none is refused in words', () => {
  const ticket = { session: 1, key: KEY, address: '127.0.0.1:9' };
  assert.throws(() => connect({ ...ticket, session: -1 }), /session -1/);
  assert.throws(() => connect({ ...ticket, key: 'AAAA' }), /3 bytes/);
  for (const address of ['127.0.0.1', '127.0.0.1:0', '::1:80', '[::1]', 'a:b', 'host:70000']) {
    assert.throws(() => connect({ ...ticket, address }), /host:port/);
  }
  assert.deepEqual(readAddress('[::1]:80'), { host: '::1', port: 80 });
  assert.deepEqual(readAddress('game.example.org:8081'), { host: 'game.example.org', port: 8081 });
});
