# SPDX-License-Identifier: BSD-3-Clause
"""CPUs, NUMA nodes, huge pages and privileges are read as the kernel writes them."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyshim.host import Cpu, Privileges, SocketLimits, format_cpu_list, parse_cpu_list
from pyshim.host.cpu import gather_cpus
from pyshim.host.memory import gather_memory, gather_privileges, gather_socket_limits
from tests.host.tree import Tree


@given(st.frozensets(st.integers(0, 300)))
def test_a_cpu_list_reads_back_as_what_it_was_made_from(cpus: frozenset[int]) -> None:
    assert set(parse_cpu_list(format_cpu_list(cpus))) == cpus


def test_runs_are_written_as_ranges() -> None:
    assert format_cpu_list([8, 0, 1, 2, 3]) == "0-3,8"


def test_an_empty_kernel_list_is_no_cpu() -> None:
    assert parse_cpu_list("\n") == ()


def test_this_process_may_use_what_the_scheduler_says() -> None:
    assert {cpu.cpu for cpu in gather_cpus()} == os.sched_getaffinity(0)


def test_nodes_and_isolation_are_told_per_cpu(tmp_path: Path) -> None:
    tree = Tree(tmp_path, cpus="0-3")
    tree.node(0, "0,2")
    tree.node(1, "1,3")
    tree.isolated("2-3")
    assert gather_cpus(tmp_path) == (
        Cpu(0, 0, False),
        Cpu(1, 1, False),
        Cpu(2, 0, True),
        Cpu(3, 1, True),
    )


@pytest.mark.parametrize(
    ("membership", "file"),
    [
        ("0::/game.slice\n", "sys/fs/cgroup/game.slice/cpuset.cpus.effective"),
        ("3:cpuset:/box\n0::/\n", "sys/fs/cgroup/cpuset/box/cpuset.effective_cpus"),
        ("3:cpuset:/docker/abc\n", "sys/fs/cgroup/cpuset/cpuset.cpus"),
    ],
    ids=["version 2", "version 1", "version 1 inside a container"],
)
def test_a_cgroup_cpuset_narrows_the_cpus(tmp_path: Path, membership: str, file: str) -> None:
    tree = Tree(tmp_path, cpus="0-7")
    tree.write("proc/self/cgroup", membership)
    tree.write(file, "2-3\n")
    assert [cpu.cpu for cpu in gather_cpus(tmp_path)] == [2, 3]


def test_huge_pages_are_counted_per_node_and_size(tmp_path: Path) -> None:
    tree = Tree(tmp_path)
    tree.huge_pages(1, total=10, free=4)
    tree.huge_pages(0, total=20, free=20)
    tree.huge_pages(0, size_kib=1048576, total=1, free=0)
    found = [(h.node, h.page_bytes, h.total, h.free) for h in gather_memory(tmp_path).huge]
    assert found == [(0, 2 << 20, 20, 20), (0, 1 << 30, 1, 0), (1, 2 << 20, 10, 4)]


def test_pages_that_are_promised_to_others_are_not_free(tmp_path: Path) -> None:
    tree = Tree(tmp_path)
    tree.huge_pages(0, total=20, free=10)
    tree.write("sys/kernel/mm/hugepages/hugepages-2048kB/resv_hugepages", "7\n")
    assert [pages.free for pages in gather_memory(tmp_path).huge] == [3]


def test_available_memory_stops_at_the_cgroup_limit(tmp_path: Path) -> None:
    tree = Tree(tmp_path)
    tree.write("proc/self/cgroup", "0::/box\n")
    tree.write("sys/fs/cgroup/box/memory.max", "1000000\n")
    tree.write("sys/fs/cgroup/box/memory.current", "400000\n")
    tree.write("sys/fs/cgroup/memory.max", "max\n")
    assert gather_memory(tmp_path).available_bytes == 600_000


def test_mounted_hugetlbfs_is_found(tmp_path: Path) -> None:
    Tree(tmp_path).write("proc/mounts", "nodev /dev/hugepages hugetlbfs rw,pagesize=2M 0 0\n")
    assert gather_memory(tmp_path).hugetlbfs == (Path("/dev/hugepages"),)


def test_capabilities_are_told_apart(tmp_path: Path) -> None:
    Tree(tmp_path, capabilities=1 << 13)
    assert gather_privileges(tmp_path) == Privileges(net_raw=True, net_admin=False, ipc_lock=False)
    Tree(tmp_path, capabilities=1 << 21)
    assert gather_privileges(tmp_path) == Privileges(False, False, False, sys_admin=True)


def test_the_bounds_of_socket_buffers_are_read(tmp_path: Path) -> None:
    tree = Tree(tmp_path)
    tree.write("proc/sys/net/core/rmem_max", "212992\n")
    tree.write("proc/sys/net/core/wmem_max", "425984\n")
    limits = gather_socket_limits(tmp_path)
    assert (limits.receive_bytes, limits.send_bytes) == (212_992, 425_984)


def test_a_namespace_that_does_not_show_the_bounds_has_none(tmp_path: Path) -> None:
    Tree(tmp_path)
    assert gather_socket_limits(tmp_path) == SocketLimits()
