# SPDX-License-Identifier: BSD-3-Clause
"""Players of the client's core and the model gateway, on a network with a clock of its own."""

from __future__ import annotations

from random import Random

from pyshim.protocol.client import (
    Chat,
    Disconnected,
    Ending,
    Settings,
)
from pyshim.protocol.client.outgoing import Delivery, Outgoing, Priority
from pyshim.protocol.session_bodies import chat_body
from pyshim.protocol.session_wire import (
    MessageType,
)
from tests.session.internet import Internet, LinkConditions, Player
from tests.session.model_gateway import ModelGateway

STORM = LinkConditions(loss=0.2, doubling=0.2, delay_s=(0.005, 0.12))


def world(
    conditions: LinkConditions | None = None, path_mtu: int = 1400, seed: int = 1
) -> tuple[Internet, ModelGateway]:
    gateway = ModelGateway(Random(seed).randbytes, path_mtu)
    internet = Internet(gateway, conditions or LinkConditions(), seed)
    return internet, gateway


def connected(internet: Internet, gateway: ModelGateway, player_id: int = 7, **settings: float) -> Player:
    player = internet.join(gateway.issue(player_id), Settings(**settings))  # type: ignore[arg-type]
    assert internet.run(30, lambda: player.session.is_connected)
    return player


def say(internet: Internet, player: Player, text: str, to: int, channel: int = 1) -> Delivery:
    body = chat_body(to, 0, text)
    outgoing = Outgoing.reliable(MessageType.CHAT, body, Priority.NORMAL, channel)
    player.session.send(outgoing, internet.now)
    assert outgoing.delivery is not None
    return outgoing.delivery


def texts(player: Player) -> list[str]:
    return [event.text for event in player.heard if isinstance(event, Chat)]


def reason(player: Player) -> Ending:
    (event,) = [event for event in player.heard if isinstance(event, Disconnected) and event.final]
    return event.reason
