# SPDX-License-Identifier: BSD-3-Clause
"""The gateway of this repository, on the kernel's sockets, passes the kit."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from pyshim.conformance import gateway_run
from tests.conformance.unfinished import UNFINISHED
from tests.gate import Gate
from tests.issuing.gateway import configuration


def test_gateway_passes_every_check(tmp_path: Path) -> None:
    config = configuration(tmp_path)
    config["sessions"]["idle_timeout_s"] = 12  # so that the kit waits for its end
    config["delivery"] = {"messages_pps": {"chat": 20}, "messages_burst": {"chat": 100}}
    with Gate(config, tmp_path) as gate:
        command = [sys.executable, "-P", "-m", "pyshim.cli", "conformance", "gateway", "--json"]
        done = subprocess.run(
            [*command, "-c", str(gate.config_path)], capture_output=True, text=True, timeout=390, check=False
        )
    assert done.stdout, done.stderr
    found = {one["id"]: (one["verdict"], one["came"]) for one in json.loads(done.stdout)["checks"]}
    others = {name: said for name, said in found.items() if said[0] != "pass"}
    assert others.keys() == UNFINISHED["gateway"], others
    assert found.keys() == {check.id for check in gateway_run.checks()}
