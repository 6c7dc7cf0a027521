# SPDX-License-Identifier: BSD-3-Clause
"""An Intel 82576 behind an IOMMU, which needs a newer qemu than Debian 12's."""

from __future__ import annotations

import pytest

from tests.vm import image
from tests.vm.card import Card, Spread
from tests.vm.gate import settings
from tests.vm.guest import Machine

MACHINE = Machine("igb", "igb", cpus=3, qemu_version=image.IGB_SINCE)
DRIVER = "vfio-pci"

pytestmark = [pytest.mark.full, pytest.mark.timeout(1200)]


class TestOnHugePages(Card, Spread):
    settings = settings(queues=2)
