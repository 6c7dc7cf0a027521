# SPDX-License-Identifier: BSD-3-Clause
"""A card of uio_pci_generic is pulled out: the kernel asks nobody, and its registers are gone."""

from __future__ import annotations

import pytest

from tests.network.players import Crowd, all_play
from tests.session.deployment import Deployment
from tests.vm.guest import Guest, Machine
from tests.vm.unplugged import GONE_TIMEOUT_S, Unplugged
from tests.vm.wire import acknowledged_moves

MACHINE, DRIVER = Machine("e1000e", "e1000e", iommu=False), "uio_pci_generic"

pytestmark = [pytest.mark.full, pytest.mark.timeout(1200)]


class TestOnHugePages(Unplugged):
    def test_a_card_that_is_given_to_the_kernel_is_waited_for_too(
        self, bound: Guest, deployment: Deployment, crowd: Crowd
    ) -> None:
        players = crowd.players(10)
        all_play(players)
        said = deployment.gate.stderr.count("cannot start")
        bound.bind("e1000e")
        deployment.gate.wait_until(
            lambda: deployment.gate.stderr.count("cannot start") > said, GONE_TIMEOUT_S
        )
        bound.bind(DRIVER)
        deployment.gate.wait_ready()
        assert acknowledged_moves(players, 2) == 2 * len(players)
