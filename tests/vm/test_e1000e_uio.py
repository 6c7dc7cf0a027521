# SPDX-License-Identifier: BSD-3-Clause
"""An Intel 82574L on a host without an IOMMU, given away by uio_pci_generic."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.appliance.refusals import CONFIG
from tests.vm.card import Card
from tests.vm.gate import checked, settings
from tests.vm.guest import CARD, Guest, Machine
from tests.vm.world import InAWorld, world

MACHINE, DRIVER = Machine("e1000e", "e1000e", iommu=False), "uio_pci_generic"

pytestmark = pytest.mark.timeout(1200)  # a bound; the first run makes a Debian


class TestOnHugePages(Card):
    settings = settings()


class TestAWorldOnHugePages(InAWorld):
    settings = world()


def test_ordinary_pages_are_refused_because_the_card_goes_by_physical_addresses(
    bound: Guest, tmp_path: Path
) -> None:
    done = checked(bound, settings(huge_pages=False), tmp_path)
    assert done.returncode == CONFIG, done.stdout + done.stderr
    assert "physical addresses" in done.stderr
    assert "huge_pages: true" in done.stderr


def test_vfio_pci_does_not_take_a_card_without_an_iommu_group(bound: Guest) -> None:
    assert bound.attempt("test", "-e", f"/sys/bus/pci/devices/{CARD}/iommu_group").returncode != 0
    bound.run("modprobe", "vfio-pci")
    refused = bound.attempt("dpdk-devbind.py", "--bind=vfio-pci", CARD)
    said = refused.stdout + refused.stderr
    try:
        # Newer ones look for the mode without an IOMMU first.
        assert "vfio-pci" in said or "enable_unsafe_noiommu_mode" in said, said
        assert bound.attempt("test", "-e", f"/sys/bus/pci/drivers/vfio-pci/{CARD}").returncode != 0
    finally:
        bound.bind(DRIVER)
