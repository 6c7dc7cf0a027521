# SPDX-License-Identifier: BSD-3-Clause
"""What becomes of an appliance whose card is pulled out of its slot and put back.

A class of tests inherits from Unplugged; its module says which MACHINE, and which DRIVER has the card.
"""

from __future__ import annotations

from typing import Any, ClassVar

import pytest

from tests.network.players import Crowd, Growth, all_play
from tests.session.deployment import Deployment
from tests.vm.gate import settings
from tests.vm.guest import CARD, Guest
from tests.vm.wire import acknowledged_moves

GONE_TIMEOUT_S = 60.0  # a bound; the guest's kernel may blink for five seconds first


class Unplugged:
    """A card in a slot."""

    settings: ClassVar[dict[str, Any]] = settings()

    def test_a_card_that_goes_is_waited_for_and_takes_no_session_with_it(
        self, request: pytest.FixtureRequest, bound: Guest, deployment: Deployment, crowd: Crowd
    ) -> None:
        gate = deployment.gate
        players = crowd.players(10) + crowd.players(10, family=6)
        all_play(players)
        grown = Growth(gate)
        bound.unplug()
        gate.wait_for_line("port game0: its device is being taken away", GONE_TIMEOUT_S)
        gate.wait_until(lambda: not bound.is_plugged(), GONE_TIMEOUT_S)
        gate.wait_for_line("the worker process cannot start: .*; all sessions are kept", GONE_TIMEOUT_S)
        status, said = gate.get("/readyz")
        assert status == 503
        assert CARD in said
        assert gate.metrics().value("pollgate_port_link_up") == 0
        bound.plug()
        bound.bind(request.module.DRIVER)
        gate.wait_ready()
        assert acknowledged_moves(players, 2) == 2 * len(players)
        assert grown.of("pollgate_sessions_admitted_total") == 0
        assert grown.of("pollgate_worker_reopenings_total") == 1
        assert grown.of("pollgate_worker_restarts_total") == 0  # what waits for its card has not crashed
        for invented in ("missed", "errors"):  # registers of a card that is gone read as all ones
            assert grown.of(f"pollgate_port_receive_{invented}_total") == 0
