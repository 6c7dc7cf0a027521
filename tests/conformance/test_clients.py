# SPDX-License-Identifier: BSD-3-Clause
"""The clients of this repository, as processes with sockets, pass the kit."""

from __future__ import annotations

import json
import shlex
import subprocess
import sys
from pathlib import Path

from pyshim.conformance import client_run
from tests.client.installed import Installed
from tests.conformance.unfinished import UNFINISHED

HERE = Path(__file__).parent


def check_client(name: str, command: str) -> None:
    """It passes every check. Each says something twenty times a second, so that limits and windows show."""
    kit = [sys.executable, "-P", "-m", "pyshim.cli", "conformance", "client", "--json", "--jobs", "4"]
    done = subprocess.run(
        [*kit, "--", "sh", "-c", command], capture_output=True, text=True, timeout=390, check=False
    )
    assert done.stdout, done.stderr
    found = json.loads(done.stdout)["checks"]
    others = {one["id"]: (one["verdict"], one["came"]) for one in found if one["verdict"] != "pass"}
    assert others.keys() == UNFINISHED[name], others
    assert len(found) == len(client_run.checks()), done.stderr


def test_javascript_client_passes_every_check() -> None:
    player = shlex.quote(str(HERE / "javascript_player.js"))
    check_client("javascript", f'node {player} "$POLLGATE_TICKET"')


def test_python_client_passes_every_check() -> None:
    check_client("python", shlex.join([sys.executable, "-P", str(HERE / "python_player.py")]))


def test_c_client_passes_every_check(installed: Installed) -> None:
    library = installed.prefix / "lib" / "libpollgate-client.so"
    player = [sys.executable, "-P", str(HERE / "c_player.py"), str(library), str(installed.header)]
    check_client("c", shlex.join(player))
