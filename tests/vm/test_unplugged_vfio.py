# SPDX-License-Identifier: BSD-3-Clause
"""A card of vfio-pci is pulled out: the kernel takes it from its driver, and waits until its user lets go."""

from __future__ import annotations

import pytest

from tests.vm.guest import Machine
from tests.vm.unplugged import Unplugged

MACHINE, DRIVER = Machine("e1000e", "e1000e"), "vfio-pci"

pytestmark = [pytest.mark.full, pytest.mark.timeout(1200)]


class TestOnHugePages(Unplugged):
    """The common behaviour."""
