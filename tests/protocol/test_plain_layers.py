# SPDX-License-Identifier: BSD-3-Clause
"""The scapy layers of the `plain` profile against the bytes of the protocol document."""

from __future__ import annotations

import struct
from collections.abc import Iterator

import pytest
from hypothesis import given
from scapy.layers.inet import IP, UDP
from scapy.packet import Packet, Padding, Raw

from pyshim.protocol import plain
from pyshim.protocol.plain import ACK_OFFSET, ACKS, MESSAGES, MessageType, Plain
from tests.strategies import messages

PORT = 18080


@pytest.fixture
def bound_port() -> Iterator[int]:
    plain.bind(PORT)
    yield PORT
    plain.unbind(PORT)


@given(messages())
def test_message_survives_dissection_and_rebuilding(message: bytes) -> None:
    packet = Plain(message)
    assert type(packet.payload) is MESSAGES[MessageType(message[0])]
    packet.packet_size = None
    assert bytes(packet.copy()) == message
    assert bytes(Plain() / type(packet.payload)(**packet.payload.fields))[16:] == message[16:]


@given(messages())
def test_acknowledgement_has_its_own_layer_and_the_same_body(message: bytes) -> None:
    kind = MessageType(message[0])
    packet = Plain(struct.pack("<I", kind + ACK_OFFSET) + message[4:])
    assert type(packet.payload) is ACKS[kind]
    assert bytes(packet.payload) == message[16:]


@pytest.mark.parametrize(
    ("packet", "expected"),
    [
        (
            Plain(timestamp=2)
            / plain.PlayerMove(
                player_id=3,
                position_x=1.0,
                position_y=-2.0,
                position_z=0.5,
                velocity_x=4.0,
                velocity_y=0.0,
                velocity_z=-1.5,
            ),
            "01000000 2c000000 0200000000000000 03000000"
            "0000803f 000000c0 0000003f 00008040 00000000 0000c0bf",
        ),
        (
            Plain() / plain.PlayerAttack(player_id=1, target_id=2, attack_id=3, direction_z=1.0),
            "02000000 28000000 0000000000000000 01000000 02000000 03000000 00000000 00000000 0000803f",
        ),
        (
            Plain() / plain.ChatMessage(player_id=1, target_id=2, channel=3, text=b"gg"),
            "03000000 1e000000 0000000000000000 01000000 02000000 03 00 0200 6767",
        ),
        (Plain() / plain.Heartbeat(player_id=0x01020304), "04000000 14000000 0000000000000000 04030201"),
        (
            Plain() / plain.Skill(player_id=1, skill_id=2, target_id=3),
            "05000000 1c000000 0000000000000000 01000000 02000000 03000000",
        ),
        (
            Plain() / plain.HeartbeatAck(player_id=1),
            "68000000 14000000 0000000000000000 01000000",
        ),
    ],
)
def test_layout_is_that_of_the_document(packet: Packet, expected: str) -> None:
    assert bytes(packet) == bytes.fromhex(expected)


def test_port_is_dissected_both_ways_when_bound(bound_port: int) -> None:
    for source, destination in ((5, bound_port), (bound_port, 5)):
        packet = IP(
            bytes(IP() / UDP(sport=source, dport=destination) / Plain() / plain.Heartbeat(player_id=9))
        )
        assert packet[plain.Heartbeat].player_id == 9


def test_port_is_left_alone_when_not_bound() -> None:
    packet = IP(bytes(IP() / UDP(dport=PORT) / Plain() / plain.Heartbeat(player_id=9)))
    assert type(packet[UDP].payload) is Raw


def test_bytes_after_a_message_are_padding() -> None:
    packet = Plain(bytes(Plain() / plain.Skill()) + b"tail")
    assert packet[Padding].load == b"tail"


def test_given_packet_size_is_kept() -> None:
    assert bytes(Plain(packet_size=7) / plain.Heartbeat())[4:8] == b"\x07\0\0\0"
