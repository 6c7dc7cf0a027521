# SPDX-License-Identifier: BSD-3-Clause
"""`pollgate load` with players of profile session: against the gateway, over sockets and over devices."""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from pyshim.config import load_config
from pyshim.issuing.client import Client
from pyshim.load.tickets import issue_tickets, parse_tickets
from tests.gate import Gate
from tests.load.test_command import load, report_of, running, steps_of
from tests.load.test_gateway import GATE4, MIX, OWN4, QUIET, TARGET4, memif, over_memif
from tests.ports import free_port

RELIABLE = ("attack", "chat", "skill", "game")
SAID = f"{MIX},game=3"


@pytest.fixture(scope="module", params=["epoll", "io_uring"])
def gate(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gate]:
    config = {
        "engine": request.param,
        "ports": [{"name": "game0", "address": ["127.0.0.1/8"]}],
        "listen": [{"port": free_port(), "profile": "session"}],
    }
    with Gate(config, tmp_path_factory.mktemp("load")) as running:
        yield running


@pytest.fixture
def target(gate: Gate) -> str:
    return f"127.0.0.1:{load_config(gate.config_path).listen[0].port}"


def received(gate: Gate, kind: str) -> float:
    return gate.metrics().value("pollgate_session_messages_received_total", type=kind)


def test_every_message_of_every_type_is_acknowledged_and_the_gateway_took_it(gate: Gate, target: str) -> None:
    before = {kind: received(gate, kind) for kind in ("move", *RELIABLE)}
    (step,) = steps_of(load(target, *QUIET, "--mix", SAID, "--issue", str(gate.config_path)))
    assert (step["lost"], step["not_sent"], step["duplicated"], step["invalid"]) == (0, 0, 0, 0)
    assert step["sessions"]["connected"] == step["sessions"]["handshakes"] == 50
    for kind, had in before.items():
        assert step["by_type"][kind]["sent"] > 0
        assert received(gate, kind) - had == step["by_type"][kind]["sent"]


def test_in_a_storm_all_players_connect_anew_before_each_step(gate: Gate, target: str) -> None:
    done = load(
        target, "--steps", "200x5,300x5", "--step-seconds", "1", "--drain", "2", "--storm", "--json",
        "--issue", str(gate.config_path),
    )  # fmt: skip
    steps = steps_of(done)
    assert [step["sessions"]["handshakes"] for step in steps] == [200, 300]
    assert [step["sessions"]["closed"] for step in steps] == [0, 200]
    assert all(step["lost"] == 0 and step["sessions"]["connect_s"] > 0 for step in steps)


def test_players_have_the_tickets_of_a_file(gate: Gate, target: str, tmp_path: Path) -> None:
    with Client(load_config(gate.config_path)) as client:
        answers = [
            client.ask("POST", "/v1/sessions", {"player_id": player, "ttl": 600}) for player in (901, 902)
        ]
    file = tmp_path / "tickets"
    file.write_text("\n".join(map(json.dumps, answers)) + "\n\n")
    two = ("--players", "2", "--rate", "20", "--seconds", "1", "--json", "--tickets", str(file))
    (step,) = steps_of(load(target, *two))
    assert step["sessions"]["connected"] == 2
    assert step["lost"] == 0
    too_many = load(target, "--players", "3", "--tickets", str(file))
    assert too_many.returncode == 2
    assert "has 2 tickets for 3 players; each needs one" in too_many.stderr


def test_tickets_that_are_worth_nothing_are_one_sentence(gate: Gate, target: str, tmp_path: Path) -> None:
    with Client(load_config(gate.config_path)) as client:
        answer = client.ask("POST", "/v1/sessions", {"player_id": 911, "ttl": 600})
        issue_tickets(client, [911])  # revokes it
    file = tmp_path / "tickets"
    file.write_text(json.dumps(answer) + "\n")
    done = load(target, "--players", "1", "--seconds", "1", "--tickets", str(file))
    assert (done.returncode, done.stdout) == (69, "")
    assert "0 of 1 players are connected" in done.stderr


@pytest.mark.parametrize(
    ("args", "sentence"),
    [
        (("--tickets", "/nonexistent"), "--tickets: /nonexistent cannot be read: No such file or directory"),
        (("--tickets", "a", "--issue", "b"), "--tickets and --issue exclude each other"),
        (("--mix", "move=1,game=1"), "--mix: game is of players of profile session; give --tickets"),
        (("--storm",), "--storm needs --tickets or --issue"),
    ],
)
def test_options_that_cannot_be_are_refused(args: tuple[str, ...], sentence: str) -> None:
    done = load("127.0.0.1:9", *args)
    assert done.returncode == 2
    assert sentence in " ".join(done.stderr.split())


@pytest.mark.parametrize(
    "line",
    [
        "7",
        "{}",
        '{"session": 0, "key": ""}',
        '{"session": 7, "key": "AAAA"}',
        '{"session": "7", "key": "A"}',
        "{",
    ],
)
def test_a_line_that_is_no_ticket_is_named(line: str) -> None:
    good = json.dumps({"session": 7, "key": "A" * 43})
    with pytest.raises(Exception, match="tickets:3: this is no ticket"):
        parse_tickets(f"{good}\n\n{line}\n", "tickets")


def test_a_gateway_that_goes_away_is_said_and_no_full_queue(tmp_path: Path) -> None:
    config = {
        "engine": "epoll",
        "ports": [{"name": "game0", "address": ["127.0.0.1/8"]}],
        "listen": [{"port": free_port(), "profile": "session"}],
    }
    with Gate(config, tmp_path) as own:
        target = f"127.0.0.1:{load_config(own.config_path).listen[0].port}"
        args = ("--players", "10", "--rate", "50", "--seconds", "600", "--json")
        with running(target, *args, "--issue", str(own.config_path)) as process:
            own.wait_until(lambda: received(own, "move") > 100)
            worker = os.pidfd_open(own.worker_pid())
            own.process.kill()
            assert select.select([worker], [], [], 60)[0] == [worker]  # it ends with the supervisor
            os.close(worker)
            with pytest.raises(subprocess.TimeoutExpired):
                process.wait(timeout=10)  # much is said meanwhile, and little of it leaves
            process.send_signal(signal.SIGINT)
            out, _ = process.communicate(timeout=60)
    (step,) = report_of(out)["steps"]
    assert step["refused_by"] == "nobody listens there (ICMP port unreachable)"
    assert step["refusals"] > 0
    why = step["not_sent_by"]
    assert step["not_sent"] == sum(why.values()) == why["held_back"] + why["not_connected"] > 0
    assert (step["generator"]["limits"], step["limited_by"]) == ([], "target")


def test_players_over_memif_speak_the_profile_session(tmp_path: Path) -> None:
    settings = {
        "eal": {"memory_mib": 128},
        "ports": [{"name": "game0", "device": memif(tmp_path, "server"), "address": [f"{GATE4}/24"]}],
        "listen": [{"port": 8080, "profile": "session"}],
    }
    with Gate(settings, tmp_path) as gate:
        way = over_memif(tmp_path, f"{OWN4}/24")
        (step,) = steps_of(load(TARGET4, *QUIET, "--mix", MIX, "--issue", str(gate.config_path), *way))
        assert step["sessions"]["connected"] == 50
        assert (step["lost"], step["invalid"]) == (0, 0)
        assert received(gate, "move") == step["by_type"]["move"]["sent"]
