# SPDX-License-Identifier: BSD-3-Clause
"""What a configuration says, as `gate.yaml` in the test's directory: a `Config`, or its sentences."""

from __future__ import annotations

from pathlib import Path

import pytest

from pyshim.config import Config, load_config
from pyshim.errors import ConfigError


def load(text: str) -> Config:
    Path("gate.yaml").write_bytes(text.encode("utf-8"))
    return load_config(Path("gate.yaml"))


def errors(text: str) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        load(text)
    return list(caught.value.problems)
