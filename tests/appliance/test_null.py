# SPDX-License-Identifier: BSD-3-Clause
"""net_null, an endless source of empty frames: what starts, stops and adds up at full load."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from tests.appliance.conservation import assert_no_buffer_is_missing, books
from tests.gate import Gate

CPUS = sorted(os.sched_getaffinity(0))
FRAME_BYTES = 64  # net_null's default
ZEROS = "net_null0,copy=1"  # addressed to nobody; without copy=1 a frame is what its buffer last held


def config(device: str = "net_null0", **changes: Any) -> dict[str, Any]:
    port = {"name": "game0", "device": device, "address": ["10.0.0.1/24"], **changes.pop("port", {})}
    return {"eal": {"memory_mib": 128}, "ports": [port], **changes}


def test_full_load_is_counted_to_the_last_frame(tmp_path: Path) -> None:
    with Gate(config(ZEROS), tmp_path) as gate:
        gate.wait_metric("pollgate_received_packets_total", 1_000_000)
        assert gate.stop() == 0
    summary, ended = gate.summary, books(gate.summary)
    assert ended.dropped == {"not_for_us": ended.received}
    assert summary["pollgate_port_receive_bytes_total"] == {"game0": ended.received * FRAME_BYTES}
    assert ended.offered == ended.sent == ended.originated >= 1  # the gratuitous ARP
    assert summary["pollgate_rx_burst_packets"]["0"]["sum"] == ended.received
    assert_no_buffer_is_missing(summary)


def test_counters_never_go_back_under_load(tmp_path: Path) -> None:
    with Gate(config(), tmp_path) as gate:
        before = gate.metrics().counters()
        gate.wait_metric("pollgate_received_packets_total", 500_000)
        after = gate.metrics().counters()
    assert before.keys() == after.keys()
    assert {key for key, value in before.items() if after[key] < value} == set()


@pytest.mark.parametrize("size", [64, 1500])
def test_frames_of_the_size_that_the_device_was_told_are_counted_in_bytes(size: int, tmp_path: Path) -> None:
    with Gate(config(f"net_null0,size={size}"), tmp_path, args=["--for", "0.2"], wait_ready=False) as gate:
        assert gate.wait() == 0, gate.stderr
    ended = books(gate.summary)
    assert ended.received > 0
    assert gate.summary["pollgate_port_receive_bytes_total"] == {"game0": ended.received * size}


@pytest.mark.skipif(len(CPUS) < 2, reason="two workers need two CPUs")
def test_two_workers_poll_two_queues_and_each_keeps_its_own_books(tmp_path: Path) -> None:
    two = config(ZEROS, port={"queues": 2}, workers={"cpus": CPUS[:2]})
    with Gate(two, tmp_path) as gate:
        for worker in "01":
            gate.wait_metric("pollgate_received_packets_total", 100_000, worker=worker)
        assert gate.stop() == 0
    ended = books(gate.summary)
    assert ended.dropped == {"not_for_us": ended.received}
    assert_no_buffer_is_missing(gate.summary)


def test_device_that_gives_nothing_leaves_the_worker_idle(tmp_path: Path) -> None:
    with Gate(config("net_null0,no-rx=1"), tmp_path, args=["--until-idle", "0.2"], wait_ready=False) as gate:
        assert gate.wait() == 0, gate.stderr
    ended = books(gate.summary)
    assert ended.received == 0
    assert ended.sent == 1
    assert gate.summary["pollgate_worker_cycles_total"]["0"]["idle"] > 0


def test_same_configuration_starts_again_after_a_stop(tmp_path: Path) -> None:
    for _ in range(2):
        with Gate(config(), tmp_path) as gate:
            gate.wait_metric("pollgate_received_packets_total", 1)
            assert gate.stop() == 0
        assert books(gate.summary).received > 0
