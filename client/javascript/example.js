// SPDX-License-Identifier: BSD-3-Clause
// A player who chats from a terminal: node client/javascript/example.js TICKET.json [PLAYER]
//
// Lines that are typed go to PLAYER (by default to nobody in particular: everyone near). Ctrl-D leaves.

import { readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { TYPE, connect } from './index.js';

const [path, to = '0'] = process.argv.slice(2);
if (!path || !/^\d+$/.test(to)) {
  console.error('usage: node example.js TICKET.json [PLAYER]; TICKET.json is what `pollgate token issue` wrote');
  process.exit(2);
}

let ticket;
try {
  ticket = JSON.parse(readFileSync(path, 'utf8'));
} catch (error) {
  console.error(`${path}: ${error.message}; it must be what \`pollgate token issue\` wrote`);
  process.exit(78);
}

const player = connect(ticket);
player.on('refused', ({ reason }) => {
  console.error(`not connected to ${ticket.address}: ${reason}`);
  process.exitCode = 69;
});
let isOpen = false;
let lines;
player.on('connected', ({ playerId }) => {
  console.log(`connected as player ${playerId}`);
  isOpen = true;
  if (lines) return; // connected again
  const said = new Set(); // and not known to be delivered
  let isLast = false;
  const leaveWhenDone = () => isLast && said.size === 0 && player.close();
  lines = createInterface({ input: process.stdin });
  lines.on('line', (text) => {
    if (text && isOpen) said.add(player.send(TYPE.CHAT_MESSAGE, { targetId: Number(to), text }));
  });
  lines.on('close', () => {
    isLast = true;
    leaveWhenDone();
  });
  player.on('delivered', (number) => {
    said.delete(number);
    leaveWhenDone();
  });
});
player.on('message', ({ name, body }) => {
  console.log(name === 'CHAT_EVENT' ? `${body.playerId}: ${body.text}` : `${name} ${JSON.stringify(body)}`);
});
player.on('ended', ({ reason, undelivered }) => {
  isOpen = false;
  console.log(`over: ${reason}; not known to be delivered: ${undelivered.length}`);
});
