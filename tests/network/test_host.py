# SPDX-License-Identifier: BSD-3-Clause
"""To a neighbour on the wire the appliance is a host: it announces itself, is found, and answers pings."""

from __future__ import annotations

import json
import re
import socket
import struct
import time
from collections.abc import Iterator

import pytest

from tests.network.namespace import GATE4, GATE6, GATE_MAC, PLAYERS_INTERFACE, Wire
from tests.network.players import (
    ANSWER_TIMEOUT_S,
    Crowd,
    Growth,
    NetworkGate,
    changed,
    config,
    heartbeat,
    serving,
)

# Not the interface's own: what answers has the MAC of the configuration.
MAC = "02:00:00:00:00:99"
SETTINGS = config(port={"mac": MAC}, host={"reply_pps": 1000, "reply_burst": 200})

ETH_P_ALL = 3
PACKET_OUTGOING = 4
ETHER_ARP, ETHER_IPV6 = 0x0806, 0x86DD
ECHO_REQUEST = 8

Frames = list[bytes]


@pytest.fixture(scope="module")
def listener(wire: Wire) -> Iterator[socket.socket]:
    """Hears every frame that reaches the players' interface, from before the appliance starts."""

    def listen() -> socket.socket:
        sock = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL))
        sock.bind((PLAYERS_INTERFACE, ETH_P_ALL))
        sock.settimeout(ANSWER_TIMEOUT_S)
        return sock

    with wire.players.call(listen) as sock:
        yield sock


@pytest.fixture(scope="module")
def gate(
    wire: Wire, listener: socket.socket, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[NetworkGate]:
    with serving(wire, SETTINGS, tmp_path_factory.mktemp("host")) as running:
        yield running


@pytest.fixture(scope="module")
def first_frames(gate: NetworkGate, listener: socket.socket) -> Frames:
    """What the appliance sent, up to its answer to the first echo request."""
    frames: Frames = []
    while True:
        frame, origin = listener.recvfrom(2048)
        if origin[2] == PACKET_OUTGOING:
            continue
        if (ether_type(frame), frame[23]) == (0x0800, socket.IPPROTO_ICMP):
            return frames
        frames.append(frame)


def ether_type(frame: bytes) -> int:
    return int.from_bytes(frame[12:14], "big")


def mac_bytes(mac: str) -> bytes:
    return bytes.fromhex(mac.replace(":", ""))


def neighbour(wire: Wire, address: str) -> dict[str, object]:
    """The players' kernel's entry for an address."""
    found = json.loads(wire.players.run("ip", "-json", "neighbour", "show", address))
    assert len(found) == 1, found
    entry = found[0]
    assert isinstance(entry, dict)
    return entry


def raw_icmp() -> socket.socket:
    sock = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP)
    sock.connect((GATE4, 0))
    return sock


def echo_request(number: int) -> bytes:
    """An ICMP message of 8 bytes with its checksum."""
    total = (ECHO_REQUEST << 8) + number
    return struct.pack("!BBHHH", ECHO_REQUEST, 0, 0xFFFF - total % 0xFFFF, 0, number)


def test_a_gratuitous_arp_announces_the_ipv4_address(first_frames: Frames) -> None:
    mac, address = mac_bytes(MAC), socket.inet_aton(GATE4)
    announcement = (
        b"\xff" * 6
        + mac
        + struct.pack("!HHHBBH", ETHER_ARP, 1, 0x0800, 6, 4, 1)
        + mac
        + address
        + bytes(6)
        + address
    )
    arps = [frame for frame in first_frames if ether_type(frame) == ETHER_ARP]
    assert arps[0][: len(announcement)] == announcement


def test_an_unsolicited_advertisement_announces_the_ipv6_address(first_frames: Frames) -> None:
    address = socket.inet_pton(socket.AF_INET6, GATE6)
    everyone = socket.inet_pton(socket.AF_INET6, "ff02::1")
    frame = next(frame for frame in first_frames if ether_type(frame) == ETHER_IPV6)
    assert frame[:12] == mac_bytes("33:33:00:00:00:01") + mac_bytes(MAC)
    assert frame[14:54] == bytes.fromhex("6000000000203aff") + address + everyone
    assert (frame[54], frame[55]) == (136, 0)
    assert frame[58:62] == bytes.fromhex("20000000")  # override; not solicited, not a router
    assert frame[62:86] == address + bytes.fromhex("0201") + mac_bytes(MAC)


@pytest.mark.parametrize("size", [0, 1, 18, 56, 1399, 1400, 1452])
@pytest.mark.parametrize("address", [GATE4, GATE6])
def test_ping_of_any_size_is_answered(gate: NetworkGate, wire: Wire, address: str, size: int) -> None:
    grown = Growth(gate)
    # One at a time: after a first answer ping waits for others no longer than twice as long as that took.
    said = wire.players.run("ping", "-n", "-c", "1", "-W", "10", "-s", str(size), address)
    assert "1 received, 0% packet loss" in said
    assert "wrong data byte" not in said
    assert grown.handled("icmp_echo" if address == GATE4 else "icmpv6_echo") == 1


def test_arping_is_answered_by_the_configured_mac(gate: NetworkGate, wire: Wire) -> None:
    said = wire.players.run("arping", "-c", "2", "-w", "10", "-I", PLAYERS_INTERFACE, GATE4)
    assert set(re.findall(r"\[([0-9A-F:]{17})\]", said)) == {MAC.upper()}


@pytest.mark.parametrize(("address", "kind"), [(GATE4, "arp"), (GATE6, "neighbor_solicitation")])
def test_a_neighbour_resolves_our_address_to_the_configured_mac(
    gate: NetworkGate, wire: Wire, address: str, kind: str
) -> None:
    grown = Growth(gate)
    wire.players.run("ip", "neighbour", "flush", "to", address)
    wire.players.run("ping", "-n", "-c", "1", "-W", "10", address)
    entry = neighbour(wire, address)
    assert entry["lladdr"] == MAC != GATE_MAC
    assert entry["state"] in (["REACHABLE"], ["STALE"], ["DELAY"])
    assert grown.handled(kind) >= 1


def test_a_neighbour_learns_that_another_has_our_ipv4_address(gate: NetworkGate, wire: Wire) -> None:
    probe = wire.players.attempt("arping", "-D", "-c", "1", "-w", "10", "-I", PLAYERS_INTERFACE, GATE4)
    assert probe.returncode == 1, probe.stdout + probe.stderr
    assert "Received 1 response" in probe.stdout


def test_a_neighbour_learns_that_another_has_our_ipv6_address(gate: NetworkGate, wire: Wire) -> None:
    def failed() -> bool:
        shown = wire.players.run("ip", "-6", "address", "show", "dev", PLAYERS_INTERFACE, "to", GATE6)
        return "dadfailed" in shown

    wire.add_address(f"{GATE6}/64")
    try:
        gate.wait_until(failed)
    finally:
        wire.players.run("ip", "address", "del", f"{GATE6}/64", "dev", PLAYERS_INTERFACE)


def test_an_address_that_is_not_ours_gets_no_answer(gate: NetworkGate, wire: Wire) -> None:
    done = wire.players.attempt("arping", "-c", "1", "-w", "1", "-I", PLAYERS_INTERFACE, "10.0.0.200")
    assert done.returncode == 1
    assert "Received 0 response" in done.stdout


def test_a_flood_of_pings_is_limited_and_players_are_not(gate: NetworkGate, wire: Wire, crowd: Crowd) -> None:
    # The flood takes the answers to the players' kernel's own questions too: it must not need any.
    for address in (GATE4, GATE6):
        wire.players.run(
            *("ip", "neighbour", "replace", address, "lladdr", MAC),
            *("dev", PLAYERS_INTERFACE, "nud", "permanent"),
        )
    limited = config(port={"mac": MAC}, host={"reply_pps": 50, "reply_burst": 10})
    player, player6 = crowd.player(), crowd.player(family=6)
    with changed(gate, limited, after=SETTINGS), wire.players.call(raw_icmp) as flood:
        grown = Growth(gate)
        started_s = time.monotonic()
        for number in range(30):
            for i in range(100):
                flood.send(echo_request(number * 100 + i))
            player.plays(heartbeat(player.id, number))
            player6.plays(heartbeat(player6.id, number))
        answered, refused = grown.handled("icmp_echo"), grown.dropped("host_rate_limited")
        elapsed_s = time.monotonic() - started_s
    assert answered + refused == 3000
    assert 10 <= answered <= 10 + 50 * elapsed_s + 1
    assert grown.handled("heartbeat") == 60
