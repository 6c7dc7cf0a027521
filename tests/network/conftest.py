# SPDX-License-Identifier: BSD-3-Clause
"""One wire per module: its tests share a namespace for players, and one for the appliance."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.network.namespace import Wire, why_not
from tests.network.players import Crowd
from tests.nobody import open_directory

__all__ = ["crowd", "namespaces", "open_directory", "wire"]


@pytest.fixture(scope="session")
def namespaces() -> None:
    if reason := why_not():
        pytest.skip(reason)


@pytest.fixture(scope="module")
def wire(namespaces: None) -> Iterator[Wire]:
    with Wire() as laid:
        yield laid


@pytest.fixture
def crowd(wire: Wire) -> Iterator[Crowd]:
    made = Crowd(wire.players)
    yield made
    made.close()
