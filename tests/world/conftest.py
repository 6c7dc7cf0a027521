# SPDX-License-Identifier: BSD-3-Clause
"""A wire per module and engine for tests that run an appliance; the core and its players for the others."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.engines.conftest import engine, namespaces, wire
from tests.session.core_gateway import CoreGateway
from tests.session.raw_player import RawPlayer

__all__ = ["engine", "gateway", "namespaces", "player", "stranger", "wire"]


@pytest.fixture
def gateway() -> Iterator[CoreGateway]:
    """One without limits, whose books balance when the test ends."""
    with CoreGateway() as it:
        yield it
        it.check_books()


@pytest.fixture
def stranger(gateway: CoreGateway) -> RawPlayer:
    """Has a ticket, and has said nothing."""
    return RawPlayer(gateway, gateway.issue(7))


@pytest.fixture
def player(stranger: RawPlayer) -> RawPlayer:
    stranger.connect()
    return stranger
