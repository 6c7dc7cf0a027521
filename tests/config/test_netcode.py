# SPDX-License-Identifier: BSD-3-Clause
"""Profile netcode in a configuration: what it needs, what it has, and sentences where keys contradict."""

# ruff: noqa: E501  (an exact sentence stays on one line, where a search finds it)

from __future__ import annotations

from pathlib import Path

import pytest

from pyshim.config import load_config
from pyshim.errors import PlanError
from pyshim.plan import NO_NETCODE, plan_from_json, plan_to_json
from pyshim.planner import plan
from tests.config.written import errors, load
from tests.plan.builders import make_host

PORTS = """\
engine: epoll
ports: [{name: game0, address: [127.0.0.1/8, "::1/128"]}]
"""
LISTEN = "listen: [{port: 1, profile: netcode}, {port: 2}, {port: 3, profile: netcode}]\n"
NETCODE = "netcode: {protocol_id: 0x1122334455667788, private_key_file: key}\n"
WHOLE = PORTS + LISTEN + NETCODE


def test_a_netcode_listener_has_limits_and_lets_in_who_has_a_token() -> None:
    config = load(WHOLE)
    limits = config.listen[0].limits
    assert (config.listen[0].admission, limits.source_pps, limits.connections_pps) == ("issued", 500, 20)
    assert (config.speaks_netcode, config.issues_sessions) == (True, False)
    assert config.netcode.protocol_id == 0x1122334455667788


def test_it_needs_a_protocol_and_a_key() -> None:
    assert errors(PORTS + LISTEN) == [
        "gate.yaml:1: netcode.protocol_id: missing; profile netcode needs the number that the game's clients have built in",
        "gate.yaml:1: netcode.private_key_file: missing; profile netcode needs the key of its connect tokens: `openssl rand -hex 32` makes one",
    ]


def test_without_a_listener_its_keys_are_refused() -> None:
    found = errors(PORTS + NETCODE)
    assert [line.split(": ")[1] for line in found] == ["netcode.protocol_id", "netcode.private_key_file"]
    assert all("no entry of listen has profile: netcode" in line for line in found)


@pytest.mark.parametrize(
    ("address", "complaint"),
    [
        ("game.example.org:8082", "a connect token has addresses and no names"),
        ("0.0.0.0:8082", "which is every address"),
        ("203.0.113.9", "allowed: host:port with port 1 to 65535"),
        ("203.0.113.9:0", "allowed: host:port with port 1 to 65535"),
    ],
)
def test_an_address_is_one_that_clients_reach(address: str, complaint: str) -> None:
    (found,) = errors(WHOLE.replace("key}", f'key, addresses: ["{address}"]}}'))
    assert "netcode.addresses[0]" in found
    assert complaint in found


def test_the_plan_has_every_address_of_the_ports_with_its_listeners() -> None:
    config = load(WHOLE)
    made = plan(config, make_host(config)).netcode
    assert made.capacity == config.sessions.capacity
    assert [(server.family, server.port) for server in made.servers] == [(4, 1), (6, 1), (4, 3), (6, 3)]


def test_the_plan_has_the_addresses_that_are_named_instead() -> None:
    config = load(WHOLE.replace("key}", 'key, addresses: ["203.0.113.9:9", "[2001:db8::1]:8"]}'))
    made = plan(config, make_host(config)).netcode
    assert [(server.packed[:8], server.port) for server in made.servers] == [("cb007109", 9), ("20010db8", 8)]


def test_more_addresses_than_a_token_can_name_must_be_named() -> None:
    listeners = ", ".join(f"{{port: {number}, profile: netcode}}" for number in range(1, 17))
    addresses = ", ".join(f"127.0.0.{number}/8" for number in range(1, 4))
    config = load(PORTS.replace('127.0.0.1/8, "::1/128"', addresses) + f"listen: [{listeners}]\n" + NETCODE)
    with pytest.raises(PlanError, match=r"netcode\.addresses: .*48 addresses.*can name 32"):
        plan(config, make_host(config))


def test_without_the_profile_the_plan_has_nothing_of_it() -> None:
    config = load(PORTS)
    assert plan(config, make_host(config)).netcode == NO_NETCODE


def test_a_plan_with_it_travels_and_shows_no_key() -> None:
    from dataclasses import replace  # noqa: PLC0415

    config = load(WHOLE)
    made = plan(config, make_host(config))
    keyed = replace(made, netcode=replace(made.netcode, private_key="ab" * 32))
    assert plan_from_json(plan_to_json(keyed)) == keyed
    assert "abab" not in repr(keyed)


def test_handshakes_have_their_share_of_time_and_nothing_else_of_delivery() -> None:
    assert load(WHOLE + "delivery: {handshake_cpu: 0.5}\n").delivery.handshake_cpu == 0.5
    (found,) = errors(WHOLE + "delivery: {flush_ms: 9}\n")
    assert "no entry of listen has profile: session" in found


def test_the_address_that_players_of_sessions_are_told_is_refused() -> None:
    (found,) = errors(WHOLE + "control: {advertise: 'game.example.org:1'}\n")
    assert "netcode.addresses" in found


def test_more_clients_than_there_are_slots_are_refused() -> None:
    (found,) = errors(WHOLE + "sessions: {capacity: 1048577}\n")
    assert "allowed with profile: netcode: a whole number from 1 to 1048576" in found


def test_the_example_is_for_loopback_and_has_the_defaults() -> None:
    config = load_config(Path(__file__).parents[2] / "configs/netcode.yaml")
    assert config.speaks_netcode
    assert all(address.is_loopback for port in config.ports for address in port.address)
    assert config.listen[0].limits == load(WHOLE).listen[0].limits
