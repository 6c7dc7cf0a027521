# SPDX-License-Identifier: BSD-3-Clause
"""Players of the client in JavaScript against the gateway, over sockets: two readings of one document."""

from __future__ import annotations

import json
import random
import struct
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.gate import Gate
from tests.issuing.gateway import Api, configuration
from tests.javascript.players import ATTACK, BULK, CHAT, MOVE, PATIENCE_S, SKILL, Player
from tests.readme.documents import fences

pytestmark = pytest.mark.timeout(5 * PATIENCE_S)
TTL_S = 3600


@pytest.fixture
def gate(tmp_path: Path) -> Iterator[Gate]:
    with Gate(configuration(tmp_path), tmp_path) as running:
        yield running


@pytest.fixture
def api(gate: Gate) -> Api:
    return Api(gate)


def test_player_connects_moves_and_leaves(gate: Gate, api: Api) -> None:
    ticket = api.issue(7, TTL_S)
    with Player(ticket) as alice:
        (welcome,) = alice.heard("connected")
        assert (welcome["playerId"], welcome["maxDatagram"]) == (7, 1400)
        alice.send(MOVE, {"position": [1.5, -2.25, 3.0], "velocity": [0, 1, 0]})
        gate.wait_metric("pollgate_session_messages_received_total", 1, type="move")
        alice.do("close")
        alice.heard("closed")
        assert alice.heard("ended")[0]["reason"] == "left"
    assert api("GET", f"/v1/sessions/{ticket['session']}").body["position"] == [1.5, -2.25, 3.0]
    gate.wait_metric("pollgate_session_closed_total", 1, reason="left")


def test_everything_that_can_be_said_is_heard_by_whom_it_is_for(api: Api) -> None:
    data = random.Random(1).randbytes(65_528)
    with Player(api.issue(7, TTL_S)) as alice, Player(api.issue(8, TTL_S)) as bob:
        for player in (alice, bob):
            player.heard("connected")
        alice.send(ATTACK, {"targetId": 8, "attackId": 77, "direction": [0, 1, -1]})
        alice.send(SKILL, {"skillId": 9, "targetId": 8}, priority=0)
        alice.chat("héllo ✓\0", 8, channel=1)
        bob.chat("compressible " * 30, 8, channel=3)
        alice.send(BULK, {"targetId": 8, "data": data}, channel=2, priority=2)
        alice.send(BULK, {"targetId": 8, "data": bytes(65_528)}, channel=2, priority=2)
        assert bob.messages("ATTACK_EVENT") == [
            {"playerId": 7, "targetId": 8, "attackId": 77, "direction": [0, 1, -1]}
        ]
        assert bob.messages("SKILL_EVENT") == [{"playerId": 7, "skillId": 9, "targetId": 8}]
        chats = bob.messages("CHAT_EVENT", 2)
        assert sorted((chat["playerId"], chat["text"]) for chat in chats) == [
            (7, "héllo ✓\0"),
            (8, "compressible " * 30),
        ]
        assert [bulk["data"] for bulk in bob.messages("BULK_EVENT", 2)] == [data, bytes(65_528)]
        alice.heard("delivered", 5)
        # A message is passed on with the reliability, channel and priority with which it came.
        how = {m["name"]: (m["reliable"], m["channel"], m["priority"]) for m in bob.heard("message", 6)}
        assert how["SKILL_EVENT"] == (True, 0, 0)
        assert how["BULK_EVENT"] == (True, 2, 2)


def test_a_hundred_chats_at_once_are_all_delivered_in_order(gate: Gate, api: Api) -> None:
    with Player(api.issue(7, TTL_S)) as alice:
        alice.heard("connected")
        for number in range(100):
            alice.chat(str(number), 7)
        chats = alice.messages("CHAT_EVENT", 100)
        assert [chat["text"] for chat in chats] == [str(number) for number in range(100)]
        alice.heard("delivered", 100)
        assert not [event for event, _ in alice.events if event == "ended"]


def test_at_a_fifth_lost_both_ways_everything_arrives_once_and_in_order(api: Api) -> None:
    data = random.Random(2).randbytes(65_528)
    with Player(api.issue(7, TTL_S), loss=0.2) as alice, Player(api.issue(8, TTL_S), loss=0.2) as bob:
        for player in (alice, bob):
            player.heard("connected")
        alice.send(BULK, {"targetId": 8, "data": data}, channel=1, priority=2)
        for number in range(30):
            alice.chat(str(number), 8)
        assert [chat["text"] for chat in bob.messages("CHAT_EVENT", 30)] == [str(n) for n in range(30)]
        assert bob.messages("BULK_EVENT")[0]["data"] == data
        alice.heard("delivered", 31)


def test_player_on_another_network_goes_on_under_another_number(gate: Gate, api: Api) -> None:
    with Player(api.issue(7, TTL_S)) as alice:
        alice.heard("connected")
        numbers = set()
        for step in range(3):
            alice.chat(str(step), 7)
            alice.messages("CHAT_EVENT", step + 1)
            alice.heard("delivered", step + 1)
            numbers.add(alice.status()["number"])
            alice.do("networkChanged")
            alice.heard("moved", step + 1)
        alice.chat("3", 7)
        assert [chat["text"] for chat in alice.messages("CHAT_EVENT", 4)] == ["0", "1", "2", "3"]
        numbers.add(alice.status()["number"])
    assert len(numbers) == 4
    gate.wait_metric("pollgate_session_path_changes_total", 3)


def test_crash_of_the_worker_costs_nobody_anything(gate: Gate, api: Api) -> None:
    with Player(api.issue(7, TTL_S)) as alice:
        alice.heard("connected")
        for number in range(10):
            alice.chat(str(number), 7)
        alice.messages("CHAT_EVENT", 10)
        alice.heard("delivered", 10)
        gate.kill_worker()
        for number in range(10, 20):
            alice.chat(str(number), 7)
        alice.heard("delivered", 20)
        (restarted,) = alice.heard("restarted")
        chats = alice.messages("CHAT_EVENT", 20 - restarted["lost"][0])
        assert chats[-1]["text"] == "19"
        assert not [event for event, _ in alice.events if event in ("ended", "reset")]


@pytest.mark.parametrize("reason", ["replaced", "revoked"])
def test_end_of_a_connection_is_told_with_its_reason(api: Api, reason: str) -> None:
    ticket = api.issue(7, TTL_S)
    with Player(ticket) as alice:
        alice.heard("connected")
        if reason == "replaced":
            with Player(ticket) as again:
                again.heard("connected")
                assert alice.heard("ended")[0]["reason"] == reason
        else:
            api.issue(7, TTL_S)
            assert alice.heard("ended")[0]["reason"] == reason
        alice.heard("closed")


def test_refusals_are_told_to_who_has_the_ticket(api: Api) -> None:
    once = api.issue(7, TTL_S, once=True)
    with Player(once) as alice:
        alice.heard("connected")
        alice.chat("used up", 7)
        alice.heard("delivered")
    with Player(once) as again:
        assert again.heard("refused")[0]["reason"] == "consumed"
    revoked = api.issue(8, TTL_S)
    api.issue(8, TTL_S)
    with Player(revoked) as bob:
        assert bob.heard("refused")[0]["reason"] == "revoked"
    with Player({**once, "key": "A" * 43}) as mallory:
        assert mallory.heard("refused")[0]["reason"] == "timeout"


def test_ping_is_answered(api: Api) -> None:
    with Player(api.issue(7, TTL_S)) as alice:
        alice.heard("connected")
        alice.do("ping")
        assert alice.heard("pong")[0]["roundTripMs"] >= 0


def test_types_of_the_game_that_nobody_takes_end_nothing(api: Api) -> None:
    with Player(api.issue(7, TTL_S)) as alice:
        alice.heard("connected")
        alice.send(100, struct.pack("<I", 1))
        alice.send(CHAT, {"targetId": 7, "text": "still here"})
        alice.heard("delivered", 2)
        assert alice.messages("CHAT_EVENT")[0]["text"] == "still here"


def test_what_the_operator_says_is_heard(api: Api) -> None:
    ticket = api.issue(7, TTL_S)
    with Player(ticket) as alice:
        alice.heard("connected")
        said = {"type": "chat", "text": "server restarts at noon"}
        answer = api("POST", f"/v1/sessions/{ticket['session']}/messages", said)
        assert answer.status == 202, answer
        chat = alice.messages("CHAT_EVENT")[0]
        assert (chat["playerId"], chat["text"]) == (0, said["text"])


def test_program_of_the_readme_says_hello(api: Api, tmp_path: Path) -> None:
    client = Path(__file__).parents[2] / "client" / "javascript"
    readme = (client / "README.md").read_text()
    ((_, _, script),) = [fence for fence in fences(readme) if fence[0] == "js"]
    assert "'./client/javascript/index.js'" in script
    program = script.replace("./client/javascript/index.js", str(client / "index.js"))
    ticket = "const { session, key, address } = JSON.parse(process.argv[2]);\n"
    path = tmp_path / "program.mjs"
    path.write_text(ticket + program)
    with Player(api.issue(8, TTL_S)) as bob:
        bob.heard("connected")
        command = ("setpriv", "--pdeathsig", "KILL", "node", str(path), json.dumps(api.issue(7, TTL_S)))
        with subprocess.Popen(command) as alice:
            try:
                (said,) = bob.messages("CHAT_EVENT")
            finally:
                alice.kill()
    assert (said["playerId"], said["text"]) == (7, "hello")
