# SPDX-License-Identifier: BSD-3-Clause
"""The clients of this repository, as processes with sockets, pass the kit."""

from __future__ import annotations

import json
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
# They say something twenty times a second, so that limits and windows show.
CLIENTS = {
    "javascript": f"while :; do echo hello; sleep 0.05; done | "
    f'node {shlex.quote(str(ROOT / "client/javascript/example.js"))} "$POLLGATE_TICKET" 7',
}


@pytest.mark.parametrize("name", CLIENTS)
def test_client_passes_every_check(name: str) -> None:
    command = [sys.executable, "-P", "-m", "pyshim.cli", "conformance", "client", "--json", "--jobs", "4"]
    done = subprocess.run(
        [*command, "--", "sh", "-c", CLIENTS[name]], capture_output=True, text=True, timeout=390, check=False
    )
    assert done.stdout, done.stderr
    found = json.loads(done.stdout)["checks"]
    others = {one["id"]: (one["verdict"], one["came"]) for one in found if one["verdict"] != "pass"}
    assert not others, done.stderr
    assert done.returncode == 0, done.stderr
