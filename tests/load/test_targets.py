# SPDX-License-Identifier: BSD-3-Clause
"""Targets and addresses as they are written on the command line."""

from __future__ import annotations

from ipaddress import ip_address, ip_interface

import pytest

from pyshim.config.values import Endpoint
from pyshim.errors import UnavailableError, UsageError
from pyshim.load.targets import is_address, local_addresses, own_addresses, parse_target, resolve


@pytest.mark.parametrize(
    ("text", "endpoint"),
    [
        ("10.0.0.1:8080", Endpoint("10.0.0.1", 8080)),
        ("[fd00::1]:8080", Endpoint("fd00::1", 8080)),
        ("game.example:1", Endpoint("game.example", 1)),
        ("localhost:65535", Endpoint("localhost", 65535)),
    ],
)
def test_a_target_is_a_host_and_a_port(text: str, endpoint: Endpoint) -> None:
    assert parse_target(text) == endpoint


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("10.0.0.1", "with port 1 to 65535, such as 10.0.0.1:8080"),
        ("10.0.0.1:0", "with port 1 to 65535"),
        ("10.0.0.1:70000", "with port 1 to 65535"),
        (":8080", "which has no host$"),
        ("fd00::1:8080", "put an IPv6 address in brackets"),
        ("[10.0.0.1]:8080", "between \\[ and \\] goes an IPv6 address"),
        ("10.0.0:8080", "10.0.0 is not an IPv4 address"),
        ("", "with port 1 to 65535"),
        ("a b:8080", "before the colon goes"),
    ],
)
def test_what_is_no_target_is_refused(text: str, sentence: str) -> None:
    with pytest.raises(UsageError, match=f"^the target: found .*{sentence}"):
        parse_target(text)


def test_a_name_is_resolved_and_an_address_is_itself() -> None:
    assert str(resolve(Endpoint("localhost", 9), version=4, mac=None)) == "127.0.0.1:9"
    assert str(resolve(Endpoint("::1", 9), version=None, mac=None)) == "[::1]:9"


def test_a_name_that_nobody_has_is_unavailable() -> None:
    with pytest.raises(UnavailableError, match=r"^nobody\.invalid does not resolve: .*check the name"):
        resolve(Endpoint("nobody.invalid", 9), version=None, mac=None)


def test_addresses_to_send_from_have_no_prefix_over_sockets_and_one_over_a_device() -> None:
    assert local_addresses(["10.0.0.2", "fd00::2"]) == (ip_address("10.0.0.2"), ip_address("fd00::2"))
    assert own_addresses(["10.0.0.2/24"]) == (ip_interface("10.0.0.2/24"),)
    with pytest.raises(UsageError, match="without its prefix length"):
        local_addresses(["10.0.0.2/24"])
    with pytest.raises(UsageError, match=r"such as 10\.0\.0\.2"):
        local_addresses(["here"])
    with pytest.raises(UsageError, match=r"^--address: .*no prefix length"):
        own_addresses(["10.0.0.2"])


def test_an_address_is_told_from_a_name() -> None:
    assert [is_address(host) for host in ("10.0.0.1", "::1", "localhost")] == [True, True, False]
