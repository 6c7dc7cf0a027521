# SPDX-License-Identifier: BSD-3-Clause
"""Which pages are huge, how many `check` asks for, and that so many really are enough."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from pyshim.host import HugePages
from pyshim.plan import Plan
from pyshim.planner import plan
from tests.appliance.refusals import UNAVAILABLE, refused
from tests.gate import Gate
from tests.plan.builders import make_config, make_cpus, make_host, make_memory

DPDK_PAGES = 256  # 512 MiB
STATE_PAGES = 15  # 65,536 sessions of 64 bytes for each of seven workers
TOTAL = Path("/proc/sys/vm/nr_hugepages")


def planned(huge_pages: object, *huge: HugePages) -> Plan:
    config = make_config("net_null0", eal={"huge_pages": huge_pages})
    return plan(config, make_host(config, memory=make_memory(*huge)))


@pytest.mark.parametrize(("free", "used"), [(DPDK_PAGES, True), (DPDK_PAGES - 1, False)])
def test_automatic_huge_pages_are_used_when_they_suffice_for_dpdk(free: int, used: bool) -> None:
    assert planned("auto", HugePages(0, 2 << 20, DPDK_PAGES, free)).huge_pages is used


@pytest.mark.parametrize(("spare", "used"), [(STATE_PAGES, True), (STATE_PAGES - 1, False)])
def test_the_session_state_has_only_what_dpdk_leaves(spare: int, used: bool) -> None:
    result = planned(True, HugePages(0, 2 << 20, 300, DPDK_PAGES + spare))
    assert (result.huge_pages, result.state_huge_pages) == (True, used)
    if not used:
        assert result.notes == (
            "The session state is in ordinary pages: it would fill 15 huge pages of 2 MB, and DPDK leaves "
            "14; for all of it run: sysctl -w vm.nr_hugepages=301.",
        )


def test_the_session_state_may_be_on_a_node_that_dpdk_does_not_use() -> None:
    config = make_config("net_null0", eal={"huge_pages": True})
    memory = make_memory(
        HugePages(0, 2 << 20, DPDK_PAGES, DPDK_PAGES), HugePages(1, 2 << 20, 15, STATE_PAGES)
    )
    assert plan(config, make_host(config, make_cpus(8), memory=memory)).state_huge_pages


def test_pages_of_a_gigabyte_are_taken_before_those_that_the_session_state_needs() -> None:
    config = make_config("net_null0", eal={"huge_pages": True, "memory_mib": 1024 + 64})
    huge = HugePages(0, 1 << 30, 1, 1), HugePages(0, 2 << 20, 64, 32 + STATE_PAGES)
    result = plan(config, make_host(config, memory=make_memory(*huge)))
    assert result.state_huge_pages


def test_the_pages_that_check_asks_for_are_enough_for_all_of_a_run(tmp_path: Path) -> None:
    settings = {
        "eal": {"memory_mib": 64, "huge_pages": True},
        "ports": [{"name": "game0", "device": "net_null0", "address": ["10.0.0.1/24"], "queues": 1}],
        "sessions": {"capacity": 100_000},  # 7 MB
        "metrics": {"listen": None},
        "log": {"level": "info"},
    }
    before = int(TOTAL.read_text())
    sentence = refused(settings, tmp_path, UNAVAILABLE) if before < 32 else ""
    wanted = re.search(r"sysctl -w vm\.nr_hugepages=(\d+)", sentence)
    if wanted is None:
        pytest.skip("huge pages are free here, or not offered")
    try:
        TOTAL.write_text(wanted[1])
        if int(TOTAL.read_text()) != int(wanted[1]):
            pytest.skip("this machine has no room for so many huge pages")
        with Gate(settings, tmp_path, args=["--for", "0.2"], wait_ready=False) as gate:
            assert gate.wait() == 0, gate.stderr
        assert "ordinary pages" not in gate.stderr
    except PermissionError:
        pytest.skip("reserving huge pages takes root")
    finally:
        if int(TOTAL.read_text()) != before:
            TOTAL.write_text(str(before))
