# SPDX-License-Identifier: BSD-3-Clause
"""What tells that two networks saw one player, the observer of the tests finds."""

from __future__ import annotations

from random import Random

import pytest

from pyshim.protocol.session_wire import Header, Kind
from tests.session.observer import Seen, links, tell_order


def seen(number: int, first: int, *, to_gateway: bool = True, secret: bytes = b"") -> Seen:
    """Ten datagrams under a number, from a counter on; before the secret is what another number has not."""
    random = Random(f"{number} from {first}")
    found = []
    for counter in range(first, first + 10):
        body = random.randbytes(39) + bytes([number]) + secret
        header = Header(Kind.DATA, 12 + len(body), number, counter % (1 << 32))
        found.append((to_gateway, header.pack() + body))
    return found


def test_strangers_have_nothing_in_common() -> None:
    assert links(seen(1, 1000), seen(2, 5_000_000)) == []


def test_counters_of_one_direction_are_nothing_to_the_other() -> None:
    assert links(seen(1, 1000), seen(2, 1010, to_gateway=False)) == []


@pytest.mark.parametrize("first", [990, 1010, 1000 - 1500])
def test_counters_that_go_on_are_found(first: int) -> None:
    (found,) = links(seen(1, 1000), seen(2, first % (1 << 32)))
    assert "counters to the gateway" in found


def test_a_number_that_both_saw_is_found() -> None:
    assert any("number" in found for found in links(seen(1, 1000), seen(1, 5_000_000)))


def test_bytes_that_both_saw_are_found() -> None:
    (found,) = links(seen(1, 1000, secret=b"a token."), seen(2, 5_000_000, secret=b"a token."))
    assert found == f"both have the bytes {b'a token.'.hex()}"


def test_spares_that_are_made_of_the_numbers_issued_are_found() -> None:
    issued = list(range(100, 110))
    assert tell_order(issued, [number + 7 for number in issued]) != []
    assert tell_order(issued, [number ^ 0x5555 for number in issued]) != []
    assert tell_order(issued, [3, 14, 159, 265, 3589, 7932, 38462, 643383, 27950288, 419716939]) != []
    assert tell_order(issued, Random(1).sample(range(1 << 24), 10)) == []
