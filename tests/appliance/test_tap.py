# SPDX-License-Identifier: BSD-3-Clause
"""net_tap: a wire whose other end is a real kernel, which checks our checksums as we check its."""

from __future__ import annotations

import contextlib
import json
import socket
import struct
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.appliance.conservation import Books, assert_no_buffer_is_missing, books
from tests.appliance.replay import UNLIMITED, sample
from tests.gate import Gate
from tests.mutations import NEEDS, spoiled, spoiled_datagrams
from tests.network.namespace import Namespace
from tests.network.players import acknowledgement, every_kind, heartbeat
from tests.oracle import Oracle
from tests.strategies import INTERFACES, LISTENERS, MAC, datagrams, requests

INTERFACE = "pgtest0"
ALL_MLD2_ROUTERS = bytes.fromhex("333300000016")
GATE4, GATE6 = "10.9.0.1", "fd09::1"
PLAYERS4, PLAYERS6 = "10.9.0.2", "fd09::2"
PORT = 8080
ANSWER_TIMEOUT_S = 60.0
RING_BUFFERS = 1023  # a tap's ring keeps one free of the 1,024 descriptors that are the default
BATCH = 64  # frames on their way at once; the kernel's end of the wire holds 1,000

CHECKSUMS = pytest.mark.parametrize("checksums", ["auto", "software"])
FAMILIES = pytest.mark.parametrize("family", [4, 6], ids=["ipv4", "ipv6"])


class TapGate(Gate):
    """An appliance whose tap is in a namespace; its metrics are reached by going in."""

    def __init__(self, namespace: Namespace, config: Mapping[str, Any], directory: Path) -> None:
        super().__init__(config, directory, prefix=namespace.prefix)
        self._namespace = namespace

    def get(self, path: str) -> tuple[int, str]:
        return self._namespace.call(lambda: super(TapGate, self).get(path))


def config(*, port: Mapping[str, Any] | None = None, **changes: Any) -> dict[str, Any]:
    """One tap; `port` adds keys to it, the others replace sections."""
    tap = {
        "name": "game0",
        "device": f"net_tap0,iface={INTERFACE}",
        "address": [f"{GATE4}/24", f"{GATE6}/64"],
        "mac": MAC,
        **(port or {}),
    }
    return {"eal": {"memory_mib": 128}, "ports": [tap], "sessions": {"capacity": 256}, **changes}


@contextlib.contextmanager
def serving(namespace: Namespace, settings: Mapping[str, Any], directory: Path) -> Iterator[TapGate]:
    """A running appliance, with players' addresses at the kernel's end; it must end well."""
    with TapGate(namespace, settings, directory) as gate:
        for address in (f"{PLAYERS4}/24", f"{PLAYERS6}/64"):
            namespace.run("ip", "address", "add", address, "dev", INTERFACE, "nodad")
        yield gate
        ended_well(gate)


def ended_well(gate: Gate) -> Books:
    assert gate.stop() == 0, gate.stderr
    assert_no_buffer_is_missing(gate.summary, held=RING_BUFFERS)
    return books(gate.summary)


@contextlib.contextmanager
def player(namespace: Namespace, family: int = 4) -> Iterator[socket.socket]:
    """An ordinary UDP socket, connected to the gate."""
    kind = socket.AF_INET if family == 4 else socket.AF_INET6
    with namespace.call(lambda: socket.socket(kind, socket.SOCK_DGRAM)) as sock:
        sock.settimeout(ANSWER_TIMEOUT_S)
        sock.connect((GATE4 if family == 4 else GATE6, PORT))
        yield sock


def kernel_errors(namespace: Namespace) -> dict[str, int]:
    """What the kernel's UDP and ICMPv6 have found wrong with what came in."""

    def read() -> dict[str, int]:
        here = Path("/proc/thread-self/net")
        names, values = (
            line.split()[1:] for line in (here / "snmp").read_text().splitlines() if line.startswith("Udp:")
        )
        counts = {f"Udp{name}": int(value) for name, value in zip(names, values, strict=True)}
        counts |= {
            name: int(value) for name, value in map(str.split, (here / "snmp6").read_text().splitlines())
        }
        wanted = ("UdpInErrors", "UdpInCsumErrors", "Udp6InErrors", "Udp6InCsumErrors", "Icmp6InCsumErrors")
        return {name: counts[name] for name in wanted}

    return namespace.call(read)


NO_ERRORS = dict.fromkeys(
    ("UdpInErrors", "UdpInCsumErrors", "Udp6InErrors", "Udp6InCsumErrors", "Icmp6InCsumErrors"), 0
)


def offloads(gate: TapGate) -> set[str]:
    """The offloads that the data plane says its port uses."""
    said = gate.metrics().matching("pollgate_port_offload_enabled", port="game0")
    assert {labels["offload"] for labels, _ in said} == {"rx_checksum", "tx_checksum", "rss"}
    return {labels["offload"] for labels, on in said if on}


# ---- a kernel at the other end


@CHECKSUMS
@FAMILIES
def test_every_message_of_a_socket_is_acknowledged_and_the_kernel_finds_no_fault(
    checksums: str, family: int, namespace: Namespace, tmp_path: Path
) -> None:
    with (
        serving(namespace, config(port={"checksums": checksums}), tmp_path) as gate,
        player(namespace, family) as sock,
    ):
        # 200 timestamps: every checksum carries otherwise.
        messages = [*every_kind(7), *(heartbeat(7, n * 0x0101010101010101) for n in range(200))]
        for message in messages:
            sock.send(message)
            assert sock.recv(2048) == acknowledgement(message)
        assert gate.metrics().value("pollgate_sessions", state="active") == 1
        assert kernel_errors(namespace) == NO_ERRORS


@FAMILIES
def test_the_kernels_end_is_answered_when_it_pings(family: int, namespace: Namespace, tmp_path: Path) -> None:
    with serving(namespace, config(), tmp_path):
        namespace.run("ping", "-c", "2", "-i", "0.01", "-W", "5", GATE4 if family == 4 else GATE6)
        assert kernel_errors(namespace) == NO_ERRORS


@pytest.mark.parametrize("mac", [MAC, None], ids=["configured", "default"])
def test_both_ends_of_the_wire_have_a_mac_address_of_their_own(
    mac: str | None, namespace: Namespace, tmp_path: Path
) -> None:
    port = config()["ports"][0] | ({"mac": mac} if mac else {})
    if mac is None:
        del port["mac"]
    with serving(namespace, config() | {"ports": [port]}, tmp_path), player(namespace) as sock:
        sock.send(heartbeat(1))
        assert sock.recv(2048) == acknowledgement(heartbeat(1))
        (kernel,) = json.loads(namespace.run("ip", "-j", "link", "show", INTERFACE))
        (gate,) = json.loads(namespace.run("ip", "-j", "neighbour", "show", GATE4))
        assert gate["lladdr"] != kernel["address"]
        assert mac in (None, gate["lladdr"])


def test_idle_session_is_freed_and_its_address_may_play_another_player(
    namespace: Namespace, tmp_path: Path
) -> None:
    settings = config(sessions={"capacity": 256, "idle_timeout_s": 0.2})
    with serving(namespace, settings, tmp_path) as gate, player(namespace) as sock:
        sock.send(heartbeat(1))
        assert sock.recv(2048) == acknowledgement(heartbeat(1))
        expired = gate.wait_metric("pollgate_sessions_expired_total", 1)
        assert expired.value("pollgate_sessions", state="active") == 0
        sock.send(heartbeat(2))
        assert sock.recv(2048) == acknowledgement(heartbeat(2))


def test_refused_player_is_told_nothing_and_the_one_whose_address_it_is_plays_on(
    namespace: Namespace, tmp_path: Path
) -> None:
    with serving(namespace, config(), tmp_path) as gate, player(namespace) as sock:
        # One by one at first: while the kernel asks for our MAC address, datagrams may overtake each other.
        sock.send(heartbeat(1))
        assert sock.recv(2048) == acknowledgement(heartbeat(1))
        for message in (heartbeat(2), heartbeat(1, 99)):
            sock.send(message)
        assert sock.recv(2048) == acknowledgement(heartbeat(1, 99))
        assert gate.metrics().value("pollgate_drops_total", reason="player_mismatch") == 1


def test_tap_is_gone_when_the_appliance_has_ended(namespace: Namespace, tmp_path: Path) -> None:
    with serving(namespace, config(), tmp_path):
        assert INTERFACE in namespace.run("ip", "-br", "link")
    assert INTERFACE not in namespace.run("ip", "-br", "link")


def test_same_tap_comes_back_after_a_killed_worker(namespace: Namespace, tmp_path: Path) -> None:
    with TapGate(namespace, config(), tmp_path) as gate:
        gate.kill_worker()
        gate.wait_metric("pollgate_worker_restarts_total", 1)
        gate.wait_ready()
        namespace.run("ip", "address", "add", f"{PLAYERS4}/24", "dev", INTERFACE)
        with player(namespace) as sock:
            sock.send(heartbeat(1))
            assert sock.recv(2048) == acknowledgement(heartbeat(1))
        ended_well(gate)


# ---- checksums, in the device's driver and in our own code


@pytest.mark.parametrize(
    ("checksums", "used"), [("auto", {"rx_checksum", "tx_checksum"}), ("software", set[str]())]
)
def test_offloads_of_the_driver_are_used_unless_the_configuration_forbids_it(
    checksums: str, used: set[str], namespace: Namespace, tmp_path: Path
) -> None:
    with serving(namespace, config(port={"checksums": checksums}), tmp_path) as gate:
        assert offloads(gate) == used


class Wiretap:
    """A packet socket at the kernel's end: sends any frame, and hears every one that the gate sends."""

    _AUXDATA = 8  # PACKET_AUXDATA, and SOL_PACKET: what Python's socket module does not name
    _SOL_PACKET = 263
    _TAG_IN_AUXDATA = 1 << 4

    def __init__(self, namespace: Namespace) -> None:
        self.socket = namespace.call(lambda: socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0))
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8 << 20)
        self.socket.setsockopt(self._SOL_PACKET, self._AUXDATA, 1)
        self.socket.settimeout(ANSWER_TIMEOUT_S)
        self.socket.bind((INTERFACE, 3))  # ETH_P_ALL

    def hear(self) -> bytes:
        """The next frame that the gate sent, other than of its groups, which it tells unasked (RFC 3810)."""
        while True:
            frame, notes, _, (_, _, kind, *_) = self.socket.recvmsg(4096, 256)
            if kind != socket.PACKET_OUTGOING and not frame.startswith(ALL_MLD2_ROUTERS):
                return self._with_its_tag(frame, notes)

    def _with_its_tag(self, frame: bytes, notes: list[tuple[int, int, bytes]]) -> bytes:
        """The kernel takes the outer tag out of a frame and hands it over beside it."""
        for level, kind, data in notes:
            if (level, kind) == (self._SOL_PACKET, self._AUXDATA):
                status, *_, tci, tpid = struct.unpack("IIIHHHH", data)
                if status & self._TAG_IN_AUXDATA:
                    return frame[:12] + struct.pack("!HH", tpid, tci) + frame[12:]
        return frame


@CHECKSUMS
def test_good_and_bad_frames_get_the_oracles_answers(
    checksums: str, namespace: Namespace, tmp_path: Path
) -> None:
    good = [case.frame() for case in sample(datagrams(), 150)] + [ask.frame for ask in sample(requests, 60)]
    bad = [case for how in NEEDS for case in sample(spoiled_datagrams(how), 6)] + sample(spoiled, 100)
    # A packet socket sends no less than an Ethernet header and no more than the interface's MTU.
    frames = [frame for frame in (*good, *(case.frame for case in bad)) if 14 <= len(frame) <= 1514]
    oracle = Oracle(MAC, INTERFACES, LISTENERS, host_reply_burst=1_000_000)
    verdicts = [oracle.answer(frame, 0) for frame in frames]
    namespace.run("sysctl", "-qw", "net.ipv6.conf.default.disable_ipv6=1")
    settings = config(
        port={"checksums": checksums, "address": [str(own) for own in INTERFACES]},
        listen=[{"port": port} for port in LISTENERS],
        host=UNLIMITED,
        sessions={"capacity": 4096},
    )
    with TapGate(namespace, settings, tmp_path) as gate:
        tap = Wiretap(namespace)
        with tap.socket:
            for start in range(0, len(frames), BATCH):
                batch = frames[start : start + BATCH]
                for frame in batch:
                    tap.socket.send(frame)
                expected = [verdict.reply for verdict in verdicts[start : start + BATCH] if verdict.reply]
                assert [tap.hear() for _ in expected] == expected
        gate.wait_metric("pollgate_received_packets_total", len(frames))
        ended = ended_well(gate)
    assert ended.received == len(frames)
    assert ended.dropped == Counter(verdict.drop for verdict in verdicts if verdict.drop)
    assert ended.handled == Counter(verdict.kind for verdict in verdicts if verdict.kind)
    assert ended.dropped["udp_checksum"] > 0
    assert ended.dropped["ip_checksum"] > 0


@CHECKSUMS
@FAMILIES
def test_datagram_with_a_wrong_udp_checksum_is_dropped_as_that(
    checksums: str, family: int, namespace: Namespace, tmp_path: Path
) -> None:
    assert _drops_of_a_udp_checksum(0xDEAD, checksums, family, namespace, tmp_path) == {"udp_checksum": 1}


@CHECKSUMS
def test_datagram_without_a_udp_checksum_is_answered_over_ipv4_alone(
    checksums: str, namespace: Namespace, tmp_path: Path
) -> None:
    assert _drops_of_a_udp_checksum(0, checksums, 4, namespace, tmp_path) == {}
    missing = {"udp_checksum_missing": 1}
    assert _drops_of_a_udp_checksum(0, checksums, 6, namespace, tmp_path) == missing


def _drops_of_a_udp_checksum(
    checksum: int, checksums: str, family: int, namespace: Namespace, directory: Path
) -> Counter[str]:
    """Send one datagram, right but for this checksum; what a run of its own counted."""
    (case,) = sample(datagrams(version=family, packet_type=4).filter(lambda case: not case.link.tags), 1)
    namespace.run("sysctl", "-qw", "net.ipv6.conf.default.disable_ipv6=1")
    own = [str(interface) for interface in INTERFACES]
    settings = config(
        port={"checksums": checksums, "address": own}, listen=[{"port": port} for port in LISTENERS]
    )
    with TapGate(namespace, settings, directory) as gate, Wiretap(namespace).socket as tap:
        tap.send(case.frame(udp={"chksum": checksum}))
        gate.wait_metric("pollgate_received_packets_total", 1)
        ended = ended_well(gate)
    assert ended.received == 1
    return ended.dropped


def test_as_many_queues_as_check_allows_start_and_answer(namespace: Namespace, tmp_path: Path) -> None:
    with TapGate(namespace, config(port={"queues": 4}, workers={"cpus": [0]}), tmp_path) as gate:
        namespace.run("ip", "address", "add", f"{PLAYERS4}/24", "dev", INTERFACE)
        with player(namespace) as sock:
            sock.send(message := heartbeat(1, 2))
            assert sock.recv(2048) == acknowledgement(message)
        assert gate.metrics().value("pollgate_port_queues", port="game0") == 4
        assert gate.stop() == 0, gate.stderr
