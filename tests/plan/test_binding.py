# SPDX-License-Identifier: BSD-3-Clause
"""The way by which a card comes to DPDK is the one that this host has, and no other."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from pyshim.errors import PlanError
from pyshim.host import HostFacts, Interface, gather
from pyshim.planner import plan
from tests.host.tree import Tree
from tests.plan.builders import make_config

NIC = "0000:03:00.0"
VFIO = "kernel/drivers/vfio/pci/vfio-pci.ko.xz"
UIO = "kernel/drivers/uio/uio_pci_generic.ko"
AVF = (0x8086, 0x1889)  # a virtual function, whose driver has no uio_pci_generic
CONFIG = make_config(NIC, eal={"huge_pages": False})


def said_of(facts: HostFacts) -> str:
    with pytest.raises(PlanError) as caught:
        plan(CONFIG, facts)
    (text,) = caught.value.problems
    assert len(text) < 600
    return text


def said(tree: Tree) -> str:
    tree.dpdk()
    return said_of(gather(CONFIG, root=tree.root))


def test_a_card_in_an_iommu_group_goes_to_vfio_pci(tmp_path: Path) -> None:
    tree = Tree(tmp_path)
    tree.pci(NIC, driver="ixgbe", group=7)
    tree.modules(VFIO, ready=("vfio-pci",))
    assert said(tree).endswith(
        "is bound to the kernel driver ixgbe, which net_ixgbe cannot use; run: dpdk-devbind.py "
        f"--bind=vfio-pci {NIC}"
    )


def test_a_driver_that_is_not_loaded_is_loaded_first(tmp_path: Path) -> None:
    tree = Tree(tmp_path)
    tree.pci(NIC, driver="ixgbe", group=7)
    tree.modules(VFIO)
    assert said(tree).endswith(f"run: modprobe vfio-pci && dpdk-devbind.py --bind=vfio-pci {NIC}")


def test_a_kernel_without_vfio_pci_is_named(tmp_path: Path) -> None:
    tree = Tree(tmp_path)
    tree.pci(NIC, driver="ixgbe", group=7)
    tree.modules(UIO)
    assert said(tree).endswith(
        "this kernel has no vfio-pci; install one that has (Debian: linux-image-amd64)"
    )


@pytest.mark.parametrize("below", ["", "virtio0/"])
def test_an_interface_that_is_up_is_taken_down_and_what_is_lost_is_said(below: str, tmp_path: Path) -> None:
    tree = Tree(tmp_path)
    tree.pci(NIC, driver="ixgbe", group=7)
    tree.interface_of(NIC, "eth0", up=True, below=below)
    tree.interface_of(NIC, "eth1", up=False, below=below)
    tree.modules(VFIO, ready=("vfio-pci",))
    tree.dpdk()
    facts = gather(CONFIG, root=tmp_path)
    assert said_of(replace(facts, interfaces=(Interface("eth0", 1500, ("192.0.2.5",)),))).endswith(
        "this host loses eth0 (192.0.2.5), which is up, and every login over it; run: ip link set eth0 down "
        f"&& dpdk-devbind.py --bind=vfio-pci {NIC}"
    )


@pytest.mark.parametrize(
    ("command_line", "table", "why"),
    [
        ("quiet", "DMAR", "add intel_iommu=on to the kernel's command line and boot again; or"),
        ("intel_iommu=off quiet", "DMAR", "remove intel_iommu=off from the kernel's command line"),
        ("quiet amd_iommu=off", "IVRS", "remove amd_iommu=off from the kernel's command line"),
        ("iommu=soft,off", "IVRS", "remove iommu=soft,off from the kernel's command line"),
        ("quiet", "IVRS", "the kernel does not use the IOMMU that the firmware describes"),
        ("intel_iommu=on", None, "the firmware describes no IOMMU; turn VT-d or AMD-Vi on in its setup"),
    ],
)
def test_a_card_without_group_is_told_how_it_gets_one_and_what_works_without(
    command_line: str, table: str | None, why: str, tmp_path: Path
) -> None:
    tree = Tree(tmp_path)
    tree.pci(NIC, driver="ixgbe")
    tree.boot(command_line, table=table)
    tree.modules(VFIO, UIO, ready=("vfio-pci",))
    text = said(tree)
    assert f"it has no IOMMU group, and so vfio-pci cannot have it: {why}" in text
    assert "--bind=vfio-pci" not in text
    assert text.endswith(
        "or without protection from what the card writes into memory, with eal.huge_pages: true: run: "
        f"modprobe uio_pci_generic && dpdk-devbind.py --bind=uio_pci_generic {NIC}"
    )


def test_an_iommu_that_covers_other_devices_only_is_not_said_to_be_off(tmp_path: Path) -> None:
    tree = Tree(tmp_path)
    tree.pci(NIC, driver="ixgbe")
    tree.pci("0000:04:00.0", driver="nvme", group=3, class_code=0x010802)
    tree.boot("intel_iommu=on", table="DMAR")
    assert "this machine's IOMMU does not cover it" in said(tree)


def test_vfio_without_iommu_is_not_advised_to_a_kernel_that_has_it_not(tmp_path: Path) -> None:
    tree = Tree(tmp_path)
    tree.pci(NIC, driver="iavf", ids=AVF)
    tree.modules(VFIO, UIO)
    text = said(tree)
    assert "noiommu" not in text
    assert "uio_pci_generic" not in text  # its driver takes vfio-pci alone


@pytest.mark.parametrize("place", ["parameter", "config"])
def test_vfio_without_iommu_is_the_way_where_the_kernel_has_it_and_nothing_else(
    place: str, tmp_path: Path
) -> None:
    tree = Tree(tmp_path)
    tree.pci(NIC, driver="iavf", ids=AVF)
    tree.modules(VFIO)
    if place == "parameter":
        tree.write("sys/module/vfio/parameters/enable_unsafe_noiommu_mode", "N\n")
    else:
        tree.write("boot/config-6.1.0-1-amd64", "CONFIG_VFIO=m\nCONFIG_VFIO_NOIOMMU=y\n")
    assert said(tree).endswith(
        "run: modprobe vfio-pci && echo 1 > /sys/module/vfio/parameters/enable_unsafe_noiommu_mode && "
        f"dpdk-devbind.py --bind=vfio-pci {NIC}"
    )


def test_vfio_without_iommu_that_is_on_takes_the_card(tmp_path: Path) -> None:
    tree = Tree(tmp_path)
    tree.pci(NIC, driver="ixgbe")
    tree.modules(VFIO, ready=("vfio-pci",))
    tree.write("sys/module/vfio/parameters/enable_unsafe_noiommu_mode", "Y\n")
    assert said(tree).endswith(f"run: dpdk-devbind.py --bind=vfio-pci {NIC}")


def test_a_locked_down_kernel_has_no_way_but_the_iommu(tmp_path: Path) -> None:
    tree = Tree(tmp_path)
    tree.pci(NIC, driver="ixgbe")
    tree.boot(table="DMAR")
    tree.modules(VFIO, UIO)
    tree.write("sys/kernel/security/lockdown", "none [integrity] confidentiality\n")
    assert said(tree).endswith("Secure Boot (kernel lockdown) allows no other way")


def test_a_card_at_uio_needs_huge_pages_and_no_group(tmp_path: Path) -> None:
    tree = Tree(tmp_path)
    tree.pci(NIC, driver="uio_pci_generic")
    text = said(tree)
    assert text.startswith("eal.huge_pages: ")
    assert text.endswith("set huge_pages: true")
    tree.huge_pages(0, total=512, free=512)
    config = make_config(NIC, eal={"huge_pages": True})
    assert plan(config, gather(config, root=tmp_path)).ports[0].device == NIC


def test_modules_that_are_out_of_sight_are_loaded_to_be_sure(tmp_path: Path) -> None:
    tree = Tree(tmp_path)
    tree.pci(NIC, driver="ixgbe", group=7)
    assert said(tree).endswith(f"run: modprobe vfio-pci && dpdk-devbind.py --bind=vfio-pci {NIC}")
