# SPDX-License-Identifier: BSD-3-Clause
"""A real Prometheus scrapes a real metrics server, and answers questions about what it saw."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

import pyshim.metrics
from pyshim.metrics import FAMILIES
from pyshim.stats import Snapshot
from tests.metrics.prometheus import Prometheus, scraping
from tests.metrics.served import MetricsServer
from tests.metrics.synthetic import snapshot

pytestmark = pytest.mark.skipif(
    shutil.which("prometheus") is None, reason="prometheus is not installed: apt-get install prometheus"
)


@pytest.fixture(scope="module")
def prometheus(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prometheus]:
    """Prometheus after at least three scrapes of an appliance whose counters grow with every scrape."""
    turns = 0

    def source() -> Snapshot:
        nonlocal turns
        turns += 1
        return snapshot(turns, running=False)  # the exporter is up while the workers are down

    with (
        MetricsServer(("127.0.0.1", 0), source) as server,
        scraping(server.url, tmp_path_factory.mktemp("prometheus")) as running,
    ):
        running.wait('count_over_time(up{job="pollgate"}[5m]) >= 3')
        yield running


def test_the_target_is_up(prometheus: Prometheus) -> None:
    assert prometheus.value('min_over_time(up{job="pollgate"}[5m])') == 1


def test_every_family_arrived_but_those_that_nothing_counts_yet(prometheus: Prometheus) -> None:
    names = {sample["metric"]["__name__"] for sample in prometheus.query('{job="pollgate"}')}
    arrived = {family.name for family in FAMILIES if {family.name, f"{family.name}_count"} & names}
    assert {family.name for family in FAMILIES} - arrived == {"pollgate_to_kernel_packets_total"}


def test_types_arrived_as_metadata(prometheus: Prometheus) -> None:
    metadata = prometheus.api("metadata")
    # Prometheus before 2.44 reads the text format, where a counter keeps its suffix.
    known = {name.removesuffix("_total"): entries[0]["type"] for name, entries in metadata.items()}
    for family in FAMILIES:
        assert known[family.name.removesuffix("_total")] == family.kind, family.name


def test_the_figures_of_one_scrape_belong_together(prometheus: Prometheus) -> None:
    left = "sum(pollgate_received_packets_total)"
    right = "sum(pollgate_messages_total) + sum(pollgate_drops_total)"
    assert prometheus.value(f"{left} - ({right})") == 0


def test_counters_grow_with_the_scrapes(prometheus: Prometheus) -> None:
    assert prometheus.value("min(resets(pollgate_received_packets_total[5m]))") == 0
    assert prometheus.value('max_over_time(pollgate_received_packets_total{worker="0"}[5m])') >= 30


def test_the_handling_quantile_is_inside_its_bucket(prometheus: Prometheus) -> None:
    p99_s = prometheus.value(
        "histogram_quantile(0.99, sum by (le) (pollgate_message_handling_seconds_bucket))"
    )
    assert 1e-6 < p99_s <= 2e-6


def test_every_expression_of_the_document_is_understood(prometheus: Prometheus) -> None:
    document = Path(pyshim.metrics.__file__).parent.parent / "METRICS.md"
    expressions = re.findall(r"^\| [^|]*\? \| `(.*)` \|$", document.read_text(), re.MULTILINE)
    assert len(expressions) >= 4
    for expression in expressions:
        assert prometheus.query(expression), expression
