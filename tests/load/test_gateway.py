# SPDX-License-Identifier: BSD-3-Clause
"""`pollgate load` against the gateway itself: over DPDK devices, and through a kernel at the other end."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from tests.gate import Gate
from tests.load.test_command import load, steps_of
from tests.network.namespace import GATE4, GATE6, GATE_MAC, PLAYERS_INTERFACE, Wire, why_not
from tests.network.players import Growth, NetworkGate, config, serving
from tests.ports import free_port

PORT = 8080
TARGET4, TARGET6 = f"{GATE4}:{PORT}", f"[{GATE6}]:{PORT}"
OWN4, OWN6 = "10.0.0.50", "fd00::50"  # of players over a device; the kernel of their namespace has others
QUIET = ("--players", "50", "--rate", "20", "--seconds", "1", "--drain", "2", "--json")
MIX = "move=40,attack=20,chat=20,heartbeat=10,skill=10"
KINDS = ("move", "attack", "chat", "heartbeat", "skill")


@pytest.fixture(scope="module")
def wire() -> Iterator[Wire]:
    if reason := why_not():
        pytest.skip(reason)
    with Wire() as laid:
        yield laid


@pytest.fixture(scope="module")
def gate(wire: Wire, tmp_path_factory: pytest.TempPathFactory) -> Iterator[NetworkGate]:
    with serving(wire, config(), tmp_path_factory.mktemp("load")) as running:
        yield running


@pytest.fixture
def own_wire() -> Iterator[Wire]:
    """Without the module's gateway, which answers whatever another one on its wire refuses."""
    if reason := why_not():
        pytest.skip(reason)
    with Wire() as laid:
        yield laid


def over_af_packet(*addresses: str) -> tuple[str, ...]:
    given = [word for address in addresses for word in ("--address", address)]
    return ("--device", f"net_af_packet0,iface={PLAYERS_INTERFACE},framecnt=2048", *given)


def agree(gate: Gate, step: dict[str, object], grown: Growth) -> None:
    """What the players say, the gateway says too: every message was handled, by type, and acknowledged."""
    assert (step["lost"], step["duplicated"], step["reordered"], step["invalid"]) == (0, 0, 0, 0)
    by_type = step["by_type"]
    assert isinstance(by_type, dict)
    for kind in KINDS:
        sent = by_type[kind]["sent"]
        assert sent == by_type[kind]["acknowledged"] > 0
        gate.wait_until(lambda kind=kind, sent=sent: grown.handled(kind) == sent)  # type: ignore[misc]


@pytest.mark.parametrize("target", [TARGET4, TARGET6], ids=["ipv4", "ipv6"])
def test_players_of_the_kernel_agree_with_the_gateway(gate: NetworkGate, wire: Wire, target: str) -> None:
    grown = Growth(gate)
    done = load(target, *QUIET, "--mix", MIX, before=wire.players.prefix)
    agree(gate, steps_of(done)[0], grown)
    assert grown.of("pollgate_sessions_admitted_total") == 50


@pytest.mark.parametrize(
    ("target", "own"), [(TARGET4, f"{OWN4}/24"), (TARGET6, f"{OWN6}/64")], ids=["ipv4", "ipv6"]
)
def test_players_over_a_device_agree_with_the_gateway(
    gate: NetworkGate, wire: Wire, target: str, own: str
) -> None:
    grown = Growth(gate)
    done = load(target, *QUIET, "--mix", MIX, *over_af_packet(own), before=wire.players.prefix)
    agree(gate, steps_of(done)[0], grown)
    assert grown.of("pollgate_sessions_admitted_total") == 50


def test_players_over_a_device_spread_over_their_addresses(gate: NetworkGate, wire: Wire) -> None:
    grown = Growth(gate)
    own = ("10.0.0.61/24", "10.0.0.62/24")
    done = load(TARGET4, *QUIET, "--target-mac", GATE_MAC, *over_af_packet(*own), before=wire.players.prefix)
    assert steps_of(done)[0]["lost"] == 0
    assert grown.of("pollgate_sessions_admitted_total") == 50


def test_what_the_gateway_refuses_is_lost(gate: NetworkGate, wire: Wire) -> None:
    grown = Growth(gate)
    own = over_af_packet("10.0.0.71/24")
    assert steps_of(load(TARGET4, *QUIET, *own, before=wire.players.prefix))[0]["lost"] == 0
    # The same addresses and ports as other players: their sessions are taken, all but those that are new.
    others = ("--players", "51", *QUIET[2:], "--first-player-id", "1000")
    (step,) = steps_of(load(TARGET4, *others, *own, before=wire.players.prefix))
    assert step["acknowledged"] > 0
    assert step["lost"] == grown.dropped("player_mismatch") > 900


def test_an_interface_that_is_in_another_namespace_does_not_exist(gate: NetworkGate) -> None:
    done = load(TARGET4, *QUIET, *over_af_packet(f"{OWN4}/24"))
    assert done.returncode == 69
    assert f"--device: iface={PLAYERS_INTERFACE}: no such interface" in done.stderr


def test_a_way_that_is_not_there_is_one_sentence(wire: Wire) -> None:
    done = load("198.51.100.1:8080", *QUIET, before=wire.players.prefix)
    assert (done.returncode, done.stdout) == (69, "")
    assert "no way leads to UDP 198.51.100.1:8080" in done.stderr


# ---------------------------------------------------------------- memif: a gateway in another process


def memif(directory: Path, role: str) -> str:
    return f"net_memif0,role={role},socket-abstract=no,socket={directory}/memif.sock"


@pytest.fixture
def memif_gate(tmp_path: Path) -> Iterator[Gate]:
    settings = {
        "eal": {"memory_mib": 128},
        "ports": [
            {"name": "game0", "device": memif(tmp_path, "server"), "address": [f"{GATE4}/24", f"{GATE6}/64"]}
        ],
    }
    with Gate(settings, tmp_path) as running:
        yield running


def over_memif(directory: Path, *addresses: str) -> Sequence[str]:
    given = [word for address in addresses for word in ("--address", address)]
    return ("--device", memif(directory, "client"), *given)


@pytest.mark.parametrize(
    ("target", "own"), [(TARGET4, f"{OWN4}/24"), (TARGET6, f"{OWN6}/64")], ids=["ipv4", "ipv6"]
)
def test_players_over_memif_agree_with_the_gateway(
    memif_gate: Gate, tmp_path: Path, target: str, own: str
) -> None:
    grown = Growth(memif_gate)
    cpu = ("--cpu", str(min(os.sched_getaffinity(0))))
    done = load(target, *QUIET, "--mix", MIX, *over_memif(tmp_path, own), *cpu)
    agree(memif_gate, steps_of(done)[0], grown)


def test_a_window_over_memif_is_as_fast_as_the_gateway(memif_gate: Gate, tmp_path: Path) -> None:
    grown = Growth(memif_gate)
    args = ("--players", "100", "--window", "32", "--seconds", "1", "--json")
    (step,) = steps_of(load(TARGET4, *args, *over_memif(tmp_path, f"{OWN4}/24")))
    assert step["acknowledged"] > 1000
    assert sum(grown.handled(kind) for kind in KINDS) >= step["acknowledged"]


def test_memif_without_anyone_at_its_other_end_is_one_sentence(tmp_path: Path) -> None:
    done = load(TARGET4, *QUIET, *over_memif(tmp_path, f"{OWN4}/24"))
    assert (done.returncode, done.stdout, len(done.stderr.splitlines())) == (69, "", 1), done.stderr
    assert "memif.sock" in done.stderr


def test_players_of_a_veth_without_checksums_are_led_to_the_cause(own_wire: Wire, tmp_path: Path) -> None:
    with serving(own_wire, config(), tmp_path) as gate:
        own_wire.players.run("ethtool", "-K", PLAYERS_INTERFACE, "tx", "on")
        done = load(TARGET4, *QUIET, before=own_wire.players.prefix)
        assert done.returncode == 69
        assert "ethtool -K INTERFACE tx off" in done.stderr
        gate.wait_for_line(
            r"warning: .* packets were dropped as udp_checksum: .*ethtool -K INTERFACE tx off$"
        )


def test_players_of_the_profile_plain_at_a_session_listener_are_led_to_the_cause(tmp_path: Path) -> None:
    port = free_port()
    settings = {
        "engine": "epoll",
        "ports": [{"name": "lo", "address": ["127.0.0.1/8"]}],
        "listen": [{"port": port, "profile": "session"}],
        "control": {"listen": f"unix:{tmp_path}/control.sock"},
    }
    with Gate(settings, tmp_path) as gate:
        done = load(f"127.0.0.1:{port}", *QUIET)
        assert done.returncode == 69
        assert "profile: session takes none of these" in done.stderr
        gate.wait_for_line(r"warning: .* packets were dropped as session_header: .*profile: plain")


def test_players_beyond_a_limit_are_led_to_it(own_wire: Wire, tmp_path: Path) -> None:
    limited = config(listen=[{"port": PORT, "limits": {"source_pps": 10, "source_burst": 10}}])
    with serving(own_wire, limited, tmp_path) as gate:
        done = load(TARGET4, *QUIET[:-1], before=own_wire.players.prefix)
        assert done.returncode == 0
        assert "source_rate_limited, say, is a limit of all players" in " ".join(done.stdout.split())
        gate.wait_for_line(r"warning: .* packets were dropped as source_rate_limited: .*source_pps")


def test_players_of_two_gateways_with_one_address_are_led_to_it(own_wire: Wire, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    with (
        serving(own_wire, config(), tmp_path),
        serving(own_wire, config(), tmp_path / "other", beside_another=True),
    ):
        done = load(TARGET4, *QUIET[:-1], before=own_wire.players.prefix)
    assert done.returncode == 0
    assert re.search(r"[1-9][\d,]* duplicated", done.stdout)
    assert "does another gateway have this address, too?" in " ".join(done.stdout.split())
