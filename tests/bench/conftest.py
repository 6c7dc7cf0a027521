# SPDX-License-Identifier: BSD-3-Clause
"""A benchmark waits until the machine has measured something: its tests have more time than others."""

from __future__ import annotations

from pathlib import Path

import pytest

HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.timeout(600))
