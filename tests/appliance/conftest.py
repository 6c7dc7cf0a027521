# SPDX-License-Identifier: BSD-3-Clause
"""A network namespace for tests whose device has the kernel at its other end."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.network.namespace import Namespace, why_not
from tests.nobody import open_directory

__all__ = ["namespace", "open_directory"]


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
