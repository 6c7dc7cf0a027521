# SPDX-License-Identifier: BSD-3-Clause
"""The metrics of the running appliance: DPDK's null device in, Prometheus and the JSON summary out."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pyshim.metrics import FAMILIES
from tests.gate import Gate
from tests.metrics.prometheus import scraping

CONFIG = {"ports": [{"name": "game0", "device": "net_null0", "address": ["10.0.0.1/24"]}]}


@pytest.fixture
def gate(tmp_path: Path) -> Iterator[Gate]:
    with Gate(CONFIG, tmp_path) as running:
        yield running


def test_promtool_finds_nothing_to_complain_about(gate: Gate) -> None:
    done = subprocess.run(
        ["promtool", "check", "metrics"],
        input=gate.metrics().text,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@pytest.mark.skipif(shutil.which("prometheus") is None, reason="needs: apt-get install prometheus")
def test_prometheus_scrapes_the_running_appliance(gate: Gate, tmp_path: Path) -> None:
    with scraping(f"{gate.url()}/metrics", tmp_path) as prometheus:
        prometheus.wait("sum(pollgate_received_packets_total) > 0")
        assert prometheus.value('max_over_time(up{job="pollgate"}[5m])') == 1
        assert prometheus.value('count(pollgate_drops_total{reason="not_for_us"} > 0)') == 1
        # Nothing is behind net_null that could be down.
        assert prometheus.value('absent(pollgate_port_link_up{port="game0"})') == 1
        assert prometheus.value('pollgate_port_queues{port="game0"}') == 1


def test_what_is_named_when_the_gateway_starts_is_there_from_then_on(gate: Gate) -> None:
    assert 'pollgate_listener_sessions_total{listener="8080"} 0.0' in gate.metrics().text.splitlines()
    assert 'pollgate_port_receive_packets_total{port="game0"}' in gate.metrics().text


def test_the_summary_has_every_metric_and_its_books_balance(gate: Gate) -> None:
    gate.wait_metric("pollgate_received_packets_total", 1)
    assert gate.stop() == 0
    summary = gate.summary
    assert set(summary) == {family.name for family in FAMILIES} | {"elapsed_seconds"}
    assert total(summary["pollgate_received_packets_total"]) == (
        total(summary["pollgate_messages_total"])
        + total(summary["pollgate_drops_total"])
        + total(summary["pollgate_to_kernel_packets_total"])
        + total(summary["pollgate_forwarded_packets_total"])
    )
    assert total(summary["pollgate_transmit_offered_packets_total"]) == (
        total(summary["pollgate_transmit_sent_packets_total"])
        + total(summary["pollgate_transmit_drops_total"])
    )


def total(tree: Any) -> int:
    """Sum of the numbers in a nested object."""
    return sum(map(total, tree.values())) if isinstance(tree, dict) else int(tree)
