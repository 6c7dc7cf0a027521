# SPDX-License-Identifier: BSD-3-Clause
"""The test vectors of LOOK and its answer: what is written, and what a reader makes of it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from pyshim.protocol.plain import Look, LookAck, Plain
from pyshim.protocol.plain_world import Sight, look, read_sight
from pyshim.protocol.session_wire import WireError
from tests.world.make_plain_vectors import OUT, Said, meant, render

VECTORS: dict[str, Any] = json.loads(OUT.read_text())


def named(vector: dict[str, Any]) -> str:
    return str(vector["name"])


def said_by(sight: Sight) -> Said:
    return Said(sight.is_there, sight.position, sight.velocity, sight.world, sight.state)


def test_vectors_are_what_the_generator_writes() -> None:
    assert OUT.read_text() == render(), "run python -m tests.world.make_plain_vectors"


@pytest.mark.parametrize("vector", VECTORS["looks"], ids=named)
def test_questions_are_those_of_the_vectors(vector: dict[str, Any]) -> None:
    asked = bytes.fromhex(vector["look"])
    ours = look(vector["player_id"], vector["epoch"], vector["timestamp"], vector["length"])
    assert (ours[:24], len(ours)) == (asked[:24], len(asked))  # what follows is anything
    packet = Plain(asked)
    assert isinstance(packet.payload, Look)
    assert (packet.player_id, packet.epoch) == (vector["player_id"], vector["epoch"])
    assert (packet.packet_size, packet.timestamp) == (vector["length"], vector["timestamp"])


@pytest.mark.parametrize("vector", VECTORS["sights"], ids=named)
def test_answers_mean_what_the_vectors_say(vector: dict[str, Any]) -> None:
    asked, answer = Plain(bytes.fromhex(vector["look"])), bytes.fromhex(vector["sight"])
    sight = read_sight(answer)
    assert json.loads(json.dumps(meant(said_by(sight)))) == vector["said"]
    assert len(answer) <= asked.packet_size
    assert (sight.player_id, sight.epoch, sight.timestamp) == (
        asked.player_id,
        asked.epoch,
        asked.timestamp,
    )
    packet = Plain(answer)
    assert isinstance(packet.payload, LookAck)
    packet.packet_size = packet.payload.world_bytes = None
    assert bytes(packet.copy()) == answer


@pytest.mark.parametrize("vector", VECTORS["refused_sights"], ids=named)
def test_an_answer_that_no_gateway_sends_is_refused(vector: dict[str, Any]) -> None:
    with pytest.raises(WireError):
        read_sight(bytes.fromhex(vector["sight"]))
