# SPDX-License-Identifier: BSD-3-Clause
"""What a host cannot do is refused before DPDK starts, in the words that a user reads."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from pyshim.config import Config
from pyshim.errors import ExitCode, PlanError
from pyshim.host import Capture, HostFacts, HugePages, PciId, PmdClaim, Privileges, Vdev, gather
from pyshim.planner import plan
from pyshim.planner.memory import MBUF_BYTES
from tests.host.tree import Tree
from tests.plan.builders import (
    ALL_PRIVILEGES,
    MLX5,
    make_config,
    make_cpus,
    make_host,
    make_memory,
    make_pci,
    make_socket_config,
    network,
)

NIC = "0000:03:00.0"


def refused(config: Config, host: HostFacts) -> tuple[str, ExitCode]:
    with pytest.raises(PlanError) as caught:
        plan(config, host)
    return "\n".join(caught.value.problems), caught.value.exit_code


def refused_pci(**facts: Any) -> str:
    config = make_config(NIC)
    text, code = refused(config, make_host(config, pci=(make_pci(NIC, **facts),)))
    assert code is ExitCode.UNAVAILABLE
    return text


def test_more_queues_than_captures() -> None:
    config = make_config({"device": "net_pcap0,rx_pcap=in.pcap", "queues": 4})
    assert refused(config, make_host(config)) == (
        "ports[0].queues: 4 queues asked, net_pcap has 1 per rx_pcap; "
        "use queues: auto, or name as many rx_pcap as queues",
        ExitCode.CONFIG,
    )


def test_a_queue_that_a_fanout_fills_and_nobody_polls() -> None:
    config = make_config({"device": "net_af_packet0,iface=eth0,qpairs=2", "queues": 1})
    text, _ = refused(config, make_host(config))
    assert text.startswith("ports[0].queues: 1 queue asked, net_af_packet has qpairs=2; use queues: auto")


def test_outputs_that_do_not_match_the_inputs() -> None:
    config = make_config("net_pcap0,rx_pcap=a,rx_pcap=b,tx_pcap=c")
    assert refused(config, make_host(config))[0] == (
        "ports[0].device: net_pcap0 has 2 rx_pcap but 1 tx_pcap; "
        "name one output per input, or no output at all"
    )


def test_a_cpu_outside_the_cpuset() -> None:
    config = make_config("net_null0", workers={"cpus": [9]})
    assert refused(config, make_host(config, make_cpus(4))) == (
        "workers.cpus: CPU 9 is outside this process's cpuset (0-3)",
        ExitCode.UNAVAILABLE,
    )


def test_more_listed_cpus_than_queues() -> None:
    config = make_config("net_tap0", workers={"cpus": [1, 2, 3]})
    assert refused(config, make_host(config)) == (
        "workers.cpus: 3 CPUs listed, but the ports have 1 queue to serve; list at most 1, or use auto",
        ExitCode.CONFIG,
    )


def test_more_tap_queues_than_its_driver_survives() -> None:
    four = make_config({"device": "net_tap0", "queues": 4}, workers={"cpus": [1]})
    assert len(plan(four, make_host(four)).workers[0].queues) == 4
    five = make_config({"device": "net_tap0", "queues": 5}, workers={"cpus": [1]})
    assert refused(five, make_host(five)) == (
        "ports[0].queues: 5 queues asked, net_tap has at most 4; use queues: auto, or ask for fewer",
        ExitCode.CONFIG,
    )


def test_more_virtio_user_queues_than_its_driver_takes() -> None:
    config = make_config("net_virtio_user0,path=/dev/vhost-net,queues=9")
    text, _ = refused(config, make_host(config))
    assert text.startswith("ports[0].device: queues=9; net_virtio_user takes at most 8")


def test_more_queues_than_a_worker_can_serve() -> None:
    config = make_config("net_af_packet0,iface=eth0,qpairs=17")
    text, _ = refused(config, make_host(config, make_cpus(2)))
    assert text == (
        "ports[0].queues: 17 queues for 1 worker is 17 for one of them, which can serve 16; "
        "ask for fewer queues or list more CPUs"
    )


def test_too_little_memory_for_the_pools() -> None:
    config = make_config({"device": "net_null0", "rx_descriptors": 8192}, eal={"memory_mib": 64})
    text, code = refused(config, make_host(config))
    assert text.startswith("eal.memory_mib: 64 MiB given, ")
    assert "packet buffers" in text
    assert code is ExitCode.CONFIG


def test_the_memory_that_is_said_to_be_needed_suffices() -> None:
    config = make_config({"device": "net_null0", "rx_descriptors": 8192}, eal={"memory_mib": 64})
    host = make_host(config)
    needed = int(refused(config, host)[0].split("given, ")[1].split(" MiB")[0])
    enough = make_config({"device": "net_null0", "rx_descriptors": 8192}, eal={"memory_mib": needed})
    assert plan(enough, host).eal_args[7] == str(needed)


def test_too_little_memory_on_the_host() -> None:
    config = make_config("net_null0")
    assert refused(config, make_host(config, memory=make_memory(available_mib=300))) == (
        "eal.memory_mib: 512 MiB asked, 300 MiB available; set it lower or free memory",
        ExitCode.UNAVAILABLE,
    )


SESSION = {"listen": [{"port": 8081, "profile": "session"}]}


@pytest.mark.parametrize(("workers", "mail_mib"), [(32, 257), (2, 9)])
def test_too_little_memory_for_mail_between_workers(workers: int, mail_mib: int) -> None:
    cpus = {"cpus": list(range(1, workers + 1))}
    config = make_socket_config(workers=cpus, **SESSION)

    def host(available_mib: int) -> HostFacts:
        return make_host(config, make_cpus(workers + 1), memory=make_memory(available_mib=available_mib))

    assert refused(config, host(mail_mib - 1)) == (
        f"workers.cpus: mail of {workers} workers takes up to {mail_mib} MiB, {mail_mib - 1} MiB available; "
        "list fewer CPUs or free memory",
        ExitCode.UNAVAILABLE,
    )
    assert len(plan(config, host(mail_mib)).workers) == workers
    assert len(plan(make_socket_config(workers=cpus), host(1)).workers) == workers  # nobody writes


def test_too_little_memory_for_mail_beside_that_of_dpdk() -> None:
    config = make_config("net_null0", "net_null1", workers={"cpus": [1, 2]}, **SESSION)
    assert refused(config, make_host(config, memory=make_memory(available_mib=520))) == (
        "workers.cpus: mail of 2 workers takes up to 9 MiB beside the 512 MiB of eal.memory_mib, "
        "520 MiB available; list fewer CPUs or free memory",
        ExitCode.UNAVAILABLE,
    )
    eal = {"huge_pages": True}
    huge = make_config("net_null0", "net_null1", workers={"cpus": [1, 2]}, eal=eal, **SESSION)
    memory = make_memory(HugePages(0, 2 << 20, 512, 512), available_mib=9)
    assert plan(huge, make_host(huge, memory=memory)).huge_pages


def test_too_few_huge_pages_on_a_single_node() -> None:
    config = make_config("net_null0", eal={"huge_pages": True})
    memory = make_memory(HugePages(0, 2 << 20, 100, 40))
    assert refused(config, make_host(config, memory=memory)) == (
        "eal.huge_pages: node 0 has 40 free 2 MB pages, 512 MiB needed and 30 for the session state; run: "
        "sysctl -w vm.nr_hugepages=331, or set huge_pages: false",
        ExitCode.UNAVAILABLE,
    )


def test_too_few_huge_pages_on_one_of_two_nodes() -> None:
    config = make_config("0000:03:00.0", eal={"huge_pages": True})
    memory = make_memory(HugePages(0, 2 << 20, 512, 512), HugePages(1, 2 << 20, 0, 0))
    host = make_host(config, make_cpus(8, nodes=2), memory=memory, pci=(make_pci(NIC, node=1),))
    text, _ = refused(config, host)
    assert text.startswith("eal.huge_pages: node 1 has 0 free 2 MB pages, ")
    assert "> /sys/devices/system/node/node1/hugepages/hugepages-2048kB/nr_hugepages" in text


def test_hugetlbfs_that_is_not_mounted() -> None:
    config = make_config("net_null0", eal={"huge_pages": True, "in_memory": False})
    memory = make_memory(HugePages(0, 2 << 20, 512, 512), hugetlbfs=False)
    text, _ = refused(config, make_host(config, memory=memory))
    assert "mount -t hugetlbfs nodev /dev/hugepages" in text


def test_an_address_without_device_names_those_that_exist() -> None:
    config = make_config("0000:03:00.1")
    here = (network("0000:03:00.0", "ixgbe"), network("0000:81:00.0", None))
    assert refused(config, make_host(config, pci=(), network_devices=here)) == (
        "ports[0].device: 0000:03:00.1 does not exist; network devices here: 0000:03:00.0 (ixgbe) and 1 more",
        ExitCode.UNAVAILABLE,
    )


def test_a_device_that_the_kernel_holds() -> None:
    assert refused_pci(driver="ixgbe") == (
        "ports[0].device: 0000:03:00.0 is bound to the kernel driver ixgbe, which net_ixgbe cannot use; "
        "run: dpdk-devbind.py --bind=vfio-pci 0000:03:00.0"
    )


def test_a_device_that_nothing_holds() -> None:
    assert refused_pci(driver=None).endswith(
        "is not bound to a driver; run: dpdk-devbind.py --bind=vfio-pci 0000:03:00.0"
    )


def test_a_device_that_no_installed_driver_knows() -> None:
    text = refused_pci(claims=(), ids=PciId(0xDEAD, 0xBEEF, 0, 0))
    assert "0000:03:00.0 is a dead:beef and no installed DPDK driver knows it" in text
    assert text.endswith("apt install librte-meta-net")


def test_mlx5_must_stay_with_its_kernel_driver() -> None:
    claims = (PmdClaim("mlx5_eth", Path("librte_net_mlx5.so"), MLX5),)
    assert refused_pci(claims=claims).endswith("run: dpdk-devbind.py --bind=mlx5_core 0000:03:00.0")
    config = make_config(NIC)
    bound = make_pci(NIC, claims=claims, driver="mlx5_core", vfio_path=None)
    assert plan(config, make_host(config, pci=(bound,))).ports[0].device == NIC


def test_an_iommu_group_that_the_kernel_shares() -> None:
    text = refused_pci(blockers=(network("0000:03:00.1", "ixgbe"),))
    assert "shares IOMMU group 7 with 0000:03:00.1 (ixgbe)" in text


def test_a_group_file_without_permission() -> None:
    assert "needs /dev/vfio/7 and /dev/vfio/vfio" in refused_pci(vfio_accessible=False)


def test_locked_memory_that_is_too_small() -> None:
    config = make_config(NIC)
    host = make_host(
        config, memory=make_memory(memlock_bytes=8 << 20), privileges=Privileges(True, True, False)
    )
    text, code = refused(config, host)
    assert "524288 KiB of locked memory are needed" in text
    assert "may lock 8192;" in text
    assert code is ExitCode.UNAVAILABLE


def assert_locks(config: Config, kib: int) -> None:
    """What the configuration needs of locked memory is exactly this."""

    def limited_to(limit_kib: int) -> HostFacts:
        memory = make_memory(memlock_bytes=limit_kib << 10)
        return make_host(config, memory=memory, privileges=replace(ALL_PRIVILEGES, ipc_lock=False))

    assert plan(config, limited_to(kib))
    text, code = refused(config, limited_to(kib - 1))
    assert f"this process may lock {kib - 1}; set ulimit -l {kib} or unlimited" in text
    assert code is ExitCode.UNAVAILABLE


@pytest.mark.parametrize("queues", [1, 2])
def test_af_xdp_locks_its_pool_once_for_each_queue(queues: int) -> None:
    config = make_config({"device": f"net_af_xdp0,iface=eth0,queue_count={queues}", "queues": queues})
    pool = plan(config, make_host(config)).pools[0]
    assert_locks(config, -(-queues * (pool.mbufs * MBUF_BYTES + 4096) // 1024))


@pytest.mark.parametrize(
    ("arguments", "kib"),
    [("", 2048), (",framecnt=2048", 8192), (",qpairs=2", 4096), (",blocksz=65536,framesz=4096", 4096)],
)
def test_af_packet_locks_its_rings(arguments: str, kib: int) -> None:
    queues = 2 if "qpairs" in arguments else 1
    assert_locks(make_config({"device": f"net_af_packet0,iface=eth0{arguments}", "queues": queues}), kib)


def test_what_a_card_reaches_is_locked_once_and_beside_the_rings_of_others() -> None:
    config = make_config(NIC, "0000:04:00.0", "net_af_packet0,iface=eth0", eal={"memory_mib": 256})
    assert_locks(config, (256 << 10) + 2048)


def test_a_device_that_needs_physical_addresses_without_huge_pages() -> None:
    config = make_config(NIC)
    text, _ = refused(config, make_host(config, pci=(make_pci(NIC, driver="igb_uio"),)))
    assert text.startswith("eal.huge_pages: 0000:03:00.0 (ports[0]) is driven through igb_uio")


@pytest.mark.parametrize(
    ("device", "capability"),
    [
        ("net_af_packet0,iface=eth0", "NET_RAW"),
        ("net_af_packet0,iface=eth0", "NET_ADMIN"),
        ("net_af_xdp0,iface=eth0", "NET_RAW"),
        ("net_af_xdp0,iface=eth0", "NET_ADMIN"),
        ("net_af_xdp0,iface=eth0", "SYS_ADMIN"),
        ("net_tap0", "NET_ADMIN"),
        ("net_pcap0,rx_iface=eth0", "NET_RAW"),
    ],
)
def test_a_capability_that_is_missing(device: str, capability: str) -> None:
    config = make_config(device)
    others = replace(ALL_PRIVILEGES, **{capability.lower(): False})
    text, code = refused(config, make_host(config, privileges=others))
    assert f"needs the capability CAP_{capability}; run as root, or grant it" in text
    assert code is ExitCode.UNAVAILABLE


def test_several_capabilities_that_are_missing_are_one_sentence() -> None:
    config = make_config("net_af_packet0,iface=eth0")
    text, _ = refused(config, make_host(config, privileges=Privileges(False, False, False)))
    assert text == (
        "ports[0].device: net_af_packet needs the capabilities CAP_NET_RAW and CAP_NET_ADMIN; run as root, "
        "or grant them (systemd: AmbientCapabilities=CAP_NET_RAW CAP_NET_ADMIN; container: --cap-add NET_RAW "
        "--cap-add NET_ADMIN)"
    )


def test_a_replayed_packet_that_fits_no_buffer() -> None:
    device = "net_pcap0,rx_pcap=a.pcap,infinite_rx=1"
    config = make_config(device)
    vdev = Vdev(device, True, "", (Capture(Path("a.pcap"), None, 3, 9000),))
    text, _ = refused(config, make_host(config, vdevs=(vdev,)))
    assert text.startswith("ports[0].device: a.pcap has a packet of 9000 bytes")


def test_frames_of_net_null_that_are_copied_and_fit_no_buffer() -> None:
    config = make_config("net_null0,size=4000,copy=1")
    text, _ = refused(config, make_host(config))
    assert text == "ports[0].device: net_null copies 4000 bytes into buffers of 2048; lower size="
    fits = make_config("net_null0,size=2048,copy=1")
    assert plan(fits, make_host(fits)).ports


def test_packet_pools_without_their_driver() -> None:
    config = make_config("net_null0")
    text, code = refused(config, make_host(config, pool_driver_hint="apt install x"))
    assert (text, code) == ("ports: apt install x", ExitCode.UNAVAILABLE)


def test_a_capture_that_is_missing_on_this_very_host(tmp_path: Path) -> None:
    config = make_config(f"net_pcap0,rx_pcap={tmp_path}/no.pcap")
    text, code = refused(config, gather(config))
    assert text == f"ports[0].device: {tmp_path}/no.pcap does not exist"
    assert code is ExitCode.UNAVAILABLE


def test_a_nic_of_a_described_host_that_the_kernel_holds(tmp_path: Path) -> None:
    tree = Tree(tmp_path)
    tree.pci(NIC, driver="ixgbe", group=7)
    tree.modules(ready=("vfio-pci",))
    tree.dpdk()
    config = make_config(NIC)
    assert refused(config, gather(config, root=tmp_path)) == (
        "ports[0].device: 0000:03:00.0 is bound to the kernel driver ixgbe, which net_ixgbe cannot use; "
        "run: dpdk-devbind.py --bind=vfio-pci 0000:03:00.0",
        ExitCode.UNAVAILABLE,
    )


def test_all_problems_come_at_once_with_their_keys_and_the_worst_code() -> None:
    config = make_config({"device": "net_tap0", "queues": 17}, workers={"cpus": [99]})
    host = replace(make_host(config), privileges=Privileges(False, False, False))
    with pytest.raises(PlanError) as caught:
        plan(config, host)
    keys = [problem.key for problem in caught.value.details]
    assert keys == ["ports[0].device", "ports[0].queues", "workers.cpus"]
    assert caught.value.exit_code is ExitCode.CONFIG
    assert str(caught.value).endswith("\n3 errors")
