# SPDX-License-Identifier: BSD-3-Clause
"""A wire per module and engine; where the engine uses sockets, the kernel has pollgate's addresses."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.engines.engines import GATES, SOCKET_ENGINES
from tests.network.conftest import crowd, namespaces
from tests.network.namespace import Wire

__all__ = ["crowd", "namespaces"]


@pytest.fixture(scope="module")
def engine(request: pytest.FixtureRequest) -> str:
    """Its name, as `parametrize` of the module says: SOCKETS or ALL of tests.engines.engines."""
    assert isinstance(request.param, str)
    return request.param


@pytest.fixture(scope="module")
def wire(namespaces: None, engine: str) -> Iterator[Wire]:
    with Wire() as laid:
        if engine in SOCKET_ENGINES:
            laid.give_to_kernel(*GATES)
        yield laid
