# SPDX-License-Identifier: BSD-3-Clause
"""The kernel's interfaces, against what `ip` says of them."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

from pyshim.host.interfaces import gather_interfaces


def test_interfaces_have_the_mtu_and_addresses_that_ip_tells() -> None:
    told = json.loads(subprocess.run(["ip", "-j", "address"], capture_output=True, check=True).stdout)
    expected = {
        link["ifname"]: (link["mtu"], {entry["local"] for entry in link["addr_info"]}) for link in told
    }
    found = {one.name: (one.mtu_bytes, set(one.addresses)) for one in gather_interfaces()}
    assert found == expected
    assert "127.0.0.1" in found["lo"][1]


def test_another_hosts_tree_has_no_kernel_to_ask(tmp_path: Path) -> None:
    assert gather_interfaces(tmp_path) == ()
