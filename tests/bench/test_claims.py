# SPDX-License-Identifier: BSD-3-Clause
"""What is said of each claim, for figures that are made up: every verdict can be reached."""

from __future__ import annotations

from typing import Any

import pytest

from pyshim.bench.reports.claims import CLAIMS, Judgement, Verdict
from tests.bench.synthetic import evidence, ratio, report, row

HOLDS, FAILS, OPEN, UNMEASURED = Verdict.HOLDS, Verdict.FAILS, Verdict.OPEN, Verdict.UNMEASURED
VIRTUAL = "net_pcap infinite_rx"


def judge(about: str, *reports: dict[str, Any]) -> Judgement:
    (claim,) = (claim for claim in CLAIMS if claim.about == about)
    return claim.judge(evidence(*reports))


def engines(*rows: dict[str, Any]) -> dict[str, Any]:
    return report("engines", *rows)


def players(name: str, value: float, **other: Any) -> dict[str, Any]:
    return report("players", row(name, value, device="net_memif0", **other))


def test_without_a_figure_every_claim_is_not_measured() -> None:
    assert {claim.judge(evidence()).verdict for claim in CLAIMS} == {UNMEASURED}
    empty = (report("engines"), report("players"))
    assert {claim.judge(evidence(*empty)).verdict for claim in CLAIMS} == {UNMEASURED}


def test_a_row_without_the_detail_that_a_claim_is_about_is_not_measured() -> None:
    bare = (engines(row("traditional", 1e5), row("dpdk-memif", 1e6)), players("ladder-5000x60", 3e5))

    for about in ("latency, DPDK", "CPU", "memory bandwidth, DPDK", "bytes copied per packet"):
        assert judge(about, *bare).verdict is UNMEASURED
    assert judge("5,000 players at 60 Hz", *bare).verdict is UNMEASURED


@pytest.mark.parametrize(
    ("about", "name", "claimed"),
    [
        ("traditional server", "traditional", 845e3),
        ("io_uring", "io_uring", 12.4e6),
        ("DPDK", "dpdk-pcap", 18.7e6),
    ],
)
def test_a_rate_holds_fails_or_stays_open_by_what_bounded_it(about: str, name: str, claimed: float) -> None:
    assert judge(about, engines(row(name, claimed))).verdict is HOLDS
    assert judge(about, engines(row(name, claimed * 0.99))).verdict is FAILS
    generator = judge(about, engines(row(name, claimed * 0.99, limited_by="generator")))
    assert generator.verdict is OPEN
    assert "the generator bounds this figure" in generator.why
    shared = judge(about, engines(row(name, claimed * 0.99, limited_by="cpus")))
    assert shared.verdict is OPEN
    assert "too few CPUs bound this figure" in shared.why


def test_a_figure_of_a_virtual_device_says_so_and_one_of_a_nic_does_not() -> None:
    virtual = judge("DPDK", engines(row("dpdk-pcap", 20e6, device=VIRTUAL)))
    nic = judge("DPDK", engines(row("dpdk-pcap", 20e6, device="0000:03:00.0")))

    assert (virtual.verdict, nic.verdict) == (HOLDS, HOLDS)
    assert "not what a NIC would carry" in virtual.why
    assert nic.why == "on a NIC", "and nothing more"


def test_the_better_of_two_devices_decides_and_is_named() -> None:
    judged = judge("DPDK", engines(row("dpdk-memif", 5e6, limited_by="generator"), row("dpdk-pcap", 19e6)))

    assert judged.verdict is HOLDS
    assert judged.measured == (
        "19.0 M packets/s per core (dpdk-pcap); 5.00 M packets/s per core (dpdk-memif, limited by generator)"
    )


@pytest.mark.parametrize(
    ("factor", "limit", "verdict"),
    [(22.1, "gateway", HOLDS), (30.0, "generator", HOLDS), (22.0, "gateway", FAILS), (22.0, "device", OPEN)],
)
def test_the_ratio_to_the_traditional_server(factor: float, limit: str, verdict: Verdict) -> None:
    rows = row("dpdk-pcap", 1e7, ratio=ratio(factor), limited_by=limit)

    assert judge("DPDK over traditional", engines(rows)).verdict is verdict


def test_a_ratio_to_a_traditional_server_that_was_held_back_proves_nothing() -> None:
    held_back = row("traditional", 1e5, limited_by="generator")

    judged = judge("DPDK over traditional", engines(held_back, row("dpdk-pcap", 1e7, ratio=ratio(100.0))))

    assert judged.verdict is OPEN
    assert "the true ratio is smaller" in judged.why


def test_a_ratio_to_something_else_proves_nothing_about_the_traditional_server() -> None:
    rows = row("dpdk-pcap", 1e7, ratio=ratio(30.0), against="epoll")

    assert judge("DPDK over traditional", engines(rows)).verdict is UNMEASURED


def test_latency_is_judged_by_the_median_round_trip_and_tells_the_cpu_time() -> None:
    def measured(p50_s: float) -> Judgement:
        details = {"latency_p50_s": p50_s, "latency_p99_s": 9e-5, "cpu_s_per_packet": 5e-8}
        return judge("latency, DPDK", engines(row("dpdk-memif", 1e6, **details)))

    assert measured(156e-9).verdict is HOLDS
    slow = measured(40e-6)
    assert slow.verdict is FAILS
    assert slow.measured == "p50 40.0 µs, p99 90.0 µs (dpdk-memif)"
    assert "CPU time is 50.0 ns a packet" in slow.why


def test_the_time_inside_the_gateway_is_told_beside_the_round_trip_and_never_in_its_place() -> None:
    inside = row("dpdk-pcap", 1e6, latency_p50_s=1e-7)

    both = judge("latency, DPDK", engines(row("dpdk-memif", 1e6, latency_p50_s=40e-6), inside))

    assert both.verdict is FAILS
    assert "a packet spends 100 ns" in both.why
    assert judge("latency, DPDK", engines(inside)).verdict is UNMEASURED


@pytest.mark.parametrize(
    ("about", "key", "factor"),
    [
        ("latency, DPDK over traditional", "latency_p50_s", 18.2),
        ("CPU", "cpu_share_at_rate", 85 / 12),
        ("bytes copied per packet", "copied_bytes_per_packet", 19.0),
    ],
)
def test_a_saving_is_judged_by_its_factor(about: str, key: str, factor: float) -> None:
    def saved(before: float, after: float) -> Verdict:
        return judge(
            about, engines(row("traditional", 1.0, **{key: before}), row("dpdk-memif", 1.0, **{key: after}))
        ).verdict

    assert saved(factor * 1.01, 1.0) is HOLDS
    assert saved(factor * 0.99, 1.0) is FAILS
    assert saved(1.0, 0.0) is HOLDS, "nothing left is less than any part"
    assert saved(0.0, 0.0) is FAILS, "nothing was there to save"


def test_the_share_of_a_core_names_its_rate() -> None:
    rows = (
        row("traditional", 1.0, cpu_share_at_rate=0.5, fixed_rate_pps=100_000),
        row("dpdk-memif", 1.0, cpu_share_at_rate=0.01, fixed_rate_pps=100_000),
    )

    assert judge("CPU", engines(*rows)).measured == "50.0 % → 1.0 % (dpdk-memif; 50.0×) at 100,000 packets/s"


def test_memory_bandwidth_is_judged_on_each_side() -> None:
    def measured(traditional: float, dpdk: float) -> tuple[Verdict, Verdict]:
        made = engines(
            row("traditional", 1e5, memory_bandwidth_bytes_per_s=traditional),
            row("dpdk-memif", 1e6, memory_bandwidth_bytes_per_s=dpdk),
        )
        placement = ("memory bandwidth, traditional", "memory bandwidth, DPDK")
        before, after = (judge(about, made).verdict for about in placement)
        return before, after

    assert measured(15.2e9, 0.8e9) == (HOLDS, HOLDS)
    assert measured(0.1e9, 0.9e9) == (FAILS, FAILS)


@pytest.mark.parametrize(
    ("p99_s", "loss", "limit", "verdict"),
    [
        (0.0099, 0.0, "gateway", HOLDS),
        (0.0100, 0.0, "gateway", FAILS),
        (0.0010, 0.01, "gateway", FAILS),
        (0.0200, 0.0, "generator", OPEN),
    ],
)
def test_five_thousand_players(p99_s: float, loss: float, limit: str, verdict: Verdict) -> None:
    made = players("ladder-5000x60", 3e5, latency_p99_s=p99_s, loss_ratio=loss, limited_by=limit)

    assert judge("5,000 players at 60 Hz", made).verdict is verdict


@pytest.mark.parametrize(("about", "pps"), [("half a million", 500_000), ("a million", 1_000_000)])
def test_a_paced_rate_counts_when_it_was_sent_and_answered(about: str, pps: int) -> None:
    def measured(value: float, loss: float, limit: str) -> Verdict:
        made = players(f"paced-{pps}", value, latency_p99_s=1e-3, loss_ratio=loss, limited_by=limit)
        return judge(about, made).verdict

    assert measured(pps * 0.995, 0.0005, "gateway") is HOLDS
    assert measured(pps * 0.995, 0.01, "gateway") is FAILS
    assert measured(pps * 0.5, 0.0, "gateway") is FAILS
    assert measured(pps * 0.5, 0.0, "generator") is OPEN
