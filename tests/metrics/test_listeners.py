# SPDX-License-Identifier: BSD-3-Clause
"""Sessions are counted by the UDP port on which they were made."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import IPv4Address
from typing import Any

from tests.core.test_datagrams import PEER, plan
from tests.native import lib
from tests.native.core import Core
from tests.session.attack import join
from tests.session.core_gateway import CoreGateway
from tests.session.internet import Internet


def by_listener(core: Core) -> list[int]:
    stats: Any = lib.pg_core_stats(core._handle)
    return [listener.sessions for listener in stats.listener][:2]


def test_a_session_of_profile_plain_is_made_on_its_listener() -> None:
    with Core(plan(8)) as core:
        hosts = [replace(PEER, source=IPv4Address(f"203.0.113.{last}")) for last in range(1, 4)]
        core.datagrams([*hosts, *hosts, replace(PEER, listener=1)], 0)
        assert by_listener(core) == [3, 1]
        assert sum(by_listener(core)) == core.stats().sessions_admitted


def test_a_connection_is_a_session_of_its_listener() -> None:
    with CoreGateway() as gateway:
        internet = Internet(gateway)
        for player in (7, 8):
            join(internet, gateway.issue(player))
        assert by_listener(gateway.core) == [2, 0]
        assert sum(by_listener(gateway.core)) == gateway.stats().connections
