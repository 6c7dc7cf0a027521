# SPDX-License-Identifier: BSD-3-Clause
"""A network namespace for tests whose device has the kernel at its other end; a directory for other users."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.network.namespace import Namespace, why_not

NOBODY = ("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups")


@pytest.fixture
def namespace() -> Iterator[Namespace]:
    """An empty one, gone after the test; its kernel sends nothing of its own over IPv6."""
    if reason := why_not():
        pytest.skip(reason)
    if not Path("/dev/net/tun").exists():
        pytest.skip("no /dev/net/tun: modprobe tun, or give it to the container")
    with Namespace() as made:
        made.run("sysctl", "-qw", "net.ipv6.conf.default.addr_gen_mode=1")
        yield made


@pytest.fixture
def open_directory() -> Iterator[Path]:
    """A directory that everybody may enter and write to, which pytest's are not; for runs as nobody."""
    probe = [*NOBODY, sys.executable, "-P", "-c", "import pyshim.cli"]
    if subprocess.run(probe, capture_output=True, timeout=60, check=False).returncode != 0:
        pytest.skip(f"nobody may not run {sys.executable}: this checkout is closed to others")
    with tempfile.TemporaryDirectory() as name:
        path = Path(name)
        path.chmod(0o777)
        yield path
