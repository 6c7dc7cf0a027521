# SPDX-License-Identifier: BSD-3-Clause
"""What a scrape and the JSON summary say for a given snapshot."""

from __future__ import annotations

import dataclasses
import json
import math
import subprocess

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.openmetrics.exposition import generate_latest as generate_openmetrics
from prometheus_client.openmetrics.parser import (
    text_string_to_metric_families as openmetrics_families,
)
from prometheus_client.parser import text_string_to_metric_families

import pyshim.metrics
from pyshim import __version__
from pyshim.metrics import FAMILIES, values
from pyshim.metrics.collector import SnapshotCollector
from pyshim.stats import Histogram, Snapshot
from tests.metrics.document import DOCUMENT, METRICS_HEAD, rows, table
from tests.metrics.synthetic import snapshot, with_workers, worker

CONTRACT = {
    "pollgate_port_receive_packets_total": ("port",),
    "pollgate_port_receive_bytes_total": ("port",),
    "pollgate_port_transmit_packets_total": ("port",),
    "pollgate_port_transmit_bytes_total": ("port",),
    "pollgate_port_receive_missed_total": ("port",),
    "pollgate_port_receive_nombuf_total": ("port",),
    "pollgate_port_queues": ("port",),
    "pollgate_port_offload_enabled": ("port", "offload"),
    "pollgate_messages_total": ("worker", "type"),
    "pollgate_drops_total": ("worker", "reason"),
    "pollgate_transmit_drops_total": ("worker", "reason"),
    "pollgate_sessions": ("state",),
    "pollgate_worker_cycles_total": ("worker", "state"),
    "pollgate_rx_burst_packets": ("worker",),
    "pollgate_message_handling_seconds": ("worker",),
    "pollgate_worker_heartbeat_age_seconds": ("worker",),
    "pollgate_worker_restarts_total": (),
    "pollgate_supervisor_age_seconds": (),
    "pollgate_output_lost_lines_total": ("stream",),
    "pollgate_game_processes": ("state",),
    "pollgate_game_attachments_total": (),
    "pollgate_game_detachments_total": ("reason",),
    "pollgate_game_unread_messages_total": ("reason",),
    "pollgate_game_retired_messages_total": ("result",),
    "pollgate_game_refusals_total": ("reason",),
    "pollgate_mempool_objects": ("pool", "state"),
    "pollgate_config_last_reload_successful": (),
    "pollgate_build_info": ("version", "isa"),
    "pollgate_engine_info": ("engine",),
    "pollgate_unanswered_packets_total": ("worker",),
    "pollgate_transmit_originated_packets_total": ("worker",),
    "pollgate_session_connections_total": ("worker",),
    "pollgate_session_closed_total": ("worker", "reason"),
    "pollgate_session_denied_total": ("worker", "reason"),
    "pollgate_session_path_changes_total": ("worker",),
    "pollgate_session_key_updates_total": ("worker",),
    "pollgate_session_number_changes_total": ("worker",),
    "pollgate_netcode_denied_total": ("worker",),
    "pollgate_netcode_payloads_lost_total": ("worker", "reason"),
    "pollgate_netcode_payloads_offered_total": ("worker",),
    "pollgate_netcode_payloads_sent_total": ("worker",),
    "pollgate_netcode_payloads_unsent_total": ("worker", "reason"),
    "pollgate_session_messages_received_total": ("worker", "type"),
    "pollgate_session_messages_sent_total": ("worker", "type"),
    "pollgate_session_messages_lost_total": ("worker", "reason"),
    "pollgate_session_messages_duplicate_total": ("worker",),
    "pollgate_session_messages_resent_total": ("worker",),
    "pollgate_compression_bytes_total": ("worker", "type", "stage"),
    "pollgate_expansion_bytes_total": ("worker", "stage"),
    "pollgate_message_memory_bytes": ("worker",),
}


def scrape(source: Snapshot) -> str:
    registry = CollectorRegistry(auto_describe=False)
    registry.register(SnapshotCollector(lambda: source))
    return generate_latest(registry).decode()


def samples(source: Snapshot) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(scrape(source))
        for sample in family.samples
    }


def value(source: Snapshot, name: str, **labels: str) -> float:
    return samples(source)[name, tuple(sorted(labels.items()))]


def test_every_metric_of_the_contract_is_exported_with_its_labels() -> None:
    exported = {family.name: family.labels for family in FAMILIES}
    assert CONTRACT.items() <= exported.items()


def test_promtool_finds_nothing_to_complain_about() -> None:
    done = subprocess.run(
        ["promtool", "check", "metrics"],
        input=scrape(snapshot()),
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_every_series_exists_before_the_first_packet() -> None:
    at_start = {key for key in samples(snapshot(turns=0)) if key[0] != "pollgate_build_info"}
    later = {key for key in samples(snapshot(turns=9)) if key[0] != "pollgate_build_info"}
    assert at_start == later


def test_what_nothing_counts_yet_is_an_empty_object_and_shown_for_every_worker_once_it_does() -> None:
    name = "pollgate_to_kernel_packets_total"
    nothing = with_workers(snapshot(), worker(0, 9), worker(1, 9))
    assert values(nothing)[name] == {}
    assert not [key for key in samples(nothing) if key[0] == name]
    some = with_workers(snapshot(), worker(0, 9), dataclasses.replace(worker(1, 9), to_kernel=3))
    assert values(some)[name] == {"0": 0, "1": 3}


def test_a_link_of_which_nobody_can_tell_is_an_empty_object_too() -> None:
    source = snapshot()
    ports = tuple(dataclasses.replace(port, link_up=None) for port in source.ports)
    assert values(dataclasses.replace(source, ports=ports))["pollgate_port_link_up"] == {}


def test_counters_are_per_worker_and_named_by_reason() -> None:
    assert value(snapshot(turns=7), "pollgate_messages_total", worker="1", type="move") == 56
    assert value(snapshot(turns=7), "pollgate_drops_total", worker="0", reason="truncated") == 7
    assert value(snapshot(turns=7), "pollgate_drops_total", worker="0", reason="ip_checksum") == 0
    assert value(snapshot(turns=7), "pollgate_worker_cycles_total", worker="0", state="busy") == 10_500


def test_sessions_are_summed_over_workers() -> None:
    assert value(snapshot(workers=3), "pollgate_sessions", state="active") == 15


def test_sessions_that_stand_and_their_players_that_are_connected_are_told_apart() -> None:
    assert value(snapshot(workers=3), "pollgate_sessions", state="issued") == 21
    assert value(snapshot(workers=3), "pollgate_sessions", state="connected") == 9


def test_messages_of_sessions_are_counted_by_type_and_loss_by_reason() -> None:
    source = snapshot(turns=7)
    assert value(source, "pollgate_session_messages_received_total", worker="1", type="move") == 35
    assert value(source, "pollgate_session_messages_sent_total", worker="1", type="chat") == 7
    assert value(source, "pollgate_session_messages_sent_total", worker="1", type="inventory") == 0
    assert value(source, "pollgate_session_messages_lost_total", worker="0", reason="queue_full") == 0
    assert value(source, "pollgate_session_closed_total", worker="0", reason="left") == 1
    assert value(source, "pollgate_session_messages_resent_total", worker="0") == 14


def test_bytes_are_counted_before_compression_and_after() -> None:
    found = values(snapshot(turns=2))["pollgate_compression_bytes_total"]
    assert isinstance(found, dict)
    assert found["0"]["chat"] == {"before": 200, "after": 80}
    assert found["0"]["bulk"] == {"before": 0, "after": 0}


def test_buffers_in_use_and_available_add_up_to_the_pool() -> None:
    assert value(snapshot(), "pollgate_mempool_objects", pool="node0", state="available") == 9000
    assert value(snapshot(), "pollgate_mempool_objects", pool="node0", state="in_use") == 1000


def test_every_offload_of_a_port_is_said_to_be_on_or_off() -> None:
    (port,) = snapshot().ports
    for on in (set(), {"rss"}, {"rx_checksum", "tx_checksum"}):
        source = dataclasses.replace(snapshot(), ports=(dataclasses.replace(port, offloads=frozenset(on)),))
        said = values(source)["pollgate_port_offload_enabled"]
        assert said == {"game0": {name: int(name in on) for name in ("rx_checksum", "tx_checksum", "rss")}}


def test_queues_of_a_port_are_those_in_use() -> None:
    assert value(snapshot(workers=3), "pollgate_port_queues", port="game0") == 3


@pytest.mark.parametrize("engine", ["dpdk", "io_uring", "epoll"])
def test_engine_info_says_what_brings_the_packets(engine: str) -> None:
    assert value(dataclasses.replace(snapshot(), engine=engine), "pollgate_engine_info", engine=engine) == 1


def test_build_info_says_version_and_instruction_set() -> None:
    assert value(snapshot(), "pollgate_build_info", version=__version__, isa="v3") == 1


def test_an_engine_without_pools_has_no_samples_of_them_and_all_others() -> None:
    source = dataclasses.replace(snapshot(), engine="epoll", pools=())
    assert {name for name, _ in samples(snapshot())} - {name for name, _ in samples(source)} == {
        "pollgate_mempool_objects"
    }
    assert values(source)["pollgate_mempool_objects"] == {}


def test_a_worker_that_never_turned_is_infinitely_late() -> None:
    late = with_workers(snapshot(), worker(0, turns=0))
    assert value(late, "pollgate_worker_heartbeat_age_seconds", worker="0") == math.inf


def test_no_sample_is_ever_nan() -> None:
    for turns in (0, 1):
        assert not [key for key, sample in samples(snapshot(turns)).items() if math.isnan(sample)]


def test_openmetrics_is_valid_too() -> None:
    registry = CollectorRegistry(auto_describe=False)
    registry.register(SnapshotCollector(snapshot))
    text = generate_openmetrics(registry).decode()  # type: ignore[no-untyped-call]
    families = list(openmetrics_families(text))  # type: ignore[no-untyped-call]
    assert len(families) == len(FAMILIES)


@given(
    counts=st.lists(st.integers(0, 2**40), min_size=1, max_size=30),
    total=st.floats(0, 1e12),
    unbounded=st.booleans(),
)
def test_a_histogram_is_cumulative_and_its_last_bucket_is_its_count(
    counts: list[int], total: float, unbounded: bool
) -> None:
    bounds = [float(n + 1) for n in range(len(counts))]
    if unbounded:
        bounds[-1] = math.inf
    some = dataclasses.replace(worker(0, 1), handling=Histogram(tuple(bounds), tuple(counts), total))
    mine = {
        key: sample
        for key, sample in samples(with_workers(snapshot(), some)).items()
        if key[0].startswith("pollgate_message_handling_seconds")
    }
    buckets = sorted(
        (float(dict(labels)["le"]), sample)
        for (name, labels), sample in mine.items()
        if name.endswith("_bucket")
    )
    heights = [height for _, height in buckets]
    assert heights == sorted(heights)
    assert buckets[-1] == (math.inf, sum(counts))
    assert mine["pollgate_message_handling_seconds_count", (("worker", "0"),)] == sum(counts)
    assert mine["pollgate_message_handling_seconds_sum", (("worker", "0"),)] == total
    assert [bound for bound, _ in buckets if bound < math.inf] == [b for b in bounds if b < math.inf]


def test_one_scrape_takes_one_snapshot() -> None:
    taken: list[Snapshot] = []

    def source() -> Snapshot:
        taken.append(snapshot())
        return taken[-1]

    registry = CollectorRegistry(auto_describe=False)
    registry.register(SnapshotCollector(source))
    assert taken == []
    generate_latest(registry)
    assert len(taken) == 1


def test_json_has_every_metric_by_name_and_nothing_else() -> None:
    assert set(values(snapshot())) == {family.name for family in FAMILIES}


def test_json_nests_in_the_order_of_the_labels_and_keeps_whole_numbers() -> None:
    found = json.loads(json.dumps(values(snapshot(turns=3, workers=1)), allow_nan=False))
    assert found["pollgate_drops_total"]["0"]["truncated"] == 3
    assert found["pollgate_worker_restarts_total"] == 0
    assert found["pollgate_sessions"] == {"active": 5, "issued": 7, "connected": 3}
    burst = found["pollgate_rx_burst_packets"]["0"]
    assert (burst["count"], burst["sum"]) == (3, 30)
    assert burst["buckets"]["8.0"] == 0
    assert burst["buckets"]["16.0"] == burst["buckets"]["+Inf"] == 3


def test_json_has_null_where_json_has_no_infinity() -> None:
    assert values(snapshot(turns=0))["pollgate_worker_heartbeat_age_seconds"] == {"0": None, "1": None}


def test_json_without_workers_has_an_empty_object_for_labelled_metrics() -> None:
    assert values(with_workers(snapshot()))["pollgate_drops_total"] == {}


def test_the_document_lists_exactly_the_metrics_that_are_exported() -> None:
    assert table(DOCUMENT.read_text(), METRICS_HEAD) == rows(), "tests.metrics.document writes it"


@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.name)
def test_a_name_follows_the_conventions(family: pyshim.metrics.Family) -> None:
    assert family.name.startswith("pollgate_")
    assert family.name.endswith("_total") == (family.kind == "counter")
    assert family.meaning.endswith(".")
