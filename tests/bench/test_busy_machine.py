# SPDX-License-Identifier: BSD-3-Clause
"""On a machine that others use: a measurement waits for its CPU, and what came to nothing is one sentence."""

from __future__ import annotations

import socket
from ipaddress import ip_address
from typing import Any

import pytest

from pyshim.bench.pairs import compare
from pyshim.bench.rig import observe as observing
from pyshim.bench.rig import served as serving
from pyshim.bench.rig.observe import observe
from pyshim.bench.rig.processes import all_received, run_between, scrape
from pyshim.bench.rig.served import Served
from pyshim.errors import UnavailableError
from pyshim.load.scenario import Target, Trial
from tests.load.builders import result

CYCLES = "pollgate_worker_cycles_total"
RECEIVED = "pollgate_received_packets_total"


def scraped(*received: float, busy: float = 0.0) -> dict[tuple[str, str, str], float]:
    """What workers that have received so much export."""
    samples: dict[tuple[str, str, str], float] = {}
    for worker, count in enumerate(received):
        samples[RECEIVED, str(worker), ""] = count
        samples[CYCLES, str(worker), "busy"] = busy if count else 0.0
        samples[CYCLES, str(worker), "idle"] = 0.0
    return samples


def test_a_measurement_lasts_until_something_has_happened() -> None:
    figures = iter([5, 5, 5, 5, 8, 9])

    assert observe(lambda: next(figures), 0.0, lambda before, after: after > before) == (5, 8)


def test_a_measurement_of_nothing_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(observing, "PATIENCE_S", 0.1)

    assert observe(lambda: 5, 0.0, lambda before, after: after > before) == (5, 5)


def test_a_worker_that_had_no_cpu_is_waited_for_and_then_named() -> None:
    nothing, one, both = scraped(0, 0), scraped(9, 0, busy=100.0), scraped(9, 4, busy=100.0)

    assert not all_received(nothing, one)
    assert all_received(nothing, both)
    with pytest.raises(UnavailableError, match="worker 1 of the gateway received nothing"):
        run_between(nothing, one, 1e9)
    assert run_between(nothing, both, 1e9).packets_per_s == pytest.approx(9e7 + 4e7)


def test_a_core_never_worked_for_more_than_all_its_time() -> None:
    run = run_between(scraped(0), scraped(1000, busy=49.0), 2.1e9)

    assert run.packets_per_s * run.cycles_per_packet / 2.1e9 > 1  # by rounding
    assert run.core_share(run.packets_per_s, 2.1e9) == 1
    assert run.core_share(run.packets_per_s / 2, 2.1e9) == pytest.approx(0.5)
    assert run.core_share(run.packets_per_s * 2, 2.1e9) == 1


def test_nothing_can_be_compared_with_nothing() -> None:
    with pytest.raises(UnavailableError, match="came to nothing"):
        compare(lambda: 1.0, lambda: 0.0, pairs=1)


class Dozing:
    """A generator whose target answers only from the third trial on."""

    target = Target(ip_address("10.0.0.1"), 8080)

    def __init__(self) -> None:
        self.trials = 0

    def run(self, trial: Trial) -> Any:
        self.trials += 1
        answered = 1000 if self.trials > 2 else 0
        return result(trial, acknowledged=answered, lost=1000 - answered)


def test_a_server_that_had_no_cpu_is_played_against_once_more(monkeypatch: pytest.MonkeyPatch) -> None:
    server, dozing = Served(0, None, polls=False, interrupted=False), Dozing()

    assert server.play(dozing, Trial(100, 1.0, 1000.0)).packets_per_s == 1000  # type: ignore[arg-type]
    assert dozing.trials == 3
    monkeypatch.setattr(serving, "PATIENCE_S", 0.0)
    with pytest.raises(UnavailableError, match="none of 1,000 messages"):
        server.play(Dozing(), Trial(100, 1.0, 1000.0))  # type: ignore[arg-type]


def test_a_gateway_that_tells_nothing_any_more_is_one_sentence() -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{closed.getsockname()[1]}/metrics"
        with pytest.raises(UnavailableError, match="metrics at http://127"):
            scrape(url)
