# SPDX-License-Identifier: BSD-3-Clause
"""How often the operator hears of another host that uses an address of ours."""

from __future__ import annotations

import dataclasses

from pyshim.run.rivals import Rivals
from pyshim.stats import PortSnapshot, Rival
from tests.metrics.synthetic import snapshot

MAC = "06:00:00:00:00:05"
PORT = snapshot().ports[0]


def seen(times: int, mac: str = MAC, name: str = "game0") -> PortSnapshot:
    return dataclasses.replace(PORT, name=name, rival=Rival("10.0.0.1", mac, times))


def test_a_port_without_a_rival_is_not_spoken_of() -> None:
    assert Rivals().look([PORT], 0.0)[1] == ()


def test_the_sentence_has_the_port_the_address_and_both_macs() -> None:
    _, (sentence,) = Rivals().look([seen(1)], 0.0)
    for part in ("game0", "10.0.0.1", MAC, PORT.mac):
        assert part in sentence


def test_a_rival_that_goes_on_is_told_once_a_minute() -> None:
    rivals = Rivals()
    told = []
    for second in range(121):
        rivals, sentences = rivals.look([seen(1 + second)], float(second))
        told += [second] * len(sentences)
    assert told == [0, 60, 120]


def test_a_rival_that_is_silent_is_not_told_again() -> None:
    rivals, first = Rivals().look([seen(1)], 0.0)
    rivals, later = rivals.look([seen(1)], 1000.0)
    _, again = rivals.look([seen(2)], 1001.0)
    assert (len(first), len(later), len(again)) == (1, 0, 1)


def test_each_port_has_a_minute_of_its_own() -> None:
    rivals, _ = Rivals().look([seen(1)], 0.0)
    _, sentences = rivals.look([seen(2), seen(1, name="game1")], 1.0)
    assert len(sentences) == 1
    assert "game1" in sentences[0]
