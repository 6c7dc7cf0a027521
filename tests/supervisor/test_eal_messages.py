# SPDX-License-Identifier: BSD-3-Clause
"""What users are told instead of DPDK's own words."""

from __future__ import annotations

import dataclasses
import re

import pytest

from pyshim.eal_messages import explain, last_meaningful
from tests.supervisor.test_control import PLAN

KNOWN = {
    "EAL: FATAL: Cannot get hugepage information.": r"vm\.nr_hugepages=\d+.*eal\.huge_pages to false",
    "EAL: 8 hugepages of size 2097152 reserved, but no mounted hugetlbfs found for that": "mount -t",
    "EAL: Not enough memory available on socket 1! Requested: 512MB, available: 0MB": "NUMA node 1",
    "EAL: No probed ethernet devices": "dpdk-devbind.py",
    "EAL: 0000:03:00.0 VFIO group is not viable! Not all devices in IOMMU group bound": "bind every member",
    "EAL: Expecting 'PA' IOVA mode but current mode is 'VA', not initializing": "intel_iommu=on",
    "EAL: Cannot create lock on '/run/dpdk/p/config'. Is another primary process running?": "eal.file_prefix",
    "Ethdev port_id=0 invalid rss_hf: 0x38d34, valid value: 0x0": "queues to 1",
    "Ethdev port_id=0 nb_rx_queues=2 > 1": "has 1 queues, 2 were asked for",
    "Cannot create mbuf pool: no memory": r"eal\.memory_mib",
    "EAL: lcore 9 unavailable": "cpuset",
}


@pytest.mark.parametrize(("line", "said"), KNOWN.items())
def test_a_known_cause_is_said_with_what_to_do(line: str, said: str) -> None:
    assert re.search(
        said, explain("DPDK could not be initialised", ["EAL: Detected CPU lcores: 2", line], PLAN)
    )


@pytest.mark.parametrize("line", KNOWN)
def test_no_explanation_is_more_than_one_line(line: str) -> None:
    assert "\n" not in explain("DPDK could not be initialised", [line], PLAN)


def test_a_wrong_device_is_not_reported_as_missing_huge_pages() -> None:
    log = [
        "EAL: No free 1048576 kB hugepages reported on node 0",
        'EAL: failed to parse device "net_pcpa0"',
        "EAL: FATAL: Cannot get hugepage information.",
    ]
    said = explain("DPDK could not be initialised", log, PLAN)
    assert "net_pcpa0" in said
    assert "huge" not in said


def test_a_driver_that_refuses_is_quoted_without_the_names_of_its_functions() -> None:
    log = [
        "eth_dev_tap_create(): TAP Unable to initialize net_tap0",
        "vdev_probe(): failed to initialize net_tap0 device",
        "EAL: Bus (vdev) probe failed.",
    ]
    said = explain("port a: no device net_tap0 came up", log, PLAN)
    assert said.endswith("its last word: TAP Unable to initialize net_tap0")


def test_an_error_number_in_the_data_planes_sentence_is_no_cause_by_itself() -> None:
    message = "port a: the device did not start: Operation not permitted"
    said = explain(message, ["memif_connect_client(): Failed to connect socket: /run/x.sock."], PLAN)
    assert "cannot be opened" in said
    assert "CAP_NET_ADMIN" not in said


@pytest.mark.parametrize(("huge_pages", "mib"), [(False, 16), (True, 10)], ids=["ordinary", "huge"])
def test_packet_pools_need_a_whole_ordinary_page_per_buffer(huge_pages: bool, mib: int) -> None:
    plan = dataclasses.replace(PLAN, huge_pages=huge_pages)  # a pool of 4,095 buffers
    said = explain("DPDK could not be initialised", ["Cannot create mbuf pool: no memory"], plan)
    assert f"at least {mib} MiB" in said


def test_the_harmless_line_about_gigabyte_pages_explains_nothing() -> None:
    log = ["EAL: No free 1048576 kB hugepages reported on node 0"]
    assert explain("port game0 has no link", log, PLAN) == "port game0 has no link"


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
