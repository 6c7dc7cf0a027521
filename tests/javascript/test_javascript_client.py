# SPDX-License-Identifier: BSD-3-Clause
"""The client in JavaScript, which was written from PROTOCOL.md alone: its own tests, in node."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

CLIENT = Path(__file__).parents[2] / "client" / "javascript"


@pytest.mark.parametrize("file", sorted(path.name for path in CLIENT.glob("test/*.test.js")))
def test_own_tests_of_the_client_pass(file: str) -> None:
    command = ("node", "--test", str(CLIENT / "test" / file))
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
