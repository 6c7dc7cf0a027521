# SPDX-License-Identifier: BSD-3-Clause
"""The example player over a real socket, built with ASan and UBSan, against the model gateway."""

from __future__ import annotations

import base64
import json
import os
import signal
import subprocess
import time
from pathlib import Path

import pytest

from pyshim.protocol.client.ticket import Ticket
from pyshim.protocol.session_wire import CloseReason, Denial, MessageType
from tests.client.installed import Installed
from tests.session.model_server import ModelServer


def run(player: Path, *arguments: str, ticket: str | None = None) -> subprocess.CompletedProcess[str]:
    command = [str(player), *(["--ticket", "-"] if ticket is not None else []), *arguments]
    return subprocess.run(command, input=ticket, capture_output=True, text=True, timeout=60, check=False)


def json_of(ticket: Ticket, **changes: str) -> str:
    found = {"session": ticket.session, "key": ticket.key.hex(), "address": f"{ticket.host}:{ticket.port}"}
    return json.dumps(found | changes)


def test_player_connects_walks_chats_and_leaves(player: Path) -> None:
    with ModelServer() as server:
        done = run(player, "--seconds", "1", "--say", "hello", ticket=server.issue_json(7))
        assert done.returncode == 0, done.stderr + done.stdout
        first, *between, last = done.stdout.splitlines()
        assert first == "connected: player 7, datagrams of 1400 bytes, for 3600 s"
        assert sorted(between) == ["chat: player 7: hello", "delivered: 1"]
        assert last == "closed: left"
        moves = [body for _, number, body in server.gateway.taken if number == MessageType.MOVE]
        assert len(moves) > 5
        assert server.gateway.seat(7)[1].keys is None, "it has said goodbye"


def test_player_takes_its_ticket_from_arguments(player: Path) -> None:
    with ModelServer() as server:
        ticket = server.issue(7)
        arguments = ["--session", str(ticket.session), "--key", ticket.key.hex()]
        done = run(player, *arguments, "--address", f"{ticket.host}:{ticket.port}", "--seconds", "0.1")
        assert done.returncode == 0, done.stderr + done.stdout


def test_key_may_be_base64url_as_it_is_issued(player: Path) -> None:
    with ModelServer() as server:
        ticket = server.issue(7)
        key = base64.urlsafe_b64encode(ticket.key).rstrip(b"=").decode()
        done = run(player, "--seconds", "0.1", ticket=json_of(ticket, key=key))
        assert done.returncode == 0, done.stderr + done.stdout


def test_ticket_may_be_a_file_and_its_address_ipv6(player: Path, tmp_path: Path) -> None:
    path = tmp_path / "ticket.json"
    path.write_text(json.dumps({"session": 5, "key": "ab" * 32, "address": "[::1]:9"}))
    done = run(player, "--ticket", str(path), "--seconds", "0.1")
    assert done.returncode == 3, done.stderr
    assert done.stdout == "closed: the gateway did not answer\n"


@pytest.mark.parametrize(
    "ticket",
    [
        "",
        "{}",
        '{"session": 5, "key": "abc", "address": "127.0.0.1:9"}',
        json.dumps({"session": 5, "key": "zz" * 32, "address": "127.0.0.1:9"}),
        json.dumps({"session": 5, "key": "ab" * 32, "address": "127.0.0.1"}),
        json.dumps({"session": 0, "key": "ab" * 32, "address": "127.0.0.1:9"}),
        "x" * 10_000,
    ],
)
def test_ticket_that_cannot_be_is_a_usage_error(player: Path, ticket: str) -> None:
    assert run(player, ticket=ticket).returncode == 2


@pytest.mark.parametrize("arguments", [[], ["--seconds"], ["--fly", "high"], ["--ticket", "/nowhere"]])
def test_wrong_arguments_are_a_usage_error(player: Path, arguments: list[str]) -> None:
    done = run(player, *arguments)
    assert done.returncode == 2
    assert "usage: player" in done.stderr


def test_denied_player_exits_so(player: Path) -> None:
    with ModelServer() as server:
        ticket = server.issue_json(7)
        server.gateway.seat(7)[1].denial = Denial.REVOKED
        done = run(player, ticket=ticket)
        assert done.returncode == 4
        assert done.stdout == "closed: denied: the session was revoked\n"


def test_player_whose_connection_ends_early_exits_so(player: Path) -> None:
    with ModelServer() as server:
        process = subprocess.Popen(
            [player, "--ticket", "-", "--seconds", "30"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(server.issue_json(7))
        process.stdin.close()
        assert process.stdout.readline().startswith("connected")
        with server.lock:
            server.send(server.gateway.close(7, CloseReason.SHUTDOWN))
        assert process.stdout.readline() == "closed: the gateway shuts down\n"
        assert process.wait(10) == 5


def test_two_players_write_to_each_other(player: Path) -> None:
    with ModelServer() as server:
        processes = []
        for me, other in ((7, 8), (8, 7)):
            process = subprocess.Popen(
                [player, "--ticket", "-", "--seconds", "3", "--say", f"from {me}", "--to", str(other)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
            )
            assert process.stdin is not None
            process.stdin.write(server.issue_json(me))
            process.stdin.close()
            assert process.stdout is not None
            assert process.stdout.readline().startswith("connected")  # before the other comes
            processes.append(process)
        outputs = []
        for process in processes:
            assert process.stdout is not None
            outputs.append(process.stdout.read())
            assert process.wait(10) == 0
    # The first wrote before the second was there: the second's words reach the first for certain.
    assert "chat: player 8: from 8" in outputs[0]


def test_stopped_player_comes_back(player: Path) -> None:
    """A game on a phone sleeps, and its socket with it."""
    with ModelServer() as server:
        process = subprocess.Popen(
            [player, "--ticket", "-", "--seconds", "3"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(server.issue_json(7))
        process.stdin.close()
        assert process.stdout.readline().startswith("connected")
        os.kill(process.pid, signal.SIGSTOP)
        time.sleep(0.5)
        os.kill(process.pid, signal.SIGCONT)
        assert process.stdout.read() == "closed: left\n"
        assert process.wait(10) == 0


def test_example_without_sanitizers_does_the_same(installed: Installed) -> None:
    plain = installed.build_player("plain-player")
    with ModelServer() as server:
        done = run(plain, "--seconds", "0.2", "--say", "hi", ticket=server.issue_json(7))
        assert done.returncode == 0, done.stderr + done.stdout
