# SPDX-License-Identifier: BSD-3-Clause
"""`pollgate bench attack` works: authentic packets were answered, forged ones dropped for what they are."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from pyshim.bench.attack import limit
from pyshim.bench.rig.attacked import check
from pyshim.bench.rig.forged_frames import write_attack
from pyshim.bench.rig.forgery import Attack, line_rate
from pyshim.bench.rig.placement import Placement
from pyshim.bench.rig.sealed_frames import BURST, Connection, frame_of
from pyshim.bench.rig.sealed_run import ServerRun
from pyshim.errors import UnavailableError
from tests.bench.commands import BRIEFLY, bench
from tests.network.namespace import why_not

LENGTHS = {Attack.SPOOFED: 82, Attack.SPOOFED_MOVES: 110, Attack.ELSEWHERE: 82}
RIGHT = ServerRun(1e6, 1000.0, 63, received=64, answered=1, dropped={"bad_tag": 63})


def test_attack_has_a_row_per_kind_of_forgery_beside_what_a_wire_brings(tmp_path: Path) -> None:
    ended = bench("attack", "--json", *BRIEFLY, cwd=tmp_path)

    assert ended.returncode == 0, ended.stderr
    report = json.loads(ended.stdout)
    rows = {row["name"]: row for row in report["rows"]}
    assert [*rows][:3] == ["spoofed-10000", "spoofed-moves-10000", "elsewhere-10000"]
    assert [row["frame_bytes"] for row in rows.values()][:3] == [82, 110, 82]
    for row in [*rows.values()][:3]:
        assert (row["unit"], row["against"]) == ("packets/s", "10 GbE line rate")
        assert (row["device"], row["sessions"]) == ("net_pcap infinite_rx", 10_000)
        assert row["against_samples"] == [pytest.approx(10e9 / 8 / (row["frame_bytes"] + 24))]
        assert row["line_rate_share"] == row["ratio"]["median"] > 0
        assert row["kept_share"] == min(1.0, row["line_rate_share"])
        assert row["cycles_per_forged_packet"] > 0
        assert sum(row["dropped_shares"].values()) == pytest.approx(1.0)
    for name in ("spoofed-10000", "spoofed-moves-10000"):
        assert rows[name]["dropped_shares"].keys() == {"bad_tag"}
    assert rows["elsewhere-10000"]["dropped_shares"]["source_rate_limited"] > 0
    if why_not():
        (note,) = report["notes"]
        assert note.startswith("veth-spoofed was left out: ")
    else:
        assert report["notes"] == []
        is_a_whole_flood_run(rows["veth-spoofed"])
    assert list(tmp_path.iterdir()) == []


def is_a_whole_flood_run(row: dict[str, Any]) -> None:
    assert (row["unit"], row["against"]) == (
        "share of the player's packets acknowledged",
        "without attack",
    )
    assert row["sent"] == row["against_sent"] == [100]
    assert row["samples"] == [pytest.approx(row["acknowledged"][0] / 100)]
    assert row["against_samples"] == [pytest.approx(row["against_acknowledged"][0] / 100)]
    assert 100 >= row["taken"][0] >= row["acknowledged"][0]
    assert 0 < row["value"] <= 1
    assert row["flood_sent_pps"] > 0
    assert row["flood_received_pps"] > 0
    assert 0 < row["worker_busy"] <= 1
    assert ("Limited by the flood" in row["note"]) == (row["limited_by"] == "generator")


def test_every_burst_of_an_attack_has_one_authentic_packet_and_forged_ones_for_the_others(
    tmp_path: Path,
) -> None:
    players = [Connection(number, 1000 + number) for number in range(2 * BURST)]
    authentic = {frame_of(player) for player in players}
    for attack in Attack:
        capture = write_attack(tmp_path / attack, players, attack)
        frames = frames_in(tmp_path / attack)
        assert (len(frames), capture.frame_bytes) == (2 * BURST, LENGTHS[attack])
        for start in range(0, len(frames), BURST):
            assert len(authentic.intersection(frames[start : start + BURST])) == 1
        forged = [frame for frame in frames if frame not in authentic]
        own = {(player.address.packed, player.session) for player in players}
        aimed = {(frame[26:30], int.from_bytes(frame[46:50], "little")) for frame in forged}
        assert (aimed <= own) == (attack is not Attack.ELSEWHERE)
        assert {session for _, session in aimed} <= {player.session for player in players}


def frames_in(path: Path) -> list[bytes]:
    rest = path.read_bytes()[24:]
    frames = []
    while rest:
        size = int.from_bytes(rest[8:12], "little")
        frames.append(rest[16 : 16 + size])
        rest = rest[16 + size :]
    return frames


@pytest.mark.parametrize(
    "wrong",
    [
        replace(RIGHT, answered=0),
        replace(RIGHT, answered=2),
        replace(RIGHT, dropped={"bad_tag": 62}),
        replace(RIGHT, dropped={"bad_tag": 62, "replayed": 1}),
        replace(RIGHT, dropped={"bad_tag": 62, "source_rate_limited": 1}),
    ],
)
def test_a_run_in_which_anything_else_happened_is_refused(wrong: ServerRun) -> None:
    check(RIGHT, Attack.SPOOFED)
    with pytest.raises(UnavailableError, match="authentic packets"):
        check(wrong, Attack.SPOOFED)


def test_what_bounded_an_attack_is_told() -> None:
    apart, together = Placement(1, 0), Placement(0, 0)

    assert limit([0.95, 1.0, 0.2], apart) == ("gateway", "")
    assert limit([0.3, 0.4, 1.0], apart)[0] == "generator"
    assert "40% busy" in limit([0.3, 0.4, 1.0], apart)[1]
    assert limit([1.0], together) == ("cpus", together.note)


def test_line_rate_counts_what_a_frame_takes_on_the_wire() -> None:
    assert line_rate(60) == pytest.approx(14_880_952, abs=1)  # RFC 2544's figure for 64 bytes with FCS
