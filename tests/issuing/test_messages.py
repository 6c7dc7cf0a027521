# SPDX-License-Identifier: BSD-3-Clause
"""Messages from the control API to players who are connected: over HTTP in, out of a real client."""

from __future__ import annotations

import asyncio
import base64
import json
import random
import struct
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pyshim.errors import UsageError
from pyshim.protocol.client import (
    Bulk,
    Chat,
    Client,
    Connected,
    Correction,
    Disconnected,
    GameMessage,
    Inventory,
    Ticket,
)
from tests.issuing.gateway import Answer, Api

WAIT_S = 60.0


class Player:
    """A connected player and what the gateway sends."""

    def __init__(self, game: Client, issued: dict[str, Any], api: Api) -> None:
        self.game = game
        self.session = issued["session"]
        self._events = game.events()
        self._api = api

    async def event(self) -> Any:
        """The player's next event."""
        return await asyncio.wait_for(anext(self._events), WAIT_S)

    async def ask(self, method: str, path: str = "", body: Any = None) -> Answer:
        """Of the API, about the player's session."""
        return await asyncio.to_thread(self._api, method, f"/v1/sessions/{self.session}{path}", body)

    async def send(self, **message: Any) -> Answer:
        return await self.ask("POST", "/messages", message)


def play(api: Api, player_id: int, story: Callable[[Player], Awaitable[None]], **issue: Any) -> None:
    """Connect as this player and live through `story`."""

    async def life() -> None:
        issued = await asyncio.to_thread(api.issue, player_id, **issue)
        async with Client(Ticket.from_json(json.dumps(issued))) as game:
            player = Player(game, issued, api)
            assert isinstance(await player.event(), Connected)
            await story(player)

    asyncio.run(life())


def base64_of(data: bytes) -> str:
    return base64.b64encode(data).decode()


def test_a_connected_player_is_described(api: Api) -> None:
    async def story(player: Player) -> None:
        player.game.move(position=(1.0, -2.5, 3.0), velocity=(0.0, 0.5, 0.0))
        for _ in range(500):
            info = (await player.ask("GET")).body
            if info["position"] is not None:
                break
            await asyncio.sleep(0.01)
        assert info["connected"] is True
        assert info["connections"] == 1
        assert info["peer"].startswith("127.0.0.1:")
        assert 0 <= info["silent"] < WAIT_S
        assert info["packets_sent"] >= 1
        assert info["max_datagram"] == 1400
        assert info["position"] == [1.0, -2.5, 3.0]
        assert info["velocity"] == [0.0, 0.5, 0.0]

    play(api, 1, story)


def test_chat_arrives_as_the_operators(api: Api) -> None:
    async def story(player: Player) -> None:
        answer = await player.send(type="chat", text="Wartung um 5 — bitte ausloggen 🛠")
        assert answer.status == 202
        assert answer.body["session"] == player.session
        told = await player.event()
        assert isinstance(told, Chat)
        assert (told.sender, told.target_id, told.text) == (0, 2, "Wartung um 5 — bitte ausloggen 🛠")

    play(api, 2, story)


@pytest.mark.parametrize("size", [0, 1, 1000, 65_528])
@pytest.mark.parametrize("priority", ["urgent", "normal", "bulk"])
def test_bulk_of_every_size_arrives_whole(api: Api, size: int, priority: str) -> None:
    data = random.Random(size).randbytes(size)

    async def story(player: Player) -> None:
        answer = await player.send(type="bulk", body=base64_of(data), priority=priority, channel=1)
        assert answer.status == 202, answer
        assert await player.event() == Bulk(0, 3, data)

    play(api, 3, story)


def test_an_inventory_arrives_in_order_on_its_channel(api: Api) -> None:
    async def story(player: Player) -> None:
        parts = [random.Random(number).randbytes(3000 if number % 2 else 30) for number in range(10)]
        for part in [*parts, bytes(65_536)]:
            assert (await player.send(type="inventory", body=base64_of(part), channel=2)).status == 202
        for part in [*parts, bytes(65_536)]:
            assert await player.event() == Inventory(part)

    play(api, 4, story)


def test_messages_of_the_games_own_arrive_as_they_were_sent(api: Api) -> None:
    async def story(player: Player) -> None:
        said = [(64, b""), (128, b"round 2"), (199, random.Random(1).randbytes(65_536))]
        for number, data in said:
            answer = await player.send(type="game", number=number, body=base64_of(data), priority="bulk")
            assert answer.status == 202, answer
        for number, data in said:
            assert await player.event() == GameMessage(number, data)
        for number, data in said:
            receipt = player.game.say(number, data, channel=1)
            assert receipt is not None
            await receipt
        assert player.game.say(64, b"loose", reliable=False) is None
        with pytest.raises(UsageError, match="channel"):
            player.game.say(64, b"loose", channel=1, reliable=False)
        for words, most in (({"reliable": False}, 1400 - 40 - 4), ({"channel": 3}, 458)):
            data = random.Random(2).randbytes(most + 1)
            assert (await player.send(type="game", number=77, body=base64_of(data), **words)).status == 413
            sent = await player.send(type="game", number=77, body=base64_of(data[:-1]), **words)
            assert sent.status == 202
            assert await player.event() == GameMessage(77, data[:-1])

    play(api, 8, story)


def test_a_correction_says_where_the_player_is_put(api: Api) -> None:
    async def story(player: Player) -> None:
        body = base64_of(struct.pack("<6f", 1.0, -2.5, 3.0, 0.0, 0.5, 0.0))
        assert (await player.send(type="correction", body=body)).status == 202
        assert await player.event() == Correction((1.0, -2.5, 3.0), (0.0, 0.5, 0.0))
        nowhere = base64_of(struct.pack("<6f", float("nan"), *[0.0] * 5))
        assert (await player.send(type="correction", body=nowhere)).status == 400

    play(api, 9, story)


def test_what_is_not_reliable_fits_a_datagram_or_is_refused(api: Api) -> None:
    async def story(player: Player) -> None:
        most = 1400 - 20 - 16 - 6
        data = bytes(most)
        for words in ({"reliable": False}, {"channel": 3}):
            assert (await player.send(type="inventory", body=base64_of(data), **words)).status == 202
            assert await player.event() == Inventory(data)
            longer = await player.send(type="inventory", body=base64_of(data + b"x"), **words)
            assert longer.status == 413
            assert str(most) in longer.error

    play(api, 5, story)


@pytest.mark.parametrize(
    ("message", "status", "named"),
    [
        ({}, 400, "type"),
        ({"type": "move", "text": "x"}, 400, "type"),
        ({"type": "chat"}, 400, "text"),
        ({"type": "chat", "body": "AAAA"}, 400, "text"),
        ({"type": "chat", "text": "x", "body": "AAAA"}, 400, "body"),
        ({"type": "chat", "text": ""}, 400, "text"),
        ({"type": "chat", "text": "x" * 513}, 413, "512"),
        ({"type": "chat", "text": "ä" * 257}, 413, "512"),
        ({"type": "bulk", "text": "x"}, 400, "body"),
        ({"type": "bulk", "body": "A"}, 400, "base64"),
        ({"type": "bulk", "body": "AA A"}, 400, "base64"),
        ({"type": "bulk", "body": "AA-_"}, 400, "base64"),
        ({"type": "bulk", "body": base64_of(bytes(65_529))}, 413, "65532"),
        ({"type": "inventory", "body": base64_of(bytes(65_537))}, 413, "65536"),
        ({"type": "bulk", "body": "", "channel": 4}, 400, "channel"),
        ({"type": "bulk", "body": "", "channel": 1, "reliable": False}, 400, "channel"),
        ({"type": "bulk", "body": "", "priority": 1}, 400, "priority"),
        ({"type": "bulk", "body": "", "reliable": 1}, 400, "reliable"),
        ({"type": "bulk", "body": "", "to": 1}, 400, "to"),
        ({"type": "game", "body": ""}, 400, "number"),
        ({"type": "game", "body": "", "number": 63}, 400, "number"),
        ({"type": "game", "body": "", "number": 200}, 400, "number"),
        ({"type": "bulk", "body": "", "number": 64}, 400, "number"),
        ({"type": "game", "number": 64, "body": base64_of(bytes(65_537))}, 413, "65536"),
        ({"type": "correction", "body": base64_of(bytes(23))}, 400, "correction"),
    ],
)
def test_a_message_that_cannot_be_is_refused_by_name(
    api: Api, message: dict[str, Any], status: int, named: str
) -> None:
    async def story(player: Player) -> None:
        answer = await player.send(**message)
        assert answer.status == status
        assert named in answer.error

    play(api, 6, story)


@settings(max_examples=15, deadline=None)
@given(text=st.text(min_size=1, max_size=128))
def test_any_text_arrives_as_it_was_sent(api: Api, text: str) -> None:
    async def story(player: Player) -> None:
        assert (await player.send(type="chat", text=text)).status == 202
        assert (await player.event()).text == text

    play(api, 7, story)


def test_half_a_surrogate_pair_is_no_text(api: Api) -> None:
    async def story(player: Player) -> None:
        assert (await player.ask("POST", "/messages", b'{"type": "chat", "text": "\\ud800"}')).status == 400

    play(api, 8, story)


def test_nothing_is_sent_to_who_is_not_connected_or_not_there(api: Api) -> None:
    session = api.issue(9)["session"]
    message = {"type": "chat", "text": "hi"}
    answer = api("POST", f"/v1/sessions/{session}/messages", message)
    assert answer.status == 404
    assert "player 9 is not connected" in answer.error
    assert api("POST", f"/v1/sessions/{session + 1000}/messages", message).status == 404


def test_messages_of_many_at_once_all_arrive(api: Api) -> None:
    async def story(player: Player) -> None:
        words = [f"message {number}" for number in range(100)]
        answers = await asyncio.gather(*(player.send(type="chat", text=text, channel=3) for text in words))
        assert {answer.status for answer in answers} == {202}
        assert sorted([(await player.event()).text for _ in words]) == sorted(words)

    play(api, 10, story)


def test_revoking_ends_the_connection_and_expiry_does_too(api: Api) -> None:
    async def revoked(player: Player) -> None:
        assert (await player.ask("DELETE")).status == 204
        ended = await player.event()
        assert isinstance(ended, Disconnected)
        assert (ended.reason, ended.final) == ("revoked", True)

    async def expired(player: Player) -> None:
        ended = await player.event()
        assert isinstance(ended, Disconnected)
        assert (ended.reason, ended.final) == ("expired", True)
        assert (await player.ask("GET")).status == 404

    play(api, 11, revoked)
    play(api, 12, expired, ttl=2)
