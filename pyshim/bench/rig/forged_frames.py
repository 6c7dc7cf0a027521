# SPDX-License-Identifier: BSD-3-Clause
"""Captures of an attack: in every burst one authentic packet, and forged ones for the same sessions."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from ipaddress import IPv4Address
from pathlib import Path
from random import Random

from pyshim.bench.rig.forgery import Attack, forged_datagram
from pyshim.bench.rig.frames import CLIENT_PORT, Capture, udp_frame, write_capture
from pyshim.bench.rig.sealed_frames import BURST, MOVE_BYTES, Connection, frame_of

STRANGERS = 64  # addresses where nobody is connected
_STRANGERS = int(IPv4Address("10.200.0.0"))


def _spoofed(victim: Connection, random: Random, body_bytes: int = 0) -> bytes:
    datagram = forged_datagram(victim.session, random, body_bytes)
    return udp_frame(int(victim.address), victim.port, datagram)


def _elsewhere(victim: Connection, random: Random) -> bytes:
    stranger = random.randrange(STRANGERS)
    return udp_frame(_STRANGERS + stranger, CLIENT_PORT + stranger, forged_datagram(victim.session, random))


_FORGE: dict[Attack, Callable[[Connection, Random], bytes]] = {
    Attack.SPOOFED: _spoofed,
    Attack.SPOOFED_MOVES: partial(_spoofed, body_bytes=MOVE_BYTES),
    Attack.ELSEWHERE: _elsewhere,
}


def write_attack(path: Path, connections: Sequence[Connection], attack: Attack, seed: int = 1) -> Capture:
    """Write as many bursts as one packet of every connection fills, each with one authentic packet in it."""
    random, forge = Random(seed), _FORGE[attack]
    bursts = -(-len(connections) // BURST)
    victims = [connections[number % len(connections)] for number in range(bursts * BURST)]
    random.shuffle(victims)
    frames = [forge(victim, random) for victim in victims]
    for burst, player in enumerate(random.sample(connections, bursts)):
        frames[burst * BURST + random.randrange(BURST)] = frame_of(player)
    return write_capture(path, len(connections), frames)
