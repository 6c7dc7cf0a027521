# SPDX-License-Identifier: BSD-3-Clause
"""The control API while worker processes die and configurations change: it stays, and so do its sessions."""

from __future__ import annotations

import asyncio
import json
import signal
import threading
from pathlib import Path

from pyshim.protocol.client import Chat, Client, Connected, Ticket
from tests.gate import Gate
from tests.issuing.gateway import TOKEN, Answer, Api, configuration, token_file

WAIT_S = 60.0


def test_sessions_are_issued_while_there_is_no_worker_and_are_good_afterwards(tmp_path: Path) -> None:
    async def connect(issued: object) -> None:
        async with Client(Ticket.from_json(json.dumps(issued))) as game:
            first = await asyncio.wait_for(anext(game.events()), WAIT_S)
            assert isinstance(first, Connected)

    with Gate(configuration(tmp_path), tmp_path) as gate:
        api = Api(gate)
        before = api.issue(1)
        gate.kill_worker()
        during = [api.issue(player) for player in range(2, 30)]
        gate.wait_metric("pollgate_worker_restarts_total", 1)
        gate.wait_ready()
        after = api.issue(30)
        assert api("GET", "/v1/sessions").body["issued"] == 30
        for issued in (before, during[0], during[-1], after):
            assert api("GET", f"/v1/sessions/{issued['session']}").status == 200
            asyncio.run(connect(issued))
        assert gate.stop() == 0


def test_a_connected_player_is_still_reached_after_a_restart(tmp_path: Path) -> None:
    async def life(gate: Gate, api: Api) -> None:
        issued = await asyncio.to_thread(api.issue, 1)
        path = f"/v1/sessions/{issued['session']}/messages"

        def send(text: str) -> Answer:
            return api("POST", path, {"type": "chat", "text": text})

        async with Client(Ticket.from_json(json.dumps(issued))) as game:
            events = game.events()
            await asyncio.wait_for(anext(events), WAIT_S)
            await asyncio.to_thread(gate.kill_worker)
            statuses = []
            while not statuses or statuses[-1] != 202:
                answer = await asyncio.to_thread(send, "still there?")
                assert answer.status in (202, 503), answer
                statuses.append(answer.status)
            told = await asyncio.wait_for(anext(events), WAIT_S)
            while not isinstance(told, Chat):
                told = await asyncio.wait_for(anext(events), WAIT_S)
            assert told.text == "still there?"

    with Gate(configuration(tmp_path), tmp_path) as gate:
        asyncio.run(life(gate, Api(gate)))


def test_messages_to_a_worker_that_hangs_are_answered_all_the_same(tmp_path: Path) -> None:
    config = configuration(tmp_path) | {"workers": {"stall_timeout_s": 1.0}}

    async def life(gate: Gate, api: Api) -> None:
        issued = await asyncio.to_thread(api.issue, 1)
        async with Client(Ticket.from_json(json.dumps(issued))) as game:
            await asyncio.wait_for(anext(game.events()), WAIT_S)
            gate.signal_worker(signal.SIGSTOP)
            answer = await asyncio.to_thread(
                api, "POST", f"/v1/sessions/{issued['session']}/messages", {"type": "chat", "text": "hi"}
            )
            assert answer.status == 503
            assert "unknown" in answer.error
            assert (await asyncio.to_thread(api, "GET", "/v1/sessions")).status == 200

    with Gate(config, tmp_path) as gate:
        asyncio.run(life(gate, Api(gate)))
        gate.wait_ready()


def test_a_reload_leaves_the_api_and_its_sessions_alone(tmp_path: Path) -> None:
    config = configuration(tmp_path)
    with Gate(config, tmp_path) as gate:
        api = Api(gate)
        issued = api.issue(1)
        done = threading.Event()
        failures: list[Answer] = []

        def ask_on() -> None:
            while not done.is_set():
                answer = api("GET", f"/v1/sessions/{issued['session']}")
                if answer.status != 200:
                    failures.append(answer)

        asking = threading.Thread(target=ask_on)
        asking.start()
        gate.write_config(config | {"sessions": {**config["sessions"], "idle_timeout_s": 7}})
        gate.reload()
        gate.wait_for_line("configuration reloaded")
        done.set()
        asking.join(10)
        assert failures == []
        assert api.issue(2)


def test_another_token_needs_a_restart_and_the_old_one_stays(tmp_path: Path) -> None:
    config = configuration(tmp_path)
    with Gate(config, tmp_path) as gate:
        gate.write_config(
            configuration(tmp_path, token_file=token_file(tmp_path)) | {"listen": config["listen"]}
        )
        gate.reload()
        assert "control.token_file" in gate.wait_for_line("reload refused")
        assert TOKEN not in gate.stderr
        assert Api(gate)("GET", "/v1/sessions").status == 200


def test_the_end_of_the_gateway_is_not_held_up_by_who_asks(tmp_path: Path) -> None:
    with Gate(configuration(tmp_path), tmp_path) as gate:
        api = Api(gate)
        done = threading.Event()

        def ask_on() -> None:
            while not done.is_set():
                try:
                    api("GET", "/v1/sessions")
                except (OSError, ValueError):
                    return

        asking = [threading.Thread(target=ask_on) for _ in range(4)]
        for thread in asking:
            thread.start()
        try:
            assert gate.stop() == 0
        finally:
            done.set()
        for thread in asking:
            thread.join(10)
        assert "Traceback" not in gate.stderr
        assert "unexpectedly" not in gate.stderr
