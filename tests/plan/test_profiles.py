# SPDX-License-Identifier: BSD-3-Clause
"""What the planner decides for listeners of profile session, what it tells, and what it refuses."""

from __future__ import annotations

from io import StringIO
from typing import Any

import pytest
from rich.console import Console

from pyshim import dataplane
from pyshim._native import encode
from pyshim._native._pollgate import ffi, lib
from pyshim._native.decode import text
from pyshim.config import Config, DeliveryConfig
from pyshim.errors import ExitCode, PlanError
from pyshim.host import HostFacts, Interface
from pyshim.plan import (
    COMPRESSED_TYPES,
    DEFAULT_DELIVERY,
    REQUEST_TYPES,
    ListenerPlan,
    Plan,
    plan_from_json,
    plan_to_json,
)
from pyshim.planner import plan, policy_of
from pyshim.views.plan_text import render_plan
from tests.plan.builders import make_config, make_host, make_socket_config

SESSION = {"port": 8080, "profile": "session"}
V4, V6 = ["10.0.0.1/24"], ["fd00::1/64"]


def session_config(*ports: list[str], **sections: Any) -> Config:
    return make_socket_config("epoll", *ports, **({"listen": [SESSION]} | sections))


def decided(**sections: Any) -> Plan:
    config = session_config(**sections)
    return plan(config, make_host(config))


def printed(result: Plan) -> str:
    out = StringIO()
    Console(file=out, width=220).print(render_plan(result))
    return out.getvalue()


def test_a_session_listener_can_be_issued_as_many_sessions_as_fit() -> None:
    result = decided(sessions={"capacity": 5000})
    assert (result.issued_capacity, result.session_capacity) == (5000, 5000)
    assert result.listeners == (ListenerPlan(8080, "session", "issued"),)
    assert result.state_bytes == dataplane.state_bytes(5000, len(result.workers), 5000)


def test_without_one_nothing_is_issued_and_nothing_is_said_of_it() -> None:
    config = make_socket_config()
    result = plan(config, make_host(config))
    assert result.issued_capacity == 0
    text = printed(result)
    assert "ciphers" not in text
    assert "per session" not in text
    assert "mail" not in text


def test_memory_of_the_workers_mail_is_shown() -> None:
    text = printed(decided(workers={"cpus": [1, 2]}))
    assert "│ workers' mail     │ up to 9" in text


def test_the_names_of_types_are_the_data_planes_in_its_order() -> None:
    def names(name_of: Any, count: int) -> tuple[str, ...]:
        return tuple(ffi.string(name_of(index)).decode() for index in range(count))

    assert names(lib.pg_request_name, lib.PG_REQUESTS) == REQUEST_TYPES
    assert names(lib.pg_compressible_name, lib.PG_COMPRESSIBLE) == COMPRESSED_TYPES


def test_the_default_of_a_plan_is_the_default_of_the_configuration() -> None:
    assert policy_of(session_config()).delivery == DEFAULT_DELIVERY


def test_every_setting_reaches_the_data_plane() -> None:
    rates = {name: 10 + at for at, name in enumerate(REQUEST_TYPES)}
    bursts = {name: 20 + at for at, name in enumerate(REQUEST_TYPES)}
    limits = {
        "source_pps": 1,
        "source_burst": 2,
        "connections_pps": 3,
        "connections_burst": 4,
        "session_pps": 5,
        "session_burst": 6,
    }
    delivery = {
        "flush_ms": 1.5,
        "acknowledge_ms": 2,
        "resend_min_ms": 30,
        "queue_kib": 65,
        "memory_mib": 9,
        "handshake_cpu": 0.25,
        "compression_level": 12,
        "compress": {"chat": "never", "inventory": 5, "bulk": 6},
        "messages_pps": rates,
        "messages_burst": bursts,
    }
    former = {name for name, key in DeliveryConfig.model_fields.items() if key.json_schema_extra}
    assert set(delivery) == set(DeliveryConfig.model_fields) - former
    listen = [{"port": 1}, {"port": 2, "profile": "session", "limits": limits}]
    out = encode.plan_struct(decided(listen=listen, delivery=delivery, sessions={"capacity": 77}))
    assert [text(lib.pg_profile_name(number)) for number in out.listener_profile[0:2]] == ["plain", "session"]
    assert (out.issued_capacity, out.message_memory_mib, out.compression_level) == (77, 9, 12)
    listener, to = out.policy.listener[1], out.policy.delivery
    assert {key: getattr(listener, key) for key in limits} == limits
    assert (to.flush_us, to.acknowledge_us, to.resend_min_us) == (1500, 2000, 30_000)
    assert (to.queue_bytes, to.handshake_permille) == (65 << 10, 250)
    assert list(to.compress_min) == [2**32 - 1, 5, 6]
    assert list(to.message_pps) == list(rates.values())
    assert list(to.message_burst) == list(bursts.values())


def test_a_plan_with_sessions_travels_as_json() -> None:
    result = decided(delivery={"compress": {"chat": "never"}})
    assert plan_from_json(plan_to_json(result)) == result


def test_check_shows_limits_memory_and_how_messages_travel() -> None:
    listen = [{"port": 80}, SESSION | {"limits": {"session_pps": 300}}]
    text = printed(decided(listen=listen, sessions={"capacity": 1 << 20}, delivery={"memory_mib": 100}))
    for shown in ("500/s, bursts of 64", "100/s, bursts of 1000", "300/s, bursts of 256", "issued"):
        assert shown in text
    assert "up to 1600" in text  # MiB of connections, 1,600 bytes for each of 2^20 sessions
    assert "up to 100" in text
    for shown in ("5 ms", "25 ms", "after 35 ms or more", "256 KiB", "128/s, bursts of 256"):
        assert shown in text
    assert "from 32 bytes" in text


# ---------------------------------------------------------------- what carries the datagrams


def with_interface(config: Config, mtu_bytes: int, *addresses: str) -> HostFacts:
    return make_host(config, interfaces=(Interface("eth7", mtu_bytes, addresses),))


@pytest.mark.parametrize(
    ("addresses", "mtu_bytes", "agreed"),
    [(V4, 1428, None), (V4, 1427, 1232), (V6, 1448, None), (V6, 1447, 1232), (V6, 1280, 1232), (V4, 536, 508),
     ([*V4, *V6], 1447, 1232)],
)  # fmt: skip
def test_a_narrow_interface_is_told_with_what_clients_will_agree_on(
    addresses: list[str], mtu_bytes: int, agreed: int | None
) -> None:
    config = session_config(addresses)
    notes = plan(config, with_interface(config, mtu_bytes, "10.0.0.1", "fd00::1")).notes
    told = [note for note in notes if "MTU" in note]
    if agreed is None:
        assert told == []
    else:
        assert len(told) == 1
        assert told[0].startswith(f"game0: eth7 has an MTU of {mtu_bytes} bytes, so clients")
        assert f"datagrams of {agreed} bytes" in told[0]


@pytest.mark.parametrize(("addresses", "mtu_bytes"), [(V4, 535), (V6, 555)])
def test_an_interface_that_carries_no_datagram_is_refused(addresses: list[str], mtu_bytes: int) -> None:
    config = session_config(addresses)
    with pytest.raises(PlanError) as caught:
        plan(config, with_interface(config, mtu_bytes, "10.0.0.1", "fd00::1"))
    (problem,) = caught.value.problems
    assert problem.startswith(f"ports[0]: eth7 has an MTU of {mtu_bytes} bytes; profile session needs")
    assert "ip link set eth7 mtu" in problem
    assert caught.value.exit_code == ExitCode.UNAVAILABLE


def test_the_interface_of_a_virtual_device_is_the_one_that_it_names() -> None:
    config = make_config("net_af_packet0,iface=eth7", listen=[SESSION])
    assert any("eth7 has an MTU" in note for note in plan(config, with_interface(config, 1300)).notes)
    other = make_config("net_af_packet0,iface=eth8", listen=[SESSION])
    assert not any("MTU" in note for note in plan(other, with_interface(other, 1300)).notes)


def test_profile_plain_does_not_mind() -> None:
    config = make_socket_config("epoll", V4)
    assert not any("MTU" in note for note in plan(config, with_interface(config, 100, "10.0.0.1")).notes)
