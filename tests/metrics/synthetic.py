# SPDX-License-Identifier: BSD-3-Clause
"""Snapshots made by hand, shaped like those of the data plane: what the exporter is fed without a device."""

from __future__ import annotations

import dataclasses
import math
import time

from pyshim.stats import (
    Count,
    GameFigures,
    GameProcess,
    Histogram,
    Instance,
    MessageSnapshot,
    PoolSnapshot,
    PortCounts,
    PortSnapshot,
    Snapshot,
    WorkerSnapshot,
)

BURST_BOUNDS = (1.0, 2.0, 4.0, 8.0, 16.0, 24.0, 32.0, 48.0, 64.0)
TICK_BOUNDS = (0.001, 0.01, math.inf)
HANDLING_BOUNDS = (*(250e-9 * 2**n for n in range(12)), math.inf)
TYPES = ("move", "attack", "chat", "heartbeat", "skill", "arp")
REASONS = ("truncated", "ip_checksum", "message_type", "worker_lost")
REQUESTS = ("move", "attack", "chat", "heartbeat", "skill", "bulk", "game")
EVENTS = ("attack", "chat", "skill", "inventory", "correction", "bulk", "game")
COMPRESSIBLE = ("chat", "inventory", "bulk")
LOSSES = ("queue_full", "closed")
CLOSES = ("left", "idle")
DENIALS = ("version", "full")
REFUSALS = ("rate", "forgotten")
DESTINATIONS = ("player", "process")
TX_REASONS = ("queue_full", "link_down", "refused", "worker_lost")


def histogram(bounds: tuple[float, ...], at: int, count: int, value: float) -> Histogram:
    """`count` observations of `value`, all in the bucket number `at`."""
    return Histogram(bounds, tuple(count if n == at else 0 for n in range(len(bounds))), value * count)


def messages(turns: int) -> MessageSnapshot:
    """What sessions said after `turns` turns: in each 5 moves, and a chat message to one player."""
    return MessageSnapshot(
        received={name: {"move": 5, "chat": 1}.get(name, 0) * turns for name in REQUESTS},
        sent={name: {"chat": 1}.get(name, 0) * turns for name in EVENTS},
        lost=dict.fromkeys(LOSSES, 0),
        duplicates=turns,
        skipped=turns + 9,
        over_limit=turns + 10,
        refused=dict.fromkeys(REFUSALS, turns),
        resent=2 * turns,
        compress_in={name: {"chat": 100}.get(name, 0) * turns for name in COMPRESSIBLE},
        compress_out={name: {"chat": 40}.get(name, 0) * turns for name in COMPRESSIBLE},
        expand_in=10 * turns,
        expand_out=30 * turns,
        memory_used=4096 if turns else 0,
        others={
            "dispatched": {name: {"player": 1}.get(name, 0) * turns for name in DESTINATIONS},
            "mailed_out": turns,
            "mailed_in": turns,
        },
    )


def world(turns: int) -> dict[str, Count]:
    """Of a world in `turns` ticks: ten players who moved and were told of each other in each."""
    return {
        "players": 10,
        "moves": {"taken": 10 * turns, "speed": 0},
        "judged": {"hit": turns, "miss": 0},
        "searches": {"answered": turns, "too_old": 0},
        "views_old": 0,
        "views_new": 0,
        "waits_full": 0,
        "ticks": turns,
        "tick_duration": histogram(TICK_BOUNDS, 1, turns, 0.002),
        "tick_duration_cycles": 5_000_000 * turns,
        "held": 0,
        "overruns": 0,
        "baseline_misses": 0,
        "states": 10 * turns,
        "state_bytes": 600 * turns,
        "told": 89 * turns,
        "told_in_full": turns,
        "game_states": 0,
        "left_out": 0,
        "shed": 0,
        "looks": turns,
        "looks_capped": 0,
        "looks_cut": 0,
        "entities": 0,
        "arrivals": 0,
        "departures": 0,
        "glimpses": 0,
        "glimpses_shed": 0,
        "unseen": histogram(TICK_BOUNDS, 0, 9 * turns, 0.0005),
        "unseen_cycles": 11_250_000 * turns,
        "unseen_1": 0,
        "unseen_2": 0,
        "unseen_4": 0,
        "unseen_8": 0,
        "unseen_more": 0,
    }


def process(turns: int) -> dict[str, Count]:
    """What a game process was told and did in `turns` turns: a message in each, and two orders."""
    return {
        "offered": turns,
        "delivered": turns,
        "lost": {"full": 0},
        "positions": 5 * turns,
        "positions_lost": 0,
        "orders": 2 * turns,
        "refused": {"no_player": 0},
    }


# What becomes of payloads of profile netcode: fields of the counters.
PAYLOADS = (
    *("lost", "missed"),
    *("offered", "sent", "no_room", "too_many", "no_way", "closed", "worker_lost"),
)


def worker(index: int, turns: int) -> WorkerSnapshot:
    """A worker after `turns` turns, each with 10 packets: 8 moves, 1 chat, 1 truncated."""
    return WorkerSnapshot(
        index=index,
        heartbeat_age_s=0.0004 if turns else None,
        policy_generation=1,
        received=10 * turns,
        handled={name: {"move": 8, "chat": 1}.get(name, 0) * turns for name in TYPES},
        dropped={name: {"truncated": 1}.get(name, 0) * turns for name in REASONS},
        to_kernel=0,
        forwarded=0,
        handed_out=0,
        handed_in=0,
        unanswered=0,
        tx_originated=0,
        tx_offered=9 * turns,
        tx_sent=9 * turns,
        tx_dropped=dict.fromkeys(TX_REASONS, 0),
        cycles_busy=1500 * turns,
        cycles_idle=500 * turns,
        cycles_off_cpu=250 * turns,
        sessions_active=5 if turns else 0,
        sessions_admitted=5 if turns else 0,
        sessions_expired=0,
        sessions_recovered=0,
        connected=3 if turns else 0,
        connections=4 if turns else 0,
        closed={name: {"left": 1 if turns else 0}.get(name, 0) for name in CLOSES},
        denied=dict.fromkeys(DENIALS, 0),
        path_changes=0,
        key_updates=0,
        number_changes=0,
        messages=messages(turns),
        rx_burst=histogram(BURST_BOUNDS, 4, turns, 10),
        handling=histogram(HANDLING_BOUNDS, 3, 9 * turns, 1.5e-6),
        ports=(PortCounts(10 * turns, 860 * turns, 9 * turns, 774 * turns),),
        others=dict.fromkeys(("netcode_denied", *(f"netcode_payloads_{end}" for end in PAYLOADS)), 0),
    )


def snapshot(
    turns: int = 7, workers: int = 2, *, running: bool = True, at_s: float | None = None
) -> Snapshot:
    """An appliance of `workers` workers on one port, each after `turns` turns."""
    all_of_them = tuple(worker(index, turns) for index in range(workers))
    scale = turns * workers
    return Snapshot(
        taken_at_s=time.monotonic() if at_s is None else at_s,
        tsc_hz=2_500_000_000,
        engine="dpdk",
        isa="v3" if turns else "",
        worker_restarts=0,
        workers_running=running,
        obstacles=(),
        worker_reopenings=3,
        config_reload_successful=True,
        sessions_issued=7 * workers if turns else 0,
        supervisor_age_s=0.03,
        output_lost={"stdout": 0, "stderr": 0},
        game=GameFigures(
            (GameProcess("arena", "attached", 7, 1.0, routed=True, backlog=(1024, 0)),),
            2,
            {"gone": 1},
            {"name": 0},
            {"broken": 2},
            4096,
            {("lobby", "arena"): 3},
        ),
        workers=all_of_them,
        ports=(
            PortSnapshot(
                name="game0",
                counts=PortCounts(10 * scale, 860 * scale, 9 * scale, 774 * scale),
                rx_missed=0,
                rx_errors=0,
                rx_nombuf=0,
                link_up=True,
                link_mbps=10_000,
                queues=workers,
                offloads=frozenset({"rss"}),
                mac="02:00:00:00:00:02",
            ),
        ),
        pools=(PoolSnapshot("node0", available=9000, size=10_000),),
        instances={
            "LISTENER_COUNT": (Instance("8080", {"sessions": turns}), Instance("9000", {"sessions": 0})),
            "PROCESS_COUNT": (Instance("arena", process(turns)),),
            "WORLD_COUNT": (Instance("meadow", world(turns), {"players": (6, 4), "entities": (0, 3)}),),
        },
        retired={"PROCESS_COUNT": Instance("", process(turns))},
    )


def with_workers(base: Snapshot, *workers: WorkerSnapshot) -> Snapshot:
    """The same moment with other workers."""
    return dataclasses.replace(base, workers=workers)
