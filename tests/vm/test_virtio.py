# SPDX-License-Identifier: BSD-3-Clause
"""virtio-net with two queues behind an IOMMU, which spreads flows by RSS."""

from __future__ import annotations

import pytest

from tests.vm.card import Card, Spread
from tests.vm.gate import settings
from tests.vm.guest import Machine

MACHINE = Machine(
    "virtio-net-pci,mq=on,vectors=6,rss=on,hash=on,iommu_platform=on,disable-legacy=on",
    "virtio_net",
    queues=2,
    cpus=3,
    unfinished=True,
)
DRIVER = "vfio-pci"

pytestmark = [pytest.mark.full, pytest.mark.timeout(1200)]


class TestOnHugePages(Card, Spread):
    settings = settings(queues=2)
