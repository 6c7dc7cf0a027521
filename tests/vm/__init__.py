# SPDX-License-Identifier: BSD-3-Clause
"""The appliance on emulated PCI cards in a virtual machine, bound to DPDK's own drivers as on bare metal."""

import pytest

pytest.register_assert_rewrite("tests.vm.card", "tests.vm.gate")  # tests that other modules inherit
