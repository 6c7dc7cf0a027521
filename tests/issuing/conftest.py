# SPDX-License-Identifier: BSD-3-Clause
"""One gateway for the tests that leave it as it was."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.gate import Gate
from tests.issuing.gateway import Api, configuration


@pytest.fixture(scope="module")
def gate(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gate]:
    directory = tmp_path_factory.mktemp("gate")
    with Gate(configuration(directory), directory) as running:
        yield running


@pytest.fixture(scope="module")
def api(gate: Gate) -> Api:
    return Api(gate)
