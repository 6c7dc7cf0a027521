# SPDX-License-Identifier: BSD-3-Clause
"""VMware's card behind an IOMMU, with two queues."""

from __future__ import annotations

import pytest

from tests.vm.card import Card, Spread
from tests.vm.gate import settings
from tests.vm.guest import Machine

MACHINE = Machine("vmxnet3", "vmxnet3", cpus=3)
DRIVER = "vfio-pci"

pytestmark = [pytest.mark.full, pytest.mark.timeout(1200)]


class TestOnHugePages(Card, Spread):
    settings = settings(queues=2)
