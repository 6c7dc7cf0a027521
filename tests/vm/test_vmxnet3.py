# SPDX-License-Identifier: BSD-3-Clause
"""VMware's card behind an IOMMU, with two queues, of which qemu fills the first."""

from __future__ import annotations

import pytest

from tests.vm.card import Card
from tests.vm.gate import settings
from tests.vm.guest import Machine

# The guest's kernel does not get the card first: qemu's goes on reading where that driver had told it to.
MACHINE = Machine("vmxnet3", None, cpus=3)
DRIVER = "vfio-pci"

pytestmark = [pytest.mark.full, pytest.mark.timeout(1200)]


class TestOnHugePages(Card):
    settings = settings(queues=2)
