# SPDX-License-Identifier: BSD-3-Clause
"""What holds for every test: what the machine takes, and what its shell says of itself, decides nothing.

Tests that are too long for every run are marked `full`, and run by `scripts/test --full` alone.

Most tests wait for most of their time, so `scripts/test` runs several at once (pytest-xdist). Those that are
marked `alone` look at, or take, something that the whole machine has once, and come one after the other.
"""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

settings.register_profile("any machine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("any machine")

# How a program draws follows from these; a test that wants one of them sets it.
for _name in ("NO_COLOR", "FORCE_COLOR", "COLUMNS", "LINES", "TTY_COMPATIBLE", "TTY_INTERACTIVE"):
    os.environ.pop(_name, None)
os.environ["TERM"] = "xterm-256color"

# A run in the background ignores Ctrl-C, and so would every process that it starts.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# Processes that tests start from the checkout import the installed package, not the tree beside them.
os.environ["PYTHONSAFEPATH"] = "1"


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--full", action="store_true", help="run the tests that are marked full, too")


# What of the machine they take for themselves.
_ALONE = {
    "appliance/test_causes.py": "sockets and files of DPDK that a failed start leaves",
    "appliance/test_failures.py": "the same",
    "appliance/test_pcap.py": "the same",
    "bench": "the CPUs, which they measure with",
    "bus/test_huge_pages.py": "huge pages",
    "build": "the checkout's environment and its first moments",
    "container": "the container tools' storage",
    "engines/test_refusals.py": "sockets and files of DPDK that a failed start leaves",
    "plan/test_pages.py": "huge pages",
    "readme": "the ports that documents name",
    "supervisor/test_confinement.py": "who is short of memory",
    "supervisor/test_liveness.py": "a CPU, with the priority of real time",
    "supervisor/test_shared_cpu.py": "a CPU, half of it",
    "vm": "memory for guests",
}
_HERE = Path(__file__).parent


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "full: too long for every run; scripts/test --full runs it")
    config.addinivalue_line("markers", "alone: takes something of the machine that there is once")
    config.addinivalue_line("markers", "xdist_group: what runs in one process, in order")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    for item in items:
        _place(item)
    if config.getoption("--full"):
        return
    full = [item for item in items if item.get_closest_marker("full")]
    if full:
        config.hook.pytest_deselected(items=full)
        items[:] = [item for item in items if item not in full]


def _place(item: pytest.Item) -> None:
    """With whom it runs: a module's tests share its fixtures, per engine where it has several."""
    where = item.path.relative_to(_HERE)
    if {where.parts[0], where.as_posix()} & _ALONE.keys():
        item.add_marker(pytest.mark.alone)
    engine = getattr(item, "callspec", None) and item.callspec.params.get("engine", "")  # type: ignore[attr-defined]
    item.add_marker(pytest.mark.xdist_group(f"{where} {engine or ''}"))
