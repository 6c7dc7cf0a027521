# SPDX-License-Identifier: BSD-3-Clause
"""Two queues: the kernel spreads the players' flows over them (PACKET_FANOUT), as a card's RSS would."""

from __future__ import annotations

import os
from collections.abc import Iterator
from functools import partial
from typing import Any

import pytest

from tests.network.namespace import Wire
from tests.network.players import (
    KINDS,
    Crowd,
    Growth,
    NetworkGate,
    all_play,
    config,
    heartbeat,
    is_balanced,
    serving,
)

PLAYERS = 300  # that all of them hash to one of two queues has a probability of 2 ** -299


def two_queues(cpus: list[int]) -> dict[str, Any]:
    return config(device=",qpairs=2", port={"queues": 2}, workers={"cpus": cpus})


@pytest.fixture(scope="module")
def cpus() -> list[int]:
    return sorted(os.sched_getaffinity(0))[:2]


@pytest.fixture(scope="class")
def two_workers(
    wire: Wire, cpus: list[int], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[NetworkGate]:
    if len(cpus) < 2:
        pytest.skip("this process may use one CPU only: no two workers")
    with serving(wire, two_queues(cpus), tmp_path_factory.mktemp("two")) as running:
        yield running


@pytest.fixture(scope="class")
def one_worker(
    wire: Wire, cpus: list[int], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[NetworkGate]:
    with serving(wire, two_queues(cpus[-1:]), tmp_path_factory.mktemp("one")) as running:
        yield running


def keeps_books(gate: NetworkGate, worker: str) -> bool:
    return is_balanced(gate.metrics(), worker=worker)


class TestAWorkerPerQueue:
    def test_both_workers_serve_and_every_player_is_one_session_of_one_of_them(
        self, two_workers: NetworkGate, crowd: Crowd
    ) -> None:
        grown = Growth(two_workers)
        players = crowd.players(PLAYERS) + crowd.players(PLAYERS, family=6)
        for _ in range(2):
            all_play(players)
        by_worker = [grown.of("pollgate_sessions_admitted_total", worker=worker) for worker in "01"]
        assert min(by_worker) > 0
        assert sum(by_worker) == 2 * PLAYERS
        assert grown.of("pollgate_sessions", state="active") == 2 * PLAYERS
        moves = [grown.of("pollgate_messages_total", worker=worker, type="move") for worker in "01"]
        assert moves == [2 * admitted for admitted in by_worker]

    def test_ipv4_fragments_come_joined_whatever_the_release(
        self, two_workers: NetworkGate, crowd: Crowd
    ) -> None:
        grown = Growth(two_workers)
        crowd.player().is_ignored(bytes(3000))
        assert (grown.dropped("ip_fragment"), grown.dropped("too_long")) == (0, 1)

    def test_each_worker_keeps_its_own_books(self, two_workers: NetworkGate, crowd: Crowd) -> None:
        all_play(crowd.players(PLAYERS))
        for worker in "01":
            two_workers.wait_until(partial(keeps_books, two_workers, worker))

    def test_after_a_crash_every_player_meets_the_worker_that_has_its_session(
        self, two_workers: NetworkGate, crowd: Crowd
    ) -> None:
        players = crowd.players(PLAYERS)
        all_play(players)
        grown = Growth(two_workers)
        two_workers.kill_worker()
        two_workers.wait_metric("pollgate_worker_restarts_total", 1)
        two_workers.wait_ready()
        for player in players:
            player.is_ignored(heartbeat(player.id + 1))
        assert grown.of("pollgate_sessions_admitted_total") == 0
        assert grown.of("pollgate_sessions", state="active") == 0
        assert grown.dropped("player_mismatch") == PLAYERS


class TestOneWorkerForBothQueues:
    def test_every_player_is_acknowledged_whatever_its_queue(
        self, one_worker: NetworkGate, crowd: Crowd
    ) -> None:
        grown = Growth(one_worker)
        players = crowd.players(PLAYERS) + crowd.players(PLAYERS, family=6)
        assert all_play(players) == 2 * PLAYERS * len(KINDS)
        assert grown.of("pollgate_sessions", state="active") == 2 * PLAYERS
        one_worker.wait_until(lambda: is_balanced(one_worker.metrics()))
