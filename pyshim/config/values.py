# SPDX-License-Identifier: BSD-3-Clause
"""Text values such as devices and addresses: each is checked and brought into its canonical form."""

from __future__ import annotations

import re
from ipaddress import AddressValueError, IPv4Address, IPv4Interface, IPv6Address, IPv6Interface, ip_address
from typing import NamedTuple

VDEV_NAME_CHARS_MAX = 63  # RTE_DEV_NAME_MAX_LEN is 64 with the final NUL
DEVICE_CHARS_MAX = 1024
DEVICE_IN_WORDS = "a PCI address such as 03:00.0, or a virtual device such as net_pcap0,rx_pcap=in.pcap"

_PCI = re.compile(r"(?:([0-9a-fA-F]{4,8}):)?([0-9a-fA-F]{2}:[01][0-9a-fA-F]\.[0-7])")
_PCI_LIKE = re.compile(r"[0-9a-fA-F:]+[:.][0-9a-fA-F.]+")
_VDEV = re.compile(r"(?:net|eth)_[a-z_]+[0-9]+")
_VDEV_WITHOUT_NUMBER = re.compile(r"(?:net|eth)_[a-z_]+")
_NETDEV = re.compile(r"(?:eth|en|wl|veth|br|tap|lo|bond)[a-z0-9]*")
_MAC = re.compile(r"[0-9a-fA-F]{2}(?::[0-9a-fA-F]{2}){5}")
_HOST_NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9.-]{0,252})")
_NAME = re.compile(r"[a-z][a-z0-9_-]{0,30}")
_UNIX_PATH_BYTES_MAX = 107  # sun_path is 108 with the final NUL
_FILE_PREFIX = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,31}")
_USER_NAME = re.compile(r"[a-z_][a-z0-9_-]{0,31}")


class Endpoint(NamedTuple):
    """Where a TCP server listens."""

    host: str  # an address without brackets, or a host name
    port: int  # 0: any free one

    def __str__(self) -> str:
        """As a user writes it."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


class UnixSocket(NamedTuple):
    """A socket in the file system."""

    path: str

    def __str__(self) -> str:
        """As a user writes it."""
        return f"unix:{self.path}"


def quoted(text: str, limit: int = 60) -> str:
    """`text` in double quotes on one line, whatever it contains, shortened to `limit` characters."""
    kept = text if len(text) <= limit else text[:limit] + "…"
    safe = "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in kept)
    return f'"{safe}"'


def parse_name(text: str) -> str:
    """A port's name; it becomes a metric label. Raises ValueError with a finished sentence."""
    if not _NAME.fullmatch(text):
        raise ValueError(
            f"found {quoted(text)}, allowed: 1 to 31 of a-z, 0-9, - and _, the first a letter, such as game0"
        )
    return text


def parse_file_prefix(text: str) -> str:
    """The part that DPDK's run-time file names share. Raises ValueError with a finished sentence."""
    if not _FILE_PREFIX.fullmatch(text):
        raise ValueError(
            f"found {quoted(text)}, allowed: 1 to 32 letters, digits, '.', '-' and '_', "
            "starting with a letter or digit"
        )
    return text


def parse_user_name(text: str) -> str:
    """A user as useradd(8) names one. Raises ValueError with a finished sentence."""
    if not _USER_NAME.fullmatch(text):
        raise ValueError(
            f"found {quoted(text)}, allowed: a user's name such as pollgate, of at most 32 lower-case "
            "letters, digits, '-' and '_', starting with a letter or '_'"
        )
    return text


def pci_address(device: str) -> str | None:
    """The full lower-case PCI address that `device` names, or None when it is not one."""
    match = _PCI.fullmatch(device)
    return f"{match[1] or '0000'}:{match[2]}".lower() if match else None


def parse_device(text: str) -> str:
    """A PCI address in full, or vdev arguments unchanged. Raises ValueError with a finished sentence."""
    if (address := pci_address(text)) is not None:
        return address
    found = f"found {quoted(text)}"
    name, *arguments = text.split(",")
    if _VDEV.fullmatch(name):
        if len(name) > VDEV_NAME_CHARS_MAX:
            raise ValueError(
                f"{found}: the device name has {len(name)} characters, allowed: {VDEV_NAME_CHARS_MAX}"
            )
        if len(text) > DEVICE_CHARS_MAX:
            raise ValueError(f"{found}: {len(text)} characters, allowed: {DEVICE_CHARS_MAX}")
        if not text.isprintable():
            raise ValueError(f"{found}, which contains a control character; write it on one line")
        if "" in arguments:
            raise ValueError(f"{found}, which has an empty argument; remove the comma too many")
        return text
    if _VDEV_WITHOUT_NUMBER.fullmatch(name):
        raise ValueError(f'{found}; a virtual device needs a number: did you mean "{name[:40]}0"?')
    if _NETDEV.fullmatch(text) and len(text) < 16:
        raise ValueError(
            f'{found}, a kernel interface; use "net_af_packet0,iface={text}", '
            f"or the PCI address that `ethtool -i {text}` shows as bus-info"
        )
    if _PCI_LIKE.fullmatch(text):
        raise ValueError(f"{found}; a PCI address is bus:device.function such as 03:00.0, or 0000:03:00.0")
    raise ValueError(
        f"{found}, allowed: a PCI address such as 03:00.0, "
        "or a DPDK virtual device with its arguments, such as net_pcap0,rx_pcap=in.pcap"
    )


def parse_mac(text: str) -> str:
    """A unicast MAC address in lower case. Raises ValueError with a finished sentence."""
    found = f"found {quoted(text)}"
    if not _MAC.fullmatch(text):
        raise ValueError(f"{found}, allowed: six pairs of hex digits such as 02:00:00:00:00:02")
    first = int(text[:2], 16)
    if first & 1:
        raise ValueError(
            f"{found}, a multicast address; a port needs a unicast one: make the first byte even"
        )
    if not any(int(pair, 16) for pair in text.split(":")):
        raise ValueError(f"{found}, which is no address; leave mac out to use the device's own")
    return text.lower()


def parse_address(text: str) -> IPv4Interface | IPv6Interface:
    """An address that a port can own, with its prefix. Raises ValueError with a finished sentence.

    Whether it may be a loopback or link-local one depends on the engine: see `pyshim.config.engines`.
    """
    found = f"found {quoted(text)}"
    host, slash, prefix = text.partition("/")
    try:
        address = IPv6Address(host) if ":" in host else IPv4Address(host)
    except AddressValueError:
        allowed = "an address with prefix such as 10.0.0.1/24 or fd00::1/64"
        raise ValueError(f"{found}, allowed: {allowed}") from None
    if isinstance(address, IPv6Address) and address.scope_id is not None:
        raise ValueError(f"{found}, an address with a zone; leave out the % and what follows")
    if not slash:
        example = f"{host}/{64 if address.version == 6 else 24}"
        raise ValueError(f"{found}, which has no prefix length; write for example {example}")
    bits = address.max_prefixlen
    if not (prefix.isascii() and prefix.isdecimal() and len(prefix) <= 3 and 1 <= int(prefix) <= bits):
        raise ValueError(f"{found}; the prefix length of an IPv{address.version} address is 1 to {bits}")
    if (reason := _unusable(address)) is not None:
        raise ValueError(f"{found}, {reason}; a port needs a unicast address of its own")
    if isinstance(address, IPv6Address):
        return _host_of_v6(IPv6Interface((address, int(prefix))), found)
    return _host_of_v4(IPv4Interface((address, int(prefix))), found)


def _unusable(address: IPv4Address | IPv6Address) -> str | None:
    """Why no port may own this address, or None."""
    reasons = (
        (address.is_unspecified, "the unspecified address"),
        (address.is_multicast, "a multicast address"),
        (address == IPv4Address("255.255.255.255"), "the broadcast address"),
    )
    for applies, reason in reasons:
        if applies:
            return reason
    if isinstance(address, IPv4Address):
        if address.is_reserved or address.packed[0] == 0:
            return "a reserved address"
    elif address.ipv4_mapped is not None:
        return "an IPv4 address written as IPv6"
    return None


def _host_of_v4(interface: IPv4Interface, found: str) -> IPv4Interface:
    network = interface.network
    if network.prefixlen < 31:
        if interface.ip == network.network_address:
            raise ValueError(f"{found}, the network address of {network}; use a host address inside it")
        if interface.ip == network.broadcast_address:
            raise ValueError(f"{found}, the broadcast address of {network}; use a host address inside it")
    return interface


def _host_of_v6(interface: IPv6Interface, found: str) -> IPv6Interface:
    network = interface.network
    if network.prefixlen < 127 and interface.ip == network.network_address:  # RFC 4291 2.6.1
        what = f"the subnet-router anycast address of {network}"
        raise ValueError(f"{found}, {what}; use a host address inside it")
    return interface


def parse_endpoint(text: str, *, lowest: int = 0, allowed: str = "127.0.0.1:9464, or null") -> Endpoint:
    """`host:port` or `[v6]:port`, by default to listen on. Raises ValueError with a finished sentence.

    Args:
        text: what a user wrote.
        lowest: port that is allowed.
        allowed: an example, for the sentence.
    """
    found = f"found {quoted(text)}"
    host, colon, port = text.rpartition(":")
    if not (
        colon and port.isascii() and port.isdecimal() and len(port) <= 5 and lowest <= int(port) <= 65535
    ):
        raise ValueError(f"{found}, allowed: host:port with port {lowest} to 65535, such as {allowed}")
    if host.startswith("[") and host.endswith("]"):
        try:
            return Endpoint(str(IPv6Address(host[1:-1])), int(port))
        except AddressValueError:
            raise ValueError(
                f'{found}; between [ and ] goes an IPv6 address, such as "[::1]:{port}"'
            ) from None
    if ":" in host:
        raise ValueError(f'{found}; put an IPv6 address in brackets and quotes, such as "[::1]:{port}"')
    if not host:
        everywhere = "" if lowest else f'; write "0.0.0.0:{port}" to listen on every address'
        raise ValueError(f"{found}, which has no host{everywhere}")
    if not _HOST_NAME.fullmatch(host):
        raise ValueError(f"{found}; before the colon goes an IPv4 address, [IPv6 address] or host name")
    if re.fullmatch(r"[0-9.]+", host):
        try:
            IPv4Address(host)
        except AddressValueError:
            raise ValueError(f"{found}; {host} is not an IPv4 address") from None
    return Endpoint(host, int(port))


def parse_control_address(text: str) -> Endpoint | UnixSocket:
    """`unix:/path`, or where to listen with TCP. Raises ValueError with a finished sentence."""
    scheme, colon, path = text.partition(":")
    if scheme != "unix" or not colon:
        return parse_endpoint(text, allowed="127.0.0.1:9465, or unix:/path, or null")
    found = f"found {quoted(text)}"
    if not path or "\0" in path or path.endswith("/"):
        raise ValueError(
            f"{found}; after unix: goes the name of a file, such as unix:/run/pollgate/control.sock"
        )
    if (size := len(path.encode())) > _UNIX_PATH_BYTES_MAX:
        raise ValueError(
            f"{found}: a path of {size} bytes; the kernel takes {_UNIX_PATH_BYTES_MAX} for a socket"
        )
    return UnixSocket(path)


def parse_gateway_address(text: str) -> Endpoint:
    """`host:port` that players can send to. Raises ValueError with a finished sentence."""
    endpoint = parse_endpoint(text, lowest=1, allowed="game.example.org:8080, or null")
    if endpoint.host in ("0.0.0.0", "::"):
        raise ValueError(f"found {quoted(text)}, which is every address; name the one that players reach")
    return endpoint


def parse_server_address(text: str) -> Endpoint:
    """`address:port` of a gateway. Raises ValueError with a finished sentence."""
    endpoint = parse_endpoint(text, lowest=1, allowed="203.0.113.9:8082")
    try:
        address = ip_address(endpoint.host)
    except ValueError:
        raise ValueError(
            f"found {quoted(text)}; a connect token has addresses and no names: write an address such as "
            "203.0.113.9:8082"
        ) from None
    if address.is_unspecified:
        raise ValueError(f"found {quoted(text)}, which is every address; name the one that clients reach")
    return Endpoint(str(address), endpoint.port)


def parse_file_name(text: str) -> str:
    """The name of a file. Raises ValueError with a finished sentence."""
    if not text or "\0" in text:
        raise ValueError(f"found {quoted(text)}, allowed: a file name")
    return text


def is_loopback(endpoint: Endpoint) -> bool:
    """Whether only this host can reach the endpoint; of host names, only localhost counts as such."""
    try:
        return ip_address(endpoint.host).is_loopback
    except ValueError:
        return endpoint.host == "localhost"
