# SPDX-License-Identifier: BSD-3-Clause
"""Devices, addresses and endpoints as users write them."""

# ruff: noqa: E501  (a table row stays on one line)

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyshim.config.values import (
    Endpoint,
    parse_address,
    parse_device,
    parse_endpoint,
    parse_file_prefix,
    parse_mac,
    parse_name,
    quoted,
)


@pytest.mark.parametrize(
    ("written", "canonical"),
    [
        ("03:00.0", "0000:03:00.0"),
        ("0000:AF:1f.7", "0000:af:1f.7"),
        ("10000:01:00.0", "10000:01:00.0"),  # behind Intel VMD
        ("net_null0", "net_null0"),
        (
            "net_pcap0,rx_pcap=var/a b.pcap,tx_pcap=out.pcap",
            "net_pcap0,rx_pcap=var/a b.pcap,tx_pcap=out.pcap",
        ),
        ("net_af_packet12,iface=eth0", "net_af_packet12,iface=eth0"),
        ("eth_af_xdp0,iface=eth0", "eth_af_xdp0,iface=eth0"),
    ],
)
def test_a_device_is_a_full_pci_address_or_vdev_arguments_unchanged(written: str, canonical: str) -> None:
    assert parse_device(written) == canonical


@pytest.mark.parametrize(
    ("written", "complaint"),
    [
        ("net_pcap", 'did you mean "net_pcap0"?'),
        ("enp3s0", "a kernel interface; use"),
        ("03:00", "a PCI address is bus:device.function"),
        ("03:00.8", "a PCI address is bus:device.function"),
        ("0000:03:20.0", "a PCI address is bus:device.function"),
        ("pcap0", "allowed: a PCI address such as 03:00.0"),
        ("", "allowed: a PCI address such as 03:00.0"),
        ("net_pcap0,,a=1", "has an empty argument"),
        ("net_pcap0,", "has an empty argument"),
        ("net_pcap0,rx_pcap=a\nb", "control character"),
        ("net_" + "a" * 59 + "0", "64 characters, allowed: 63"),
        ("net_null0,size=" + "1" * 1024, "1039 characters, allowed: 1024"),
    ],
)
def test_a_wrong_device_is_told_what_to_write(written: str, complaint: str) -> None:
    with pytest.raises(ValueError, match=r"^found ") as caught:
        parse_device(written)
    assert complaint in str(caught.value)


def test_a_vdev_name_may_have_63_characters() -> None:
    name = "net_" + "a" * 58 + "0"
    assert parse_device(name) == name


@pytest.mark.parametrize(
    "written",
    ["10.0.0.1/24", "10.0.0.0/31", "10.0.0.1/31", "10.0.0.1/32", "fd00::1/64", "fe80::1/64", "fd00::/127", "2001:db8::1/128",
     "127.0.0.1/8", "::1/128"],
)  # fmt: skip
def test_a_host_address_is_kept(written: str) -> None:
    assert str(parse_address(written)) == written


@pytest.mark.parametrize(
    ("written", "complaint"),
    [
        ("10.0.0.0/24", "the network address of 10.0.0.0/24"),
        ("10.0.0.255/24", "the broadcast address of 10.0.0.0/24"),
        ("10.0.0.3/30", "the broadcast address of 10.0.0.0/30"),
        ("0.0.0.0/8", "the unspecified address"),
        ("0.0.0.1/8", "a reserved address"),
        ("224.0.0.1/24", "a multicast address"),
        ("240.0.0.1/24", "a reserved address"),
        ("255.255.255.255/32", "the broadcast address"),
        ("::/64", "the unspecified address"),
        ("ff02::1/64", "a multicast address"),
        ("fd00::/64", "the subnet-router anycast address of fd00::/64"),
        ("::ffff:10.0.0.1/120", "an IPv4 address written as IPv6"),
        ("fe80::1%eth0/64", "an address with a zone"),
        ("10.0.0.1", "write for example 10.0.0.1/24"),
        ("fd00::1", "write for example fd00::1/64"),
        ("10.0.0.1/0", "the prefix length of an IPv4 address is 1 to 32"),
        ("10.0.0.1/33", "the prefix length of an IPv4 address is 1 to 32"),
        ("10.0.0.1/255.255.255.0", "the prefix length of an IPv4 address is 1 to 32"),
        ("fd00::1/129", "the prefix length of an IPv6 address is 1 to 128"),
        ("10.0.0.01/24", "allowed: an address with prefix"),
        ("game.example/24", "allowed: an address with prefix"),
    ],
)
def test_an_address_that_no_host_can_own_is_refused(written: str, complaint: str) -> None:
    with pytest.raises(ValueError, match=r"^found ") as caught:
        parse_address(written)
    assert complaint in str(caught.value)


def test_a_mac_address_is_kept_in_lower_case() -> None:
    assert parse_mac("52:54:00:AB:CD:EF") == "52:54:00:ab:cd:ef"


@pytest.mark.parametrize(
    ("written", "complaint"),
    [
        ("00:00:00:00:00:00", "which is no address"),
        ("ff:ff:ff:ff:ff:ff", "a multicast address"),
        ("33:33:00:00:00:01", "a multicast address"),
        ("52-54-00-12-34-56", "six pairs of hex digits"),
        ("52:54:00:12:34", "six pairs of hex digits"),
    ],
)
def test_a_mac_address_that_is_not_unicast_is_refused(written: str, complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        parse_mac(written)


@pytest.mark.parametrize(
    ("written", "endpoint"),
    [
        ("127.0.0.1:9464", Endpoint("127.0.0.1", 9464)),
        ("localhost:0", Endpoint("localhost", 0)),
        ("[::1]:9464", Endpoint("::1", 9464)),
        ("[::]:65535", Endpoint("::", 65535)),
    ],
)
def test_an_endpoint_is_read_and_written_alike(written: str, endpoint: Endpoint) -> None:
    assert parse_endpoint(written) == endpoint
    assert str(endpoint) == written


@pytest.mark.parametrize(
    ("written", "complaint"),
    [
        ("9464", "allowed: host:port"),
        ("127.0.0.1", "allowed: host:port"),
        ("127.0.0.1:65536", "allowed: host:port"),
        ("127.0.0.1:-1", "allowed: host:port"),
        (":9464", 'write "0.0.0.0:9464"'),
        ("::1:9464", "put an IPv6 address in brackets"),
        ("[localhost]:1", "goes an IPv6 address"),
        ("300.0.0.1:1", "300.0.0.1 is not an IPv4 address"),
        ("a b:1", "before the colon goes"),
    ],
)
def test_a_wrong_endpoint_is_told_what_to_write(written: str, complaint: str) -> None:
    with pytest.raises(ValueError, match=r"^found ") as caught:
        parse_endpoint(written)
    assert complaint in str(caught.value)


@pytest.mark.parametrize("written", ["", "Game", "0game", "a" * 32, "a b", "game\n"])
def test_a_wrong_port_name_is_refused(written: str) -> None:
    with pytest.raises(ValueError, match="allowed: 1 to 31"):
        parse_name(written)


@pytest.mark.parametrize("written", ["", "..", "a/b", "-x", "a" * 33])
def test_a_file_prefix_cannot_leave_its_directory(written: str) -> None:
    with pytest.raises(ValueError, match="allowed: 1 to 32"):
        parse_file_prefix(written)


@given(st.text())
def test_quoted_text_is_one_printable_line(text: str) -> None:
    assert quoted(text).isprintable()
    assert len(quoted(text, 5)) <= 5 * 10 + 3
