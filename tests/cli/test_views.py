# SPDX-License-Identifier: BSD-3-Clause
"""What `run` shows: the live table, the lines of a pipe, the summary and its JSON."""

from __future__ import annotations

import dataclasses
import io
import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from pyshim.metrics import FAMILIES
from pyshim.plan import Plan, Policy, SocketPlan, WorkerPlan
from pyshim.stats import Count, Histogram, Instance, PoolSnapshot, PortCounts, Snapshot, WorkerSnapshot
from pyshim.views import JsonView, LineView, LiveView
from pyshim.views.rates import quantile, total_rates, worker_rates
from pyshim.views.summary import balances, summary_json
from tests.metrics.synthetic import (
    HANDLING_BOUNDS,
    REASONS,
    histogram,
    process,
    snapshot,
    with_workers,
    worker,
)

CONTROL = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
URL = "http://127.0.0.1:9464/metrics"


def plan(workers: int = 2) -> Plan:
    return Plan(
        engine="dpdk",
        eal_args=(),
        control_cpus=(0,),
        main_lcore=0,
        workers=tuple(WorkerPlan(lcore=n + 1, cpu=n + 4, queues=(), why="") for n in range(workers)),
        ports=(),
        pools=(),
        listeners=(),
        session_capacity=65536,
        state_bytes=0,
        sockets=SocketPlan(0, 0, 0, "ordinary"),
        huge_pages=False,
        isa="auto",
        log_level="info",
        policy=Policy(idle_timeout_ns=30 * 10**9, host_reply_pps=0, host_reply_burst=0, listeners=()),
        notes=(),
    )


def terminal(width: int = 80, height: int = 40) -> tuple[Console, io.StringIO]:
    """A terminal of this size without colours, and what is written to it."""
    out = io.StringIO()
    return Console(file=out, force_terminal=True, color_system=None, width=width, height=height), out


def shown(*snapshots: Snapshot, width: int = 80) -> str:
    """The last table that the live view draws for these snapshots."""
    console, out = terminal(width)
    with LiveView(console) as view:
        view.started(plan(), URL)
        for one in snapshots[:-1]:
            view.update(one)
        out.truncate(0)
        out.seek(0)
        view.update(snapshots[-1])
        return out.getvalue()


def busy_worker(index: int) -> WorkerSnapshot:
    """A worker with the widest figures that a fast machine can show."""
    return dataclasses.replace(
        worker(index, turns=10**9),
        dropped=dict.fromkeys([*REASONS, *(f"reason_number_{n}" for n in range(12))], 123_456_789_012),
        sessions_active=1_000_000,
        cycles_busy=2**62,
        ports=(PortCounts(10**12, 10**15, 10**12, 10**15),),
    )


# ---------------------------------------------------------------- rates


def test_rates_are_differences_over_the_time_between() -> None:
    rates = total_rates(snapshot(turns=10), snapshot(turns=30), 2.0)
    assert (rates.received_pps, rates.sent_pps) == (200, 180)
    assert (rates.messages_pps, rates.answers_pps) == (180, 180)
    assert rates.receive_mbps == pytest.approx(40 * 860 / 2 * 8 / 1e6)
    assert rates.drops_pps["truncated"] == 20
    assert rates.busy == 0.75
    assert rates.off_cpu == 250 / 2250
    assert rates.cycles_per_packet == 150


def test_without_an_earlier_snapshot_rates_are_since_the_counters_were_zero() -> None:
    assert total_rates(None, snapshot(turns=10), 2.0).received_pps == 100


def test_rates_of_the_workers_add_up_to_the_total() -> None:
    before, now = snapshot(turns=10), snapshot(turns=30)
    total = total_rates(before, now, 1.0)
    assert sum(one.received_pps for one in worker_rates(before, now, 1.0)) == total.received_pps


def test_where_nothing_happened_there_is_nothing_to_measure() -> None:
    rates = total_rates(snapshot(turns=10), snapshot(turns=10), 1.0)
    assert (rates.received_pps, rates.busy, rates.cycles_per_packet) == (0, None, None)
    assert (rates.handling_p50_s, rates.handling_p99_s) == (None, None)


def test_a_quantile_is_interpolated_inside_its_bucket() -> None:
    assert quantile(Histogram((1.0, 2.0, 4.0), (0, 0, 10), 30.0), 0.5) == 3.0


def test_a_quantile_beyond_the_last_bound_is_that_bound() -> None:
    assert quantile(Histogram((1.0, 2.0, float("inf")), (0, 0, 10), 99.0), 0.5) == 2.0


@given(counts=st.lists(st.integers(0, 10**6), min_size=13, max_size=13), q=st.floats(0, 1))
def test_a_quantile_lies_in_the_bucket_of_its_observation(counts: list[int], q: float) -> None:
    found = quantile(Histogram(HANDLING_BOUNDS, tuple(counts), 0.0), q)
    if not sum(counts):
        assert found is None
        return
    assert found is not None
    bounds = (0.0, *HANDLING_BOUNDS[:-1], HANDLING_BOUNDS[-2])  # the unbounded bucket answers its lower bound
    below = 0
    for number, count in enumerate(counts):
        if count and below + count >= q * sum(counts):
            assert bounds[number] <= found <= bounds[number + 1] * (1 + 1e-9)
            return
        below += count
    pytest.fail("no bucket holds the observation")


# ---------------------------------------------------------------- live view


def test_the_live_table_shows_traffic_sessions_time_and_where_metrics_are() -> None:
    text = shown(snapshot(turns=0, at_s=100.0), snapshot(turns=10**6, at_s=101.0))
    assert URL in text
    assert "Ctrl-C ends it" in text
    assert "CPU taken by others 11.1 %" in " ".join(text.split())
    assert "20.0 M" in text  # packets/s in
    assert "18.0 M" in text  # packets/s out
    assert "75.0 %" in text
    assert "150" in text  # cycles per packet
    assert "p50" in text
    assert "9,000 of 10,000 buffers free" in text


def test_the_live_table_has_a_row_per_worker_with_its_cpu() -> None:
    text = shown(snapshot(turns=0, at_s=100.0), snapshot(turns=100, at_s=101.0))
    rows = [line.split() for line in text.splitlines() if line.split()[:1] in (["0"], ["1"])]
    assert [row[:2] for row in rows] == [["0", "4"], ["1", "5"]]


def test_only_reasons_that_occurred_are_listed() -> None:
    text = shown(snapshot(turns=10, at_s=100.0), snapshot(turns=20, at_s=101.0))
    assert "truncated" in text
    assert "ip_checksum" not in text


def test_workers_that_are_down_are_said_to_be() -> None:
    assert "workers down" in shown(snapshot(running=False))


def test_an_engine_without_pools_is_shown_and_summed_up_all_the_same() -> None:
    bare = dataclasses.replace(snapshot(at_s=100.0), engine="epoll", pools=())
    text = shown(bare, dataclasses.replace(snapshot(turns=20, at_s=101.0), engine="epoll", pools=()))
    assert "buffers free" not in text
    assert "sessions" in text
    assert json.loads(summary_json(bare, 10.0))["pollgate_mempool_objects"] == {}


def test_a_pool_that_runs_low_is_red() -> None:
    low = dataclasses.replace(snapshot(), pools=(PoolSnapshot("node0", available=9, size=10_000),))
    out = io.StringIO()
    with LiveView(Console(file=out, force_terminal=True, color_system="standard", width=80)) as view:
        view.started(plan(), None)
        view.update(low)
    assert "\x1b[1;31m9\x1b[0m" in out.getvalue()


@pytest.mark.parametrize("width", [80, 100, 200])
def test_the_widest_figures_fit_the_terminal_uncut(width: int) -> None:
    full = with_workers(snapshot(), busy_worker(0), busy_worker(1))
    console, _ = terminal(width)
    with console.capture() as capture, LiveView(console) as view:
        view.started(plan(), URL)
        view.update(with_workers(snapshot(turns=0, at_s=100.0), worker(0, 0), worker(1, 0)))
        view.update(dataclasses.replace(full, taken_at_s=101.0))
        view.finished(full, 10.0)
    lines = CONTROL.sub("", capture.get()).replace("\r", "\n").splitlines()
    assert max(map(len, lines)) <= width
    assert not [line for line in lines if "…" in line and "starting" not in line]
    assert "8 more reasons" in capture.get()


@pytest.mark.parametrize(("height", "sessions"), [(27, False), (28, True)])
def test_a_low_terminal_keeps_the_workers_in_sight(height: int, sessions: bool) -> None:
    console, out = terminal(height=height)
    with LiveView(console) as view:
        view.started(plan(), URL)
        busy = with_workers(snapshot(), busy_worker(0), busy_worker(1))
        view.update(busy if sessions else quiet_sessions(busy))
        drawn = out.getvalue()
    assert "more reasons" in drawn
    assert [line.split()[0] for line in drawn.splitlines()[-4:-2]] == ["0", "1"]


def test_an_event_is_a_line_above_the_table() -> None:
    console, out = terminal()
    with LiveView(console) as view:
        view.started(plan(), URL)
        view.event("warning", "worker died of SIGSEGV, restarted")
    assert "worker died of SIGSEGV, restarted" in out.getvalue()


def test_the_terminal_gets_its_cursor_back_after_a_failure() -> None:
    console, out = terminal()
    view = LiveView(console)

    def failing_run() -> None:
        with view:
            view.started(plan(), URL)
            raise RuntimeError

    with pytest.raises(RuntimeError):
        failing_run()
    assert out.getvalue().rfind("\x1b[?25h") > out.getvalue().rfind("\x1b[?25l")


def quiet_sessions(base: Snapshot) -> Snapshot:
    """The same appliance without profile session."""
    workers = [dataclasses.replace(one, connected=0, connections=0) for one in base.workers]
    return dataclasses.replace(with_workers(base, *workers), sessions_issued=0)


def test_connections_and_messages_of_sessions_are_in_the_live_table() -> None:
    text = shown(snapshot(turns=0, at_s=100.0), snapshot(turns=1000, at_s=101.0))
    assert "6 connected of 14 issued" in text
    row = next(line.split() for line in text.splitlines() if "session messages/s" in line)
    assert row[2:] == ["12.0", "k", "2.00", "k"]


def players_of(base: Snapshot, **per_worker: int) -> Snapshot:
    """The same appliance, but each worker has just these players."""
    nobody = {"sessions_active": 0, "sessions_admitted": 0, "connected": 0, "connections": 0}
    workers = [dataclasses.replace(one, **nobody | per_worker) for one in base.workers]
    return with_workers(base, *workers)


@pytest.mark.parametrize("players", [{"sessions_active": 50}, {"connected": 50, "connections": 60}])
def test_players_of_every_profile_are_sessions_wherever_they_are_counted(players: dict[str, int]) -> None:
    now = players_of(snapshot(turns=2, at_s=101.0), **players)
    out = io.StringIO()
    view = LineView(out, io.StringIO())
    view.started(plan(), URL)
    view.update(now)
    view.finished(now, 10.0)
    assert " sessions=100 " in out.getvalue()
    assert "sessions: 100 active" in out.getvalue()
    rows = [line.split() for line in shown(snapshot(turns=0, at_s=100.0), now).splitlines()]
    assert ["sessions", "100"] in [row[:2] for row in rows]
    assert [row[-1] for row in rows if row[:2] in (["0", "4"], ["1", "5"])] == ["50", "50"]


def test_without_profile_session_nothing_is_shown_of_it() -> None:
    bare = [quiet_sessions(snapshot(turns=turns, at_s=100.0 + turns)) for turns in (0, 1)]
    assert "issued" not in shown(*bare)
    assert "session messages" not in shown(*bare)


# ---------------------------------------------------------------- lines and JSON


def test_a_pipe_gets_one_line_per_update_and_the_address_goes_to_stderr() -> None:
    out, err = io.StringIO(), io.StringIO()
    view = LineView(out, err)
    view.started(plan(), URL)
    view.update(snapshot(turns=0, at_s=100.0))
    view.update(snapshot(turns=100, at_s=101.0))
    view.event("warning", "reload refused")
    lines = out.getvalue().splitlines()
    assert len(lines) == 2
    figures = dict(pair.split("=", 1) for pair in lines[1].split())
    assert (figures["rx_pps"], figures["tx_pps"], figures["busy"]) == ("2000", "1800", "0.75")
    assert (figures["sessions"], figures["connected"]) == ("16", "6")
    assert figures["worst_drops"] == "truncated:200"
    assert err.getvalue() == f"metrics: {URL}\nwarning: reload refused\n"


def test_without_metrics_nothing_is_announced() -> None:
    err = io.StringIO()
    LineView(io.StringIO(), err).started(plan(), None)
    assert err.getvalue() == ""


def test_a_json_run_writes_nothing_but_one_object_keyed_by_metric_names() -> None:
    out, err = io.StringIO(), io.StringIO()
    view = JsonView(out, err)
    view.started(plan(), URL)
    view.update(snapshot())
    view.event("info", "reloaded")
    assert out.getvalue() == ""
    view.finished(snapshot(turns=7, workers=1), 3.5)
    summary = json.loads(out.getvalue())
    assert set(summary) == {family.name for family in FAMILIES} | {"elapsed_seconds"}
    assert summary["elapsed_seconds"] == 3.5
    assert summary["pollgate_messages_total"]["0"]["move"] == 56
    assert err.getvalue() == f"metrics: {URL}\ninfo: reloaded\n"


# ---------------------------------------------------------------- summary


def summary_text(last: Snapshot) -> str:
    out = io.StringIO()
    LineView(out, io.StringIO()).finished(last, 10.0)
    return out.getvalue()


def test_the_summary_lists_totals_and_drops_by_reason() -> None:
    rows = [line.split() for line in summary_text(snapshot(turns=1000)).splitlines()]
    assert ["received", "20,000", "2.00", "k"] in rows
    assert ["truncated", "2,000", "200"] in rows
    assert not [row for row in rows if row[:1] == ["ip_checksum"]]


def test_the_summary_shows_that_the_books_balance() -> None:
    text = summary_text(snapshot(turns=1000))
    assert "received 20,000 = handled 18,000 + dropped 2,000  ✓" in text
    assert "offered to transmit 18,000 = sent 18,000  ✓" in text


def test_the_summary_shows_books_that_do_not_balance() -> None:
    wrong = with_workers(snapshot(), dataclasses.replace(worker(0, 10), received=103))
    assert "✗ 3 not accounted for" in " ".join(summary_text(wrong).split())
    assert balances(wrong)[0].missing == 3


def test_the_summary_tells_connections_and_messages_of_sessions() -> None:
    text = summary_text(snapshot(turns=1000))
    assert "connections: 6 connected of 14 issued, 8 made, 0 denied; closed: left 2" in text
    assert "sessions: 16 active, 18 admitted, 0 expired" in text
    rows = [line.split() for line in text.splitlines()]
    assert ["session", "messages", "in", "12,000", "1.20", "k"] in rows
    assert ["sent", "again", "4,000", "400"] in rows
    assert "connections" not in summary_text(quiet_sessions(snapshot()))


def test_the_summary_tells_what_did_not_reach_a_game_process() -> None:
    assert "game process" not in summary_text(snapshot())
    counts: dict[str, Count] = {**process(7), "lost": {"full": 30, "away": 0}}
    gone = Instance("", {**process(7), "lost": {"full": 4, "away": 1}})
    last = dataclasses.replace(
        snapshot(), instances={"PROCESS_COUNT": (Instance("arena", counts),)}, retired={"PROCESS_COUNT": gone}
    )
    rows = [line.split() for line in summary_text(last).splitlines()]
    assert ["not", "delivered", "35", "3.50"] in rows
    assert ["game", "process:", "full", "34", "3.40"] in rows
    assert ["game", "process:", "away", "1"] in [row[:4] for row in rows]


def test_the_summary_of_a_run_without_packets_is_complete() -> None:
    text = summary_text(snapshot(turns=0))
    assert "received 0 = handled 0  ✓" in text
    assert "p50 –" in text


def test_handling_times_of_all_workers_are_in_the_summary() -> None:
    slow = dataclasses.replace(worker(1, 10), handling=histogram(HANDLING_BOUNDS, 8, 90, 60e-6))
    text = summary_text(with_workers(snapshot(), worker(0, 10), slow))
    assert "p99 63." in text  # inside the bucket from 32 to 64 µs
