// SPDX-License-Identifier: BSD-3-Clause
// A player that a test in another language moves: node player.js TICKET-AS-JSON [LOSS]
//
// Reads commands, writes events, one JSON a line. Bytes are { bytes: base64 } in both. With LOSS (0 to 1) everything passes
// a relay on loopback that loses, doubles and delays, both ways.

import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { connect, readAddress } from '../../client/javascript/index.js';

const EVENTS = ['connected', 'message', 'delivered', 'refused', 'ended', 'reset', 'restarted', 'pong', 'limits', 'busy',
  'skipped', 'closed'];

/** The address of a relay to `address`. */
async function lossy(address, loss) {
  const { host, port } = readAddress(address);
  const near = createSocket('udp4');
  const far = createSocket('udp4');
  let player = null;
  const pass = (deliver) => {
    for (let copies = Math.random() < loss ? 2 : 1; copies > 0; copies--) {
      if (Math.random() >= loss) setTimeout(deliver, 5 + 30 * Math.random());
    }
  };
  near.on('message', (datagram, from) => {
    player = from;
    pass(() => far.send(datagram, port, host));
  });
  far.on('message', (datagram) => pass(() => near.send(datagram, player.port, player.address)));
  near.bind(0, '127.0.0.1');
  await once(near, 'listening');
  near.unref();
  far.unref();
  return `127.0.0.1:${near.address().port}`;
}

const fromJson = (_, value) => (typeof value?.bytes === 'string' ? Buffer.from(value.bytes, 'base64') : value);
const toJson = (_, value) => (value?.type === 'Buffer' ? { bytes: Buffer.from(value.data).toString('base64') } : value);
const tell = (name, detail) => process.stdout.write(`${JSON.stringify([name, detail ?? null], toJson)}\n`);

const ticket = JSON.parse(process.argv[2]);
const loss = Number(process.argv[3] ?? 0);
if (loss > 0) ticket.address = await lossy(ticket.address, loss);
const player = connect(ticket);
for (const name of EVENTS) player.on(name, (detail) => tell(name, detail));

const COMMANDS = {
  send: ({ type, body, how }) => tell('said', player.send(type, body, how)),
  ping: () => player.ping(),
  status: () => tell('status', player.status),
  networkChanged: () => player.networkChanged().then(() => tell('moved')),
  close: () => player.close(),
};
const lines = createInterface({ input: process.stdin });
lines.on('line', (line) => {
  const command = JSON.parse(line, fromJson);
  COMMANDS[command.do](command);
});
lines.on('close', () => process.exit());
