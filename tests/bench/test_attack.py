# SPDX-License-Identifier: BSD-3-Clause
"""`pollgate bench attack` works: authentic packets were answered, forged ones dropped for what they are."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from pyshim.bench.rig.attacked import check
from pyshim.bench.rig.forged_frames import write_attack
from pyshim.bench.rig.forgery import Attack, line_rate
from pyshim.bench.rig.sealed_frames import BURST, Connection, frames_of
from pyshim.bench.rig.sealed_run import SideRun
from pyshim.errors import UnavailableError
from tests.bench.commands import BRIEFLY, bench

RIGHT = SideRun(1e6, 1000.0, 63, received=64, answered=1, dropped={"bad_tag": 63})


def test_attack_has_a_row_per_kind_of_forgery_beside_what_a_wire_brings(tmp_path: Path) -> None:
    ended = bench("attack", "--json", *BRIEFLY, cwd=tmp_path)

    assert ended.returncode == 0, ended.stderr
    report = json.loads(ended.stdout)
    rows = {row["name"]: row for row in report["rows"]}
    assert [*rows] == ["spoofed-10000", "elsewhere-10000"]
    for row in rows.values():
        assert (row["unit"], row["against"]) == ("packets/s", "10 GbE line rate")
        assert (row["device"], row["sessions"]) == ("net_pcap infinite_rx", 10_000)
        assert row["against_samples"] == [pytest.approx(10e9 / 8 / (78 + 24))]
        assert row["line_rate_share"] == row["ratio"]["median"] > 0
        assert row["kept_share"] == min(1.0, row["line_rate_share"])
        assert row["cycles_per_forged_packet"] > 0
        assert sum(row["dropped_shares"].values()) == pytest.approx(1.0)
    assert rows["spoofed-10000"]["dropped_shares"].keys() == {"bad_tag"}
    assert rows["elsewhere-10000"]["dropped_shares"]["source_rate_limited"] > 0


def test_every_burst_of_an_attack_has_one_authentic_packet_and_forged_ones_for_the_others(
    tmp_path: Path,
) -> None:
    players = [Connection(number, 1000 + number) for number in range(2 * BURST)]
    authentic = {next(frames_of(player)) for player in players}
    for attack in Attack:
        capture = write_attack(tmp_path / attack, players, attack)
        frames = frames_in(tmp_path / attack)
        assert (len(frames), capture.frame_bytes) == (2 * BURST, 78)
        for start in range(0, len(frames), BURST):
            assert len(authentic.intersection(frames[start : start + BURST])) == 1
        forged = [frame for frame in frames if frame not in authentic]
        own = {(player.address.packed, player.session) for player in players}
        aimed = {(frame[26:30], int.from_bytes(frame[46:50], "little")) for frame in forged}
        assert (aimed <= own) == (attack is Attack.SPOOFED)
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
def test_a_run_in_which_anything_else_happened_is_refused(wrong: SideRun) -> None:
    check(RIGHT, Attack.SPOOFED)
    with pytest.raises(UnavailableError, match="authentic packets"):
        check(wrong, Attack.SPOOFED)


def test_line_rate_counts_what_a_frame_takes_on_the_wire() -> None:
    assert line_rate(60) == pytest.approx(14_880_952, abs=1)  # RFC 2544's figure for 64 bytes with FCS
