# SPDX-License-Identifier: BSD-3-Clause
"""What users are told instead of DPDK's own words."""

from __future__ import annotations

import dataclasses
import re

import pytest

from pyshim.eal.messages import crash_error, explain, last_meaningful
from pyshim.errors import InternalError, UnavailableError
from pyshim.plan import PortPlan
from tests.supervisor.test_control import PLAN

# As the data plane says them: dpdk_app/port/eal.c, engine/dpdk/dpdk.c, port/port.c.
ENVIRONMENT = "DPDK's environment could not be initialised"
POOL = "mbuf pool any: 4095 mbufs of 2176 bytes"
NO_DEVICE = "port game0: no device net_null0 came up"
REFUSED = "port game0 (net_null0): the device refused its configuration: Invalid argument"

HUGE = dataclasses.replace(
    PLAN, huge_pages=True, eal_args=("--lcores", "0@0,1@1", "--in-memory", "--socket-mem", "512,128")
)
FILES = dataclasses.replace(HUGE, eal_args=("--file-prefix", "p", "--socket-mem", "640"))
NO_MOUNT = "EAL: 8 hugepages of size 2097152 reserved, but no mounted hugetlbfs found for that size"
NO_PAGES = "EAL: FATAL: Cannot get hugepage information."

KNOWN = {
    "EAL: Cannot create lock on '/run/dpdk/p/config'. Is another primary process running?": (
        ENVIRONMENT,
        "another eal.file_prefix",
    ),
    "EAL: Not enough memory available on socket 1! Requested: 512MB, available: 0MB": (
        ENVIRONMENT,
        r"NUMA node 1 has 0 MiB of huge pages free, not 512: .*vm\.nr_hugepages=\d+",
    ),
    "EAL: lcore 9 unavailable": (ENVIRONMENT, "cpuset"),
    "EAL: librte_bus_vdev.so.23: cannot open shared object file: No such file or directory": (
        ENVIRONMENT,
        "apt install librte-bus-vdev23",
    ),
    "EAL: FATAL: Cannot init interrupt-handling thread": (ENVIRONMENT, "ulimit -u"),
    "EAL: 0000:03:00.0 VFIO group is not viable! Not all devices in IOMMU group bound": (
        NO_DEVICE,
        "bind every member",
    ),
    "EAL: Expecting 'PA' IOVA mode but current mode is 'VA', not initializing": (
        NO_DEVICE,
        "huge_pages to true and run as root",
    ),
    "EAL: 0000:03:00.0 cannot set up DMA remapping, error 12 (Cannot allocate memory)": (
        NO_DEVICE,
        "ulimit -l unlimited",
    ),
    "Ethdev port_id=0 invalid rss_hf: 0x38d34, valid value: 0x0": (REFUSED, "queues to 1"),
    "Ethdev port_id=0 nb_rx_queues=2 > 1": (REFUSED, "has 1 queues, 2 were asked for"),
    "EAL: No probed ethernet devices": (NO_DEVICE, "dpdk-devbind.py"),
    "eth_rx_queue_setup(): net_null0: 4064 bytes will not fit in mbuf (2048 bytes)": (
        "port game0 (net_null0): a receive queue could not be set up: Cannot allocate memory",
        "frames of 4064 bytes do not fit",
    ),
    "eth_dev_tap_create(): Remote feature requires flow support.": (NO_DEVICE, "sch_multiq"),
}


@pytest.mark.parametrize("line", KNOWN)
def test_a_known_cause_is_said_with_what_to_do(line: str) -> None:
    message, said = KNOWN[line]
    assert re.search(said, explain(message, ["EAL: Detected CPU lcores: 2", line], PLAN))


@pytest.mark.parametrize("line", KNOWN)
def test_no_explanation_is_more_than_one_line(line: str) -> None:
    assert "\n" not in explain(KNOWN[line][0], [line, line], PLAN)


@pytest.mark.parametrize("line", [*KNOWN, NO_MOUNT, NO_PAGES])
def test_a_line_explains_no_step_but_its_own(line: str) -> None:
    message = "worker 0: no memory for an index of 1024 sessions"
    said = explain(message, [line], PLAN)
    assert "DPDK has no known explanation" in said or said == message


def test_a_wrong_device_is_not_reported_as_missing_huge_pages() -> None:
    log = ["EAL: No free 1048576 kB hugepages reported on node 0", 'EAL: failed to parse device "net_pcpa0"']
    said = explain(ENVIRONMENT, [*log, NO_PAGES], HUGE)
    assert "net_pcpa0" in said
    assert "huge" not in said


# ---- what stands in good starts too


def test_an_unmounted_hugetlbfs_explains_nothing_where_none_is_used() -> None:
    said = explain(f"{POOL}: Invalid argument", [NO_MOUNT], HUGE)
    assert "hugetlbfs" not in said
    assert "apt install librte-mempool-ring" in said
    too_few = ["EAL: Not enough memory available on socket 0! Requested: 128MB, available: 40MB"]
    assert "hugetlbfs" not in explain(ENVIRONMENT, [NO_MOUNT, *too_few], HUGE)
    assert "hugetlbfs" not in explain(ENVIRONMENT, [NO_MOUNT, NO_PAGES], HUGE)


def test_an_unmounted_hugetlbfs_is_the_cause_where_files_are_kept_in_it() -> None:
    assert "mount -t hugetlbfs" in explain(f"{ENVIRONMENT}: Permission denied", [NO_MOUNT, NO_PAGES], FILES)


def test_a_tap_that_works_does_not_explain_what_another_port_fails_of() -> None:
    tap = PortPlan("wire", "net_tap0", "net_tap0", (), None, False, "auto", 0, 1, 1024, 1024, -1)
    log = [
        "tap_nl_dump_ext_ack(): Specified qdisc kind is unknown",
        "qdisc_create_multiq(): Could not add multiq qdisc (2): No such file or directory",
        "eth_dev_tap_create():  Disabling rte flow support: No such file or directory(2)",
        "tun_alloc(): net_tap0: Permission denied",
    ]
    said = explain(NO_DEVICE, log, dataclasses.replace(PLAN, ports=(*PLAN.ports, tap)))
    assert said == NO_DEVICE


def test_the_harmless_line_about_gigabyte_pages_explains_nothing() -> None:
    log = ["EAL: No free 1048576 kB hugepages reported on node 0"]
    assert explain("port game0 has no link", log, PLAN) == "port game0 has no link"


# ---- error numbers, which drivers choose freely


def test_no_permission_is_missing_when_a_driver_says_minus_one() -> None:
    message = "port game0 (net_null0): the device refused its configuration: the driver does not say why"
    assert "CAP_NET_ADMIN" not in explain(message, ["Port0 dev_configure = -1"], PLAN)


def test_a_frame_that_does_not_fit_is_not_too_little_memory() -> None:
    message = "port game0 (net_null0): a receive queue could not be set up: Cannot allocate memory"
    said = explain(message, ["eth_rx_queue_setup(): 4064 bytes will not fit in mbuf (2048 bytes)"], PLAN)
    assert "memory_mib" not in said
    assert "memory_mib" not in explain(message, [], PLAN)


def test_a_limit_of_processes_is_not_a_missing_permission() -> None:
    said = explain(f"{ENVIRONMENT}: Resource temporarily unavailable", [], PLAN)
    assert "pids.max" in said
    assert "permitted" not in said


def test_a_process_that_dpdk_aborts_for_a_known_cause_is_no_bug() -> None:
    died = "the worker process was killed by SIGABRT before it served"
    known = crash_error(
        died, ["PANIC in rte_eal_init():", "Cannot create thread", "1: /x (y+0x2) [7bd1]"], PLAN
    )
    assert isinstance(known, UnavailableError)
    assert "pids.max" in str(known)
    unknown = crash_error(died, ["something else", "1: /x (y+0x2) [7bd1]"], PLAN)
    assert isinstance(unknown, InternalError)
    assert str(unknown).endswith("its last word: something else")


def test_an_error_number_in_the_data_planes_sentence_is_no_cause_by_itself() -> None:
    message = "port game0 (net_null0): the device did not start: Operation not permitted"
    said = explain(message, ["driver(): cannot do it: No such file or directory"], PLAN)
    assert "cannot be opened" in said
    assert "CAP_NET_ADMIN" not in said


# ---- figures


@pytest.mark.parametrize("huge_pages", [False, True], ids=["ordinary", "huge"])
def test_packet_pools_need_the_same_on_any_page(huge_pages: bool) -> None:
    plan = dataclasses.replace(PLAN, huge_pages=huge_pages)  # a pool of 4,095 buffers
    assert "at least 10 MiB" in explain(f"{POOL}: Cannot allocate memory", [], plan)


def test_the_pages_to_reserve_are_those_of_dpdk_and_of_the_session_state() -> None:
    assert "needs 640 MiB of huge pages; reserve them with `sysctl -w vm.nr_hugepages=320`" in explain(
        ENVIRONMENT, [NO_PAGES], HUGE
    )
    beside = dataclasses.replace(HUGE, state_huge_pages=True, state_bytes=(5 << 20) + 1)
    assert "needs 640 MiB of huge pages beside the session state; reserve them with `sysctl -w " in explain(
        ENVIRONMENT, [NO_PAGES], beside
    )
    assert "vm.nr_hugepages=323`" in explain(ENVIRONMENT, [NO_PAGES], beside)


# ---- DPDK's own words


def test_a_driver_that_refuses_is_quoted_without_the_names_of_its_functions() -> None:
    log = [
        "eth_dev_tap_create(): TAP Unable to initialize net_tap0",
        "vdev_probe(): failed to initialize net_tap0 device",
        "EAL: Bus (vdev) probe failed.",
    ]
    said = explain("port a: no device net_tap0 came up", log, PLAN)
    assert said.endswith("its last word: TAP Unable to initialize net_tap0")


def test_an_unknown_cause_is_passed_on_in_dpdks_words() -> None:
    log = ["EAL: Detected CPU lcores: 2", "PMD: the flux capacitor is empty", "EAL: VFIO support initialized"]
    assert "the flux capacitor is empty" in explain("port game0 did not start", log, PLAN)


def test_the_last_meaningful_line_is_not_one_of_every_run() -> None:
    assert last_meaningful(["PMD: it broke", "EAL: Selected IOVA mode 'VA'", ""]) == "it broke"
    assert last_meaningful(["EAL: Selected IOVA mode 'VA'"]) is None


@pytest.mark.parametrize("line", KNOWN)
def test_an_engine_without_dpdk_is_not_explained_by_dpdk(line: str) -> None:
    plan = dataclasses.replace(PLAN, engine="epoll", eal_args=(), pools=())
    message = "port game0: 192.0.2.1 is not an address of this host"
    assert explain(message, [], plan) == message
    assert explain(message, [line], plan).startswith(f"{message}; its last word: ")
