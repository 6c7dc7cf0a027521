# SPDX-License-Identifier: BSD-3-Clause
"""Whoever has most connections is the one who gives one up."""

from __future__ import annotations

import pytest

from pyshim.system.eviction import oldest_of_most, source_of


@pytest.mark.parametrize(
    ("open_ones", "victim"),
    [("", None), ("a1", "a1"), ("a1 b1", "a1"), ("a1 b1 b2", "b1"), ("b1 a1 a2 a3 b2", "a1")],
)
def test_the_oldest_of_the_source_that_has_most_gives_way(open_ones: str, victim: str | None) -> None:
    assert oldest_of_most(open_ones.split(), lambda name: name[0]) == victim


def test_a_source_is_an_address_and_of_ipv6_its_64() -> None:
    assert source_of(("192.0.2.1", 80)) == source_of(("::ffff:192.0.2.1", 1, 0, 0))
    assert source_of(("2001:db8::1", 1, 0, 0)) == source_of(("2001:db8::2", 2, 0, 0))
    assert source_of(("2001:db8::1", 1, 0, 0)) != source_of(("2001:db8:0:1::1", 1, 0, 0))
    assert source_of(("fe80::1%eth0", 1, 0, 2)) == source_of(("fe80::2%eth0", 1, 0, 2))
    assert source_of("") == source_of(b"")
