# SPDX-License-Identifier: BSD-3-Clause
"""Each test has a directory of its own, in which the files are that a configuration names."""

from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture(autouse=True)
def _directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
