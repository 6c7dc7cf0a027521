# SPDX-License-Identifier: BSD-3-Clause
"""The dissector shows messages of the plain profile."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest
from scapy.packet import Packet

from pyshim.protocol.plain import (
    ACKS,
    MESSAGES,
    ChatMessage,
    Heartbeat,
    MessageType,
    Plain,
    PlayerAttack,
    PlayerMove,
    Skill,
)
from tests.wireshark.dissection import PLAIN_PORT, Datagram, Shown, lines, show

SAMPLES: dict[MessageType, tuple[Packet, dict[str, str]]] = {
    MessageType.PLAYER_MOVE: (
        PlayerMove(player_id=7, position_x=1.5, position_z=-2.0, velocity_y=0.25),
        {"position.x": "1.5", "position.z": "-2", "velocity.y": "0.25"},
    ),
    MessageType.PLAYER_ATTACK: (
        PlayerAttack(player_id=7, target_id=8, attack_id=3, direction_x=1.0),
        {"target_id": "8", "attack_id": "3", "direction.x": "1"},
    ),
    MessageType.CHAT_MESSAGE: (
        ChatMessage(player_id=7, target_id=0, channel=2, text="grüße".encode()),
        {"target_id": "0", "chat.channel": "2", "chat.text": "grüße"},
    ),
    MessageType.HEARTBEAT: (Heartbeat(player_id=7), {}),
    MessageType.SKILL: (Skill(player_id=7, skill_id=4, target_id=9), {"skill_id": "4", "target_id": "9"}),
}


def payload(kind: MessageType, *, ack: bool = False) -> bytes:
    body, _ = SAMPLES[kind]
    if ack:
        body = ACKS[kind](bytes(body))
    return bytes(Plain(timestamp=123_456) / body)


def malformed(shown: Shown) -> bool:
    return shown.has("pollgate_plain.malformed")


def test_samples_are_of_every_type() -> None:
    assert set(SAMPLES) == set(MESSAGES)


@pytest.mark.parametrize("ack", [False, True])
@pytest.mark.parametrize("kind", list(MessageType))
def test_message_and_acknowledgement_are_shown(tmp_path: Path, kind: MessageType, ack: bool) -> None:
    (shown,) = show(tmp_path, [Datagram(payload(kind, ack=ack), not ack, PLAIN_PORT)])
    assert shown.one("pollgate_plain.type") == str(kind + 100 * ack)
    assert shown.one("pollgate_plain.ack") == str(int(ack))
    assert shown.one("pollgate_plain.timestamp") == "123456"
    assert shown.one("pollgate_plain.player_id") == "7"
    for name, value in SAMPLES[kind][1].items():
        assert shown.one(f"pollgate_plain.{name}") == value
    assert not malformed(shown)


def test_column_names_message_and_player(tmp_path: Path) -> None:
    sent = [Datagram(payload(MessageType.PLAYER_MOVE, ack=ack), not ack, PLAIN_PORT) for ack in (False, True)]
    assert lines(tmp_path, sent) == ["PLAYER_MOVE, player 7", "MOVE_ACK, player 7"]


def test_malformed_messages_are_remarked(tmp_path: Path) -> None:
    move, chat = payload(MessageType.PLAYER_MOVE), payload(MessageType.CHAT_MESSAGE)
    wrong = [
        struct.pack("<I", 6) + move[4:],
        struct.pack("<I", 0) + move[4:],
        struct.pack("<II", 1, 45) + move[8:],
        move + b"\0",
        move[:20] + struct.pack("<f", float("nan")) + move[24:],
        move[:-4] + struct.pack("<f", float("-inf")),
        chat[:25] + b"\1" + chat[26:],
        chat[:26] + b"\0\0" + chat[28:],
        chat[:26] + b"\x08\0" + chat[28:],
    ]
    shown = show(tmp_path, [Datagram(each, port=PLAIN_PORT) for each in wrong])
    assert [malformed(frame) for frame in shown] == [True] * len(wrong)


def test_every_shorter_message_is_malformed_or_cut_and_never_a_mistake(tmp_path: Path) -> None:
    wholes = [payload(kind) for kind in MessageType]
    short = [Datagram(whole[:n], port=PLAIN_PORT) for whole in wholes for n in range(1, len(whole))]
    cut = [Datagram(w, port=PLAIN_PORT, captured=n) for w in wholes for n in range(1, len(w))]
    shown = show(tmp_path, short + cut)
    assert all(malformed(frame) for frame in shown[: len(short)])
    assert all(frame.has("pollgate_plain.cut") for frame in shown[len(short) :])
    assert not any(malformed(frame) for frame in shown[len(short) :])
