# SPDX-License-Identifier: BSD-3-Clause
"""`pollgate load` against every engine: what it says is lost is what was dropped on the way, exactly."""

from __future__ import annotations

import itertools
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.engines.engines import ALL, SOCKET_ENGINES, everything
from tests.engines.rules import dropping, every
from tests.load.test_command import COMMAND, load, report_of, steps_of
from tests.network.namespace import GATE4, GATE6, Wire
from tests.network.players import KINDS, PORT, Growth, NetworkGate, is_balanced, serving

TARGETS = {4: f"{GATE4}:{PORT}", 6: f"[{GATE6}]:{PORT}"}
PLAYERS, MESSAGES = 50, 1000
ELSEWHERE = 8090  # where a gateway of a test's own listens, beside the others'
LOAD = ("--players", str(PLAYERS), "--rate", "40", "--seconds", "0.5", "--drain", "1", "--json")
HOSTS = itertools.count(100)
MIX = ("--mix", "move=40,attack=20,chat=20,heartbeat=10,skill=10")


@pytest.fixture(scope="module")
def gate(wire: Wire, engine: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[NetworkGate]:
    with serving(wire, everything(engine), tmp_path_factory.mktemp("load")) as running:
        yield running


def run_load(wire: Wire, family: int, *args: str) -> subprocess.CompletedProcess[str]:
    """From an address that nobody had: a session outlives the socket whose port a later one may get."""
    number = next(HOSTS)
    own, length = (f"10.0.0.{number}", 24) if family == 4 else (f"fd00::{number:x}", 64)
    wire.add_address(f"{own}/{length}", "nodad")
    return load(TARGETS[family], *LOAD, *args, "--address", own, before=wire.players.prefix)


def play(wire: Wire, family: int) -> dict[str, Any]:
    """One step of players; nothing but loss happened to their messages."""
    (step,) = steps_of(run_load(wire, family, *MIX))
    assert (step["sent"], step["not_sent"]) == (MESSAGES, 0)
    assert [step[wrong] for wrong in ("duplicated", "reordered", "invalid", "stray")] == [0] * 4
    return step


def handled(grown: Growth) -> dict[str, int]:
    return {kind: grown.handled(kind) for kind in KINDS}


def counts(step: dict[str, Any], what: str) -> dict[str, int]:
    return {kind: step["by_type"][kind][what] for kind in KINDS}


@ALL
def test_without_loss_every_message_is_acknowledged_once_and_the_gateway_says_the_same(
    gate: NetworkGate, wire: Wire
) -> None:
    grown = Growth(gate)
    step = play(wire, 4)
    assert (step["acknowledged"], step["lost"]) == (MESSAGES, 0)
    assert min(counts(step, "sent").values()) > 0
    assert counts(step, "acknowledged") == counts(step, "sent") == handled(grown)
    assert grown.of("pollgate_sessions_admitted_total") == PLAYERS
    assert grown.of("pollgate_transmit_drops_total") == 0


@ALL
def test_answers_that_are_dropped_before_the_players_are_what_is_lost(gate: NetworkGate, wire: Wire) -> None:
    grown = Growth(gate)
    answers = ("-p", "udp", "--sport", str(PORT))
    with dropping(wire.players, "INPUT", *answers, *every(7), family=6) as rule:
        step = play(wire, 6)
        assert step["lost"] == rule.packets() == 143
    assert step["limited_by"] in ("target", "generator")  # never "none": it lost something
    assert handled(grown) == counts(step, "sent")
    # A player may have an answer before it counts as sent.
    gate.wait_until(lambda: is_balanced(gate.metrics()))
    assert grown.of("pollgate_port_transmit_packets_total") >= MESSAGES


@pytest.mark.parametrize("engine", SOCKET_ENGINES, indirect=True, scope="module")
def test_requests_that_are_dropped_before_the_gateway_are_what_is_lost(gate: NetworkGate, wire: Wire) -> None:
    grown = Growth(gate)
    requests = ("-p", "udp", "--dport", str(PORT))
    with dropping(wire.gate, "INPUT", *requests, *every(9)) as rule:
        step = play(wire, 4)
        assert step["lost"] == rule.packets() == 112
    assert handled(grown) == counts(step, "acknowledged")
    assert grown.of("pollgate_received_packets_total") == step["acknowledged"] == MESSAGES - step["lost"]
    assert grown.of("pollgate_drops_total") == grown.of("pollgate_port_receive_missed_total") == 0


@pytest.mark.parametrize("engine", SOCKET_ENGINES, indirect=True, scope="module")
def test_a_mute_gateway_is_one_sentence_to_the_players(gate: NetworkGate, wire: Wire) -> None:
    grown = Growth(gate)
    with dropping(wire.gate, "OUTPUT", "-p", "udp", "--sport", str(PORT)):
        done = run_load(wire, 4)
    assert (done.returncode, done.stdout) == (69, "")
    assert f"{TARGETS[4]} answered none of {MESSAGES:,} messages" in done.stderr
    # Every one was handled; the kernel refused to send the answers.
    assert grown.of("pollgate_messages_total") == MESSAGES
    assert grown.of("pollgate_transmit_drops_total", reason="refused") == MESSAGES


def play_until_refused(
    wire: Wire, gate: NetworkGate, taken: str, *args: str, port: int = PORT
) -> tuple[dict[str, Any], int]:
    """A step in which the players' firewall begins to drop every third packet, and how many it dropped.

    Args:
        taken: a metric that grows with the messages that the gateway takes.
    """
    own = f"10.0.0.{next(HOSTS)}"
    wire.add_address(f"{own}/24", "nodad")
    before = gate.metrics().value(taken)
    twenty_a_second = ("--players", "50", "--rate", "20", "--seconds", "600", "--json", "--address", own)
    command = [*wire.players.prefix, *COMMAND, f"{GATE4}:{port}", *twenty_a_second, *args]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            gate.wait_metric(taken, before + 500)
            with dropping(wire.players, "OUTPUT", "-p", "udp", "--dport", str(port), *every(3)) as rule:
                gate.wait_until(lambda: rule.packets() > 100)
                process.send_signal(signal.SIGINT)
                out, err = process.communicate(timeout=60)
                dropped = rule.packets()
        finally:
            process.kill()
    assert err == ""
    (step,) = report_of(out)["steps"]
    assert step["refused_by"].startswith("a firewall of this host lets nothing out to there")
    assert step["generator"]["limits"] == []
    return step, dropped


@pytest.mark.parametrize("engine", ["epoll"], indirect=True, scope="module")
def test_messages_that_the_players_firewall_refuses_are_counted_as_that(
    gate: NetworkGate, wire: Wire
) -> None:
    step, dropped = play_until_refused(wire, gate, "pollgate_messages_total")
    assert step["not_sent_by"] == {"queue_full": 0, "refused": dropped, "not_connected": 0, "held_back": 0}
    assert step["refusals"] == step["not_sent"] == dropped


@pytest.mark.parametrize("engine", ["epoll"], indirect=True, scope="module")
def test_in_a_session_what_is_not_repeated_and_was_refused_is_not_sent(
    wire: Wire, engine: str, tmp_path: Path
) -> None:
    config = everything(engine, listen=[{"port": ELSEWHERE, "profile": "session"}])
    with serving(wire, config, tmp_path) as gate:
        issued = ("--mix", "move=1", "--issue", str(gate.config_path))
        taken = "pollgate_session_messages_received_total"
        step, dropped = play_until_refused(wire, gate, taken, *issued, port=ELSEWHERE)
    # Datagrams without a message were refused, too: acknowledgements, and after the step the goodbyes.
    assert 0 < step["not_sent_by"]["refused"] <= step["refusals"] <= dropped
