# SPDX-License-Identifier: BSD-3-Clause
"""VMware's card behind an IOMMU, with two queues, of which qemu fills the first."""

from __future__ import annotations

import pytest

from tests.vm.card import Card
from tests.vm.gate import settings
from tests.vm.guest import Machine

# When DPDK starts it, qemu's card reads what it shares with its driver before it was told where that is: at
# 0, or where an earlier driver had it, so the guest's kernel does not get the card first.
MACHINE = Machine(
    "vmxnet3", None, cpus=3, own_fault="[DMA Read NO_PASID] Request device [01:00.0] fault addr 0x0 "
)
DRIVER = "vfio-pci"

pytestmark = [pytest.mark.full, pytest.mark.timeout(1200)]


class TestOnHugePages(Card):
    settings = settings(queues=2)
