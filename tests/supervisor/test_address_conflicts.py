# SPDX-License-Identifier: BSD-3-Clause
"""How often the operator hears of another host that uses an address of ours."""

from __future__ import annotations

import dataclasses

from pyshim.run.address_conflicts import AddressConflicts
from pyshim.stats import AddressConflict, PortSnapshot
from tests.metrics.synthetic import snapshot

MAC = "06:00:00:00:00:05"
PORT = snapshot().ports[0]


def seen(times: int, mac: str = MAC, name: str = "game0") -> PortSnapshot:
    return dataclasses.replace(PORT, name=name, conflict=AddressConflict("10.0.0.1", mac, times))


def test_a_port_without_a_conflict_is_not_spoken_of() -> None:
    assert AddressConflicts().look([PORT], 0.0)[1] == ()


def test_the_sentence_has_the_port_the_address_and_both_macs() -> None:
    _, (sentence,) = AddressConflicts().look([seen(1)], 0.0)
    for part in ("game0", "10.0.0.1", MAC, PORT.mac):
        assert part in sentence


def test_a_conflict_that_goes_on_is_told_once_a_minute() -> None:
    address_conflicts = AddressConflicts()
    told = []
    for second in range(121):
        address_conflicts, sentences = address_conflicts.look([seen(1 + second)], float(second))
        told += [second] * len(sentences)
    assert told == [0, 60, 120]


def test_a_conflict_that_is_silent_is_not_told_again() -> None:
    address_conflicts, first = AddressConflicts().look([seen(1)], 0.0)
    address_conflicts, later = address_conflicts.look([seen(1)], 1000.0)
    _, again = address_conflicts.look([seen(2)], 1001.0)
    assert (len(first), len(later), len(again)) == (1, 0, 1)


def test_each_port_has_a_minute_of_its_own() -> None:
    address_conflicts, _ = AddressConflicts().look([seen(1)], 0.0)
    _, sentences = address_conflicts.look([seen(2), seen(1, name="game1")], 1.0)
    assert len(sentences) == 1
    assert "game1" in sentences[0]
