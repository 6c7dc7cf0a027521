# SPDX-License-Identifier: BSD-3-Clause
"""The published page: what stands on it comes from the files and from nothing else."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from pyshim.bench.reports.claims import CLAIMS
from pyshim.bench.reports.results import results_page
from pyshim.protocol.session_wire import VERSION
from tests.bench.commands import bench
from tests.bench.synthetic import HOST, evidence, ratio, report, row, write

ENGINES = report(
    "engines",
    row("traditional", 2e5, cpu_share_at_rate=0.5),
    row("io_uring", 4e5, limited_by="generator", note="The generator had no more."),
    row("dpdk-pcap", 2e7, ratio=ratio(99.0), device="net_pcap infinite_rx", frame_bytes=86, flows=512),
)


def test_the_page_sets_a_verdict_beside_every_claim(tmp_path: Path) -> None:
    out = tmp_path / "RESULTS.md"

    ended = bench("results", "--out", str(out), *map(str, write(tmp_path, ENGINES)), cwd=tmp_path)

    assert ended.returncode == 0, ended.stderr
    page = out.read_text()
    for claim in CLAIMS:
        table, _, _ = page.partition("## How to read this")
        (line,) = (line for line in table.splitlines() if line.startswith(f"| {claim.about} |"))
        assert f"| {claim.claimed} |" in line
    assert "| DPDK over traditional | 22.1× | 99.0×, 99.0 … 99.0 (dpdk-pcap) | **holds here** |" in page
    assert (
        "| traditional server | 845,000 packets/s | 200 k packets/s per core (traditional) | **does not"
        in page
    )
    assert (
        "| io_uring | 12.4 M packets/s | 400 k packets/s per core (io_uring, limited by generator) | **cannot"
        in page
    )
    assert "| a million | 1,000,000 packets/s | – | **not measured** |" in page
    assert "**generator**" in page
    assert "io_uring: The generator had no more." in page


def test_the_page_tells_the_machine_and_the_commands(tmp_path: Path) -> None:
    page = results_page(evidence(ENGINES))

    assert "Example CPU, 2 CPUs" in page
    assert "pollgate bench engines --json --pairs 2 --seconds 1.5 >var/engines.json" in page
    results = "pollgate bench results --out tests/bench/RESULTS.md"
    assert f"{results} var/forward.json var/attack.json var/engines.json" in page


def test_what_is_added_to_a_time_is_on_the_page() -> None:
    taken = row("game-forward", 5e6, unit="messages/s", against="no-route")
    trip = row("game-round-trip", 1720.0, unit="ns", against="acknowledged", added_ns=1580.0)

    page = results_page(evidence(report("game", taken, trip)))

    assert "| game-forward | 5.00 M | messages/s | no-route |" in page
    assert "| game-round-trip | 1,720 | ns | acknowledged |" in page
    assert "2 × 1.5 s, 1,580 ns more |" in page


def test_sealed_packets_are_on_the_page_with_and_without_an_attack() -> None:
    sealed = {"device": "net_pcap infinite_rx", "frame_bytes": 106, "flows": 10_000}
    forward = report(
        "forward",
        row("session-10000", 4e6, against="crypto-only", ratio=ratio(0.83), **sealed),
        row("session-10000-answers", 4e6, against="crypto-answers", ratio=ratio(0.71), **sealed),
    )
    shares = "share of the player's packets acknowledged"
    attack = report(
        "attack",
        row("spoofed-10000", 1.2e7, against="10 GbE line rate", kept_share=0.956, **sealed),
        row("veth-spoofed", 0.97, unit=shares, against="without attack", limited_by="generator"),
    )

    page = results_page(evidence(attack, forward))

    how = "net_pcap infinite_rx, 106-byte frames, 10,000 flows, 2 × 1.5 s"
    forward_section, _, attack_section = page.partition("### bench attack")
    assert (
        f"| session-10000 | 4.00 M | packets/s | crypto-only | 0.83 | 0.83 … 0.83 | gateway | {how} |"
        in forward_section
    )
    assert "| session-10000-answers | 4.00 M | packets/s | crypto-answers | 0.71 |" in forward_section
    assert f"{how}, a session keeps 95.6 % |" in attack_section
    assert f"| veth-spoofed | 0.97 | {shares} | without attack |" in attack_section
    assert "pollgate bench attack --json --pairs 2 --seconds 1.5 >var/attack.json" in attack_section


def test_rows_of_another_version_of_the_protocol_are_named() -> None:
    forward = report(
        "forward",
        row("plain-512", 1e7),
        row("session-10000", 4e6),
        row("session-10000-answers", 4e6),
        row("session-10000-huge", 4e6, protocol_version=VERSION),
    )

    page = results_page(evidence(forward))

    assert (
        f"Measured with version 1 of the protocol, not with version {VERSION}, which this is: "
        "session-10000, session-10000-answers.\n" in page
    )
    assert page.count("version 1") == 1


def test_the_same_files_give_the_same_page_and_nothing_measured_gives_one_too() -> None:
    assert results_page(evidence(ENGINES)) == results_page(evidence(ENGINES))
    nothing = results_page(evidence())
    assert nothing.count("Not measured.") == 7
    assert f"{len(CLAIMS)} claims. Not measured: {len(CLAIMS)}." in nothing


def test_what_is_incomplete_or_left_out_is_said() -> None:
    page = results_page(
        evidence(report("sessions", row("sessions-1000", 1e7), complete=False, notes=["One was left out."]))
    )

    assert "Incomplete: the run ended early" in page
    assert "One was left out." in page


def test_figures_of_two_machines_are_not_shown_as_those_of_one() -> None:
    other = report("forward", row("plain-512", 1e7), host={**HOST, "cpu": "Another CPU"})

    page = results_page(evidence(ENGINES, other))

    assert "Not all figures are of one machine" in page
    assert "- engines: Example CPU" in page
    assert "- forward: Another CPU" in page


def test_a_benchmark_that_the_page_does_not_know_is_on_it() -> None:
    page = results_page(evidence(report("world", row("spread-5000", 3e5))))

    assert "### bench world" in page
    assert "| spread-5000 | 300 k | packets/s |" in page


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("", "not what a benchmark prints with --json"),
        ('{"bench": "forward"}', "not what a benchmark prints with --json: version: Field required"),
        (json.dumps(report("forward", {"name": "plain-512"})), "rows.0.unit: Field required"),
    ],
)
def test_a_file_that_is_none_is_named(tmp_path: Path, content: str, said: str) -> None:
    path, out = tmp_path / "forward.json", tmp_path / "RESULTS.md"
    path.write_text(content)

    ended = bench("results", "--out", str(out), str(path), cwd=tmp_path)

    assert ended.returncode == 2
    assert ended.stderr.startswith(f"{path}: ")
    assert said in ended.stderr
    assert ended.stderr.count("\n") == 1
    assert not out.exists()


def test_two_files_of_one_benchmark_are_refused(tmp_path: Path) -> None:
    (path,) = write(tmp_path, ENGINES)

    ended = bench("results", "--out", "page.md", str(path), str(path), cwd=tmp_path)

    assert ended.returncode == 2
    assert "both of bench engines; name one of them" in ended.stderr


def test_a_page_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (path,) = write(tmp_path, ENGINES)

    ended = bench("results", "--out", "missing/page.md", str(path), cwd=tmp_path)

    assert ended.returncode == 69
    assert ended.stderr == "--out: missing/page.md cannot be written: No such file or directory\n"


def test_a_file_that_is_not_there_is_named_and_counts_as_not_measured(tmp_path: Path) -> None:
    (path,) = write(tmp_path, ENGINES)

    ended = bench("results", "--out", "page.md", str(path), "ndr.json", cwd=tmp_path)

    assert ended.returncode == 0
    assert ended.stderr == "ndr.json does not exist: what it would tell is not measured\n"
    assert "### bench ndr\n\nNot measured." in (tmp_path / "page.md").read_text()
