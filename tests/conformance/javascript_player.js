// SPDX-License-Identifier: BSD-3-Clause
// A player with the JavaScript client, who chats and moves twenty times a second until it is ended: node
// javascript_player.js TICKET.json. It goes to another network when it is told.

import { readFileSync } from 'node:fs';
import { TYPE, connect } from '../../client/javascript/index.js';

const player = connect(JSON.parse(readFileSync(process.argv[2], 'utf8')));
player.on('connected', () => {
  const talk = setInterval(() => {
    player.send(TYPE.PLAYER_MOVE, { position: [1, 2, 3], velocity: [0, 0, 0] });
    player.send(TYPE.CHAT_MESSAGE, { targetId: 7, text: 'hello' });
  }, 50);
  player.once('ended', () => clearInterval(talk));
});
player.on('message', ({ name, body }) => {
  if (name === 'CHAT_EVENT' && body.text === 'another network') player.networkChanged();
});
