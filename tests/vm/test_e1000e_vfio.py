# SPDX-License-Identifier: BSD-3-Clause
"""An Intel 82574L behind an IOMMU, given away by vfio-pci: what configs/bare-metal.yaml describes."""

from __future__ import annotations

import pytest

from tests.network.namespace import GATE4, GATE6
from tests.network.players import Crowd
from tests.session.deployment import Deployment
from tests.vm.card import Card
from tests.vm.gate import settings
from tests.vm.guest import Guest, Machine
from tests.vm.wire import acknowledged_moves, echoes
from tests.vm.world import InAWorld, world

MACHINE, DRIVER = Machine("e1000e", "e1000e"), "vfio-pci"

pytestmark = pytest.mark.timeout(1200)  # a bound; the first run makes a Debian


class TestOnHugePages(Card):
    settings = settings()


class TestOnOrdinaryPages:
    """Behind an IOMMU a card reaches these, too."""

    settings = settings(huge_pages=False)

    def test_2048_moves_are_all_answered(self, deployment: Deployment, crowd: Crowd) -> None:
        players = crowd.players(32) + crowd.players(32, family=6)
        assert acknowledged_moves(players, 32) == 2048

    @pytest.mark.parametrize("address", [GATE4, GATE6])
    def test_long_pings_come_back_in_every_buffer(
        self, guest: Guest, deployment: Deployment, address: str
    ) -> None:
        assert echoes(guest.wire.players, address, [1400] * 3000) == []


class TestAWorldOnOrdinaryPages(InAWorld):
    settings = world(huge_pages=False)
