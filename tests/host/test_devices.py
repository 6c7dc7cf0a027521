# SPDX-License-Identifier: BSD-3-Clause
"""What sysfs says of PCI devices, and what virtual devices' arguments name on the host."""

from __future__ import annotations

from pathlib import Path

import pytest

from pyshim.host import NetworkDevice, parse_vdev
from pyshim.host.pci import gather_network_devices, gather_pci
from pyshim.host.pmd import find_pmd_directory
from pyshim.host.vdev import gather_vdev
from tests.host.tree import Tree
from tests.network.namespace import Namespace, why_not


def test_a_device_bound_to_the_kernel_is_described(tmp_path: Path) -> None:
    Tree(tmp_path).pci("0000:03:00.0", driver="ixgbe", node=1)
    (device,) = gather_pci(["0000:03:00.0"], find_pmd_directory(), tmp_path)
    assert (str(device.ids), device.driver, device.node) == ("8086:10fb", "ixgbe", 1)
    assert [claim.driver for claim in device.claims] == ["net_ixgbe"]


def test_an_absent_address_yields_no_device(tmp_path: Path) -> None:
    Tree(tmp_path)
    assert gather_pci(["0000:03:00.0"], None, tmp_path) == ()


def test_only_kernel_bound_endpoints_block_an_iommu_group(tmp_path: Path) -> None:
    tree = Tree(tmp_path)
    tree.pci("0000:03:00.0", driver="vfio-pci", group=7)
    tree.pci("0000:03:00.1", driver="ixgbe", group=7)
    tree.pci("0000:03:00.2", group=7)
    tree.pci("0000:02:00.0", driver="pcieport", class_code=0x060400, group=7)
    (device,) = gather_pci(["0000:03:00.0"], None, tmp_path)
    assert device.iommu_group == "7"
    assert device.blockers == (NetworkDevice("0000:03:00.1", "ixgbe"),)


def test_a_group_file_that_is_missing_is_not_accessible(tmp_path: Path) -> None:
    tree = Tree(tmp_path)
    tree.pci("0000:03:00.0", driver="vfio-pci", group=7)
    (before,) = gather_pci(["0000:03:00.0"], None, tmp_path)
    tree.vfio(7)
    (after,) = gather_pci(["0000:03:00.0"], None, tmp_path)
    assert (before.vfio_accessible, after.vfio_accessible) == (False, True)


def test_vfio_without_iommu_has_its_own_group_file(tmp_path: Path) -> None:
    tree = Tree(tmp_path)
    tree.pci("0000:03:00.0", driver="vfio-pci", group=0)
    tree.write("sys/kernel/iommu_groups/0/name", "vfio-noiommu\n")
    tree.vfio("noiommu-0")
    (device,) = gather_pci(["0000:03:00.0"], None, tmp_path)
    assert device.noiommu
    assert device.vfio_accessible
    assert device.vfio_path == Path("/dev/vfio/noiommu-0")


def test_network_devices_are_told_from_others(tmp_path: Path) -> None:
    tree = Tree(tmp_path)
    tree.pci("0000:03:00.1", driver="ixgbe")
    tree.pci("0000:03:00.0")
    tree.pci("0000:00:1f.2", class_code=0x010601)
    assert gather_network_devices(tmp_path) == (
        NetworkDevice("0000:03:00.0", None),
        NetworkDevice("0000:03:00.1", "ixgbe"),
    )


def test_repeated_keys_of_a_virtual_device_are_kept() -> None:
    vdev = parse_vdev("eth_pcap12,rx_pcap=a.pcap,rx_pcap=b.pcap,infinite_rx=1")
    assert (vdev.name, vdev.kind) == ("eth_pcap12", "net_pcap")
    assert vdev.values("rx_pcap") == ("a.pcap", "b.pcap")
    assert vdev.infinite_rx


def test_a_list_in_brackets_is_one_value() -> None:
    assert parse_vdev("net_x0,members=[a,b],n=3").args == (("members", "[a,b]"), ("n", "3"))


def test_an_output_in_a_missing_directory_is_a_problem(tmp_path: Path) -> None:
    (problem,) = gather_vdev(f"net_pcap0,tx_pcap={tmp_path}/no/out.pcap", None).problems
    assert problem.endswith(f"{tmp_path}/no is not a directory; create it")


def test_an_interface_that_is_missing_is_named_with_those_that_exist(tmp_path: Path) -> None:
    Tree(tmp_path).write("sys/class/net/eth0/mtu", "1500")
    vdev = gather_vdev("net_af_packet0,iface=eth1", None, tmp_path)
    assert vdev.problems == ("iface=eth1: no such interface; this host has eth0",)


def test_interfaces_are_those_of_the_network_namespace_whatever_sys_shows() -> None:
    if reason := why_not():
        pytest.skip(reason)
    with Namespace() as namespace:
        namespace.run("ip", "link", "add", "inside0", "type", "veth", "peer", "name", "inside1")
        here = namespace.call(lambda: gather_vdev("net_af_packet0,iface=inside0", None))
        there = namespace.call(lambda: gather_vdev("net_af_packet0,iface=outside0", None))
    assert here.problems == ()
    assert there.problems == ("iface=outside0: no such interface; this host has inside0, inside1, lo",)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ("", "add path=/dev/vhost-net"),
        (",path=/dev/vhost-net", "/dev/vhost-net is missing; run: modprobe vhost-net"),
        (",path=/run/x.sock", "start the program that serves it first, or add server=1"),
        (",path=/run/none/x.sock,server=1", "/run/none is not a directory; create it"),
    ],
)
def test_the_other_end_of_virtio_user_must_be_there(arguments: str, said: str, tmp_path: Path) -> None:
    (problem,) = gather_vdev(f"net_virtio_user0{arguments}", None, tmp_path).problems
    assert said in problem


def test_the_other_end_of_virtio_user_that_is_there_is_no_problem(tmp_path: Path) -> None:
    Tree(tmp_path).write("dev/vhost-net", "")
    (tmp_path / "run").mkdir()
    assert gather_vdev("net_virtio_user0,path=/dev/vhost-net", None, tmp_path).problems == ()
    assert gather_vdev("net_virtio_user0,path=/run/x.sock,server=1", None, tmp_path).problems == ()


def test_the_directory_of_a_vhost_socket_must_be_there(tmp_path: Path) -> None:
    (problem,) = gather_vdev("net_vhost0,iface=/run/none/v.sock", None, tmp_path).problems
    assert problem.endswith("/run/none is not a directory; create it")


def test_tap_needs_its_control_file(tmp_path: Path) -> None:
    (problem,) = gather_vdev("net_tap0", None, tmp_path).problems
    assert "/dev/net/tun" in problem
