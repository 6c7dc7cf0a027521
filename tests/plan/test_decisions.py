# SPDX-License-Identifier: BSD-3-Clause
"""What the planner decides on hosts of every size, and why."""

from __future__ import annotations

import shutil
import subprocess
import sys
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console
from scapy.layers.l2 import Ether
from scapy.packet import Raw
from scapy.utils import wrpcap

from pyshim.host import HugePages, gather
from pyshim.planner import plan
from pyshim.views.plan_text import render_plan
from tests.host.tree import Tree
from tests.plan.builders import make_config, make_cpus, make_host, make_memory, make_pci, replay


def test_one_cpu_is_shared_and_a_note_says_so() -> None:
    config = make_config("net_null0")
    result = plan(config, make_host(config, make_cpus(1)))
    assert result.control_cpus == (0,)
    assert [worker.cpu for worker in result.workers] == [0]
    assert result.eal_args[:4] == ("--lcores", "0@0,1@0", "--main-lcore", "0")
    assert "shares it with the control side" in result.notes[0]


def test_two_cpus_are_one_for_control_and_one_worker() -> None:
    config = make_config("net_null0")
    result = plan(config, make_host(config, make_cpus(2)))
    assert (result.control_cpus, [worker.cpu for worker in result.workers]) == ((0,), [1])
    assert result.eal_args[:2] == ("--lcores", "0@0,1@1")


def test_eight_cpus_poll_a_flexible_device_with_seven() -> None:
    config = make_config("net_null0")
    result = plan(config, make_host(config))
    assert [worker.cpu for worker in result.workers] == [1, 2, 3, 4, 5, 6, 7]
    assert result.ports[0].queues == 7


def test_a_single_queue_takes_a_single_worker_and_leaves_the_rest_to_control() -> None:
    config = make_config("net_pcap0,rx_pcap=a.pcap")
    result = plan(config, make_host(config))
    assert [worker.cpu for worker in result.workers] == [1]
    assert result.control_cpus == (0, 2, 3, 4, 5, 6, 7)


def test_isolated_cpus_poll_before_all_others() -> None:
    config = make_config("net_af_packet0,iface=eth0,qpairs=3")
    result = plan(config, make_host(config, make_cpus(8, isolated=frozenset({6, 7}))))
    assert [worker.cpu for worker in result.workers] == [6, 7, 1]
    assert result.workers[0].why == "isolated; serves game0"


def test_the_ports_node_is_polled_before_another() -> None:
    config = make_config({"device": "0000:03:00.0", "queues": 2})
    host = make_host(config, make_cpus(32, nodes=2), pci=(make_pci("0000:03:00.0", node=1),))
    result = plan(config, host)
    assert [worker.cpu for worker in result.workers] == [16, 17]
    assert (result.pools[0].node, result.pools[0].name) == (1, "node1")


def test_each_of_two_nodes_polls_its_own_port() -> None:
    config = make_config("0000:03:00.0", "0000:83:00.0")
    pci = (make_pci("0000:03:00.0", node=0), make_pci("0000:83:00.0", node=1))
    result = plan(config, make_host(config, make_cpus(32, nodes=2), pci=pci))
    assert [port.queues for port in result.ports] == [15, 16]
    for worker in result.workers:
        assert [ref.port for ref in worker.queues] == [worker.cpu // 16]
    assert [pool.node for pool in result.pools] == [0, 1]


def test_all_queues_of_a_spreading_device_go_to_the_only_worker() -> None:
    config = make_config("net_af_packet0,iface=eth0,qpairs=2")
    result = plan(config, make_host(config, make_cpus(2)))
    assert [(ref.port, ref.queue) for ref in result.workers[0].queues] == [(0, 0), (0, 1)]


def test_two_single_queue_ports_get_a_worker_each() -> None:
    config = make_config("net_tap0", "net_tap1")
    result = plan(config, make_host(config))
    assert [[ref.port for ref in worker.queues] for worker in result.workers] == [[0], [1]]


def test_listed_cpus_poll_in_their_order_and_the_rest_is_control() -> None:
    config = make_config("net_null0", workers={"cpus": [3, 1]})
    result = plan(config, make_host(config, make_cpus(4)))
    assert ([worker.cpu for worker in result.workers], result.control_cpus) == ([3, 1], (0, 2))


def test_a_list_of_every_cpu_shares_the_lowest_and_says_so() -> None:
    config = make_config("net_null0", workers={"cpus": [0, 1]})
    result = plan(config, make_host(config, make_cpus(2)))
    assert result.control_cpus == (0,)
    assert "lists every CPU" in result.notes[0]


def test_a_pool_counts_rings_caches_bursts_and_replayed_packets() -> None:
    device = "net_pcap0,rx_pcap=a.pcap,infinite_rx=1"
    config = make_config(device)
    pool = plan(config, make_host(config, vdevs=(replay(device, 20_000),))).pools[0]
    assert pool.why == (
        "2048 descriptors + 128 that wait for one + 2 lcores × (384 cached + 128 in bursts)"
        " + 20000 replayed packets + 1, rounded up to whole bursts of 64"
    )
    assert pool.mbufs == 23_232  # 2048 + 128 + 2 × 512 + 20000 + 1 = 23201


@pytest.mark.parametrize(("asked", "held"), [(64, 2048), (2048, 2048), (4096, 4096)])
def test_a_pool_counts_what_af_xdp_takes_for_a_queue_whatever_is_asked(asked: int, held: int) -> None:
    device = "net_af_xdp0,iface=gate0"
    config = make_config({"device": device, "rx_descriptors": asked, "tx_descriptors": 64})
    assert plan(config, make_host(config)).pools[0].why.startswith(f"{held + 64} descriptors + ")


def test_a_replay_that_also_writes_is_warned_about() -> None:
    device = "net_pcap0,rx_pcap=a.pcap,infinite_rx=1,tx_pcap=out.pcap"
    config = make_config(device)
    result = plan(config, make_host(config, vdevs=(replay(device, 10),)))
    assert result.notes[-1].endswith("out.pcap, which grows until the disk is full.")


@pytest.mark.parametrize(
    ("in_memory", "huge", "arguments"),
    [
        (True, False, ("--no-huge", "--no-shconf", "-m", "512")),
        (False, False, ("--no-huge", "--file-prefix", "pollgate", "-m", "512")),
        (True, True, ("--in-memory", "--socket-mem", "512")),
        (False, True, ("--file-prefix", "pollgate", "--huge-unlink=always", "--socket-mem", "512")),
    ],
)
def test_memory_arguments_are_those_that_dpdk_accepts_together(
    in_memory: bool, huge: bool, arguments: tuple[str, ...]
) -> None:
    config = make_config("net_null0", eal={"in_memory": in_memory, "huge_pages": huge})
    memory = make_memory(HugePages(0, 2 << 20, 256, 256))
    result = plan(config, make_host(config, memory=memory))
    assert result.eal_args[4:] == (*arguments, "--no-pci", "--vdev", "net_null0", "--no-telemetry")


def test_huge_memory_is_split_over_the_nodes_that_need_it() -> None:
    config = make_config("0000:03:00.0", "0000:83:00.0", eal={"huge_pages": True, "memory_mib": 2048})
    pci = (make_pci("0000:03:00.0", node=0), make_pci("0000:83:00.0", node=1))
    memory = make_memory(*(HugePages(node, 1 << 30, 2, 2) for node in range(2)))
    result = plan(config, make_host(config, make_cpus(32, nodes=2), pci=pci, memory=memory))
    split = [int(mib) for mib in result.eal_args[result.eal_args.index("--socket-mem") + 1].split(",")]
    assert len(split) == 2
    assert sum(split) == 2048
    assert min(split) > 500


def test_a_described_host_of_two_nodes_is_planned_from_its_files(tmp_path: Path) -> None:
    tree = Tree(tmp_path, cpus="0-31")
    tree.node(0, "0-15")
    tree.node(1, "16-31")
    tree.isolated("8-15,24-31")
    tree.huge_pages(0, total=1024, free=1024)
    tree.huge_pages(1, total=1024, free=1024)
    tree.pci("0000:03:00.0", driver="vfio-pci", node=0, group=7)
    tree.pci("0000:83:00.0", driver="vfio-pci", node=1, group=8)
    tree.vfio(7)
    tree.vfio(8)
    tree.dpdk()
    config = make_config(
        {"device": "0000:03:00.0", "queues": 8},
        {"device": "0000:83:00.0", "queues": 8},
        eal={"huge_pages": True},
    )
    result = plan(config, gather(config, root=tmp_path))
    assert [worker.cpu for worker in result.workers] == [*range(8, 16), *range(24, 32)]
    assert all({ref.port for ref in worker.queues} == {worker.cpu // 16} for worker in result.workers)
    assert result.control_cpus == (*range(8), *range(16, 24))


def test_the_printed_plan_names_every_part_and_the_reason() -> None:
    config = make_config("net_null0", workers={"cpus": [1]})
    console = Console(file=StringIO(), width=200)
    console.print(render_plan(plan(config, make_host(config, make_cpus(2)))))
    assert isinstance(console.file, StringIO)
    text = console.file.getvalue()
    for part in ("game0 queue 0", "net_null0", "10.0.0.1/24", "descriptors", "8080", "listed", "--lcores"):
        assert part in text


def test_the_worker_can_read_a_plan_without_loading_the_configuration_library() -> None:
    code = "import sys, pyshim.plan; sys.exit('pydantic' in sys.modules or 'yaml' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False, timeout=60).returncode == 0


@pytest.mark.skipif(shutil.which("dpdk-testpmd") is None, reason="dpdk-testpmd is not installed")
def test_dpdk_accepts_the_arguments_and_the_pool_holds_a_replayed_capture(tmp_path: Path) -> None:
    capture = tmp_path / "in.pcap"
    wrpcap(str(capture), [Ether() / Raw(bytes(46))] * 3000)
    config = make_config(f"net_pcap0,rx_pcap={capture},infinite_rx=1")
    result = plan(config, gather(config))
    testpmd = ["dpdk-testpmd", *result.eal_args, "--", f"--total-num-mbufs={result.pools[0].mbufs}"]
    # It forwards until it is told to stop: a line on its standard input.
    done = subprocess.run(testpmd, input="\n", capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    assert "Not enough mbufs" not in done.stdout + done.stderr
