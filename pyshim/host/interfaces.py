# SPDX-License-Identifier: BSD-3-Clause
"""The kernel's network interfaces: what each carries in one packet, and which addresses it has."""

from __future__ import annotations

import fcntl
import socket
import struct
from collections import defaultdict
from collections.abc import Iterator
from ipaddress import ip_address
from pathlib import Path

from pyshim.host.facts import Interface
from pyshim.host.packet_sockets import gates_by_interface

_SIOCGIFFLAGS, _SIOCGIFMTU = 0x8913, 0x8921  # netdevice(7)
_IFF_UP = 0x1
# rtnetlink(7)
_RTM_NEWADDR, _RTM_GETADDR = 20, 22
_NLM_F_REQUEST, _NLM_F_DUMP = 0x001, 0x300
_NLMSG_ERROR, _NLMSG_DONE = 2, 3
_IFA_ADDRESS, _IFA_LOCAL = 1, 2
_HEADER, _ADDRESS, _ATTRIBUTE = struct.Struct("=IHHII"), struct.Struct("=BBBBI"), struct.Struct("=HH")
_TIMEOUT_S = 2.0


def gather_interfaces(root: Path = Path("/")) -> tuple[Interface, ...]:
    """Those of this process's network namespace; none of another host's tree, which has no kernel."""
    if root != Path("/"):
        return ()
    addresses, gates = _addresses(), gates_by_interface()
    found = []
    for index, name in socket.if_nameindex():
        mtu_bytes, flags = _ask(_SIOCGIFMTU, name), _ask(_SIOCGIFFLAGS, name)
        if mtu_bytes is not None and flags is not None:
            own = tuple(addresses.get(index, ()))
            up = bool(flags & _IFF_UP)
            found.append(Interface(name, mtu_bytes, own, up, tuple(sorted(gates.get(index, ())))))
    return tuple(found)


def _ask(request: int, name: str) -> int | None:
    """The number, or the flags, that an ioctl tells of an interface; None when it is gone."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        try:
            answer = fcntl.ioctl(any_socket, request, struct.pack("=16si20x", name.encode(), 0))
        except OSError:
            return None
    value: int = struct.unpack_from("=H" if request == _SIOCGIFFLAGS else "=i", answer, 16)[0]
    return value


def _addresses() -> dict[int, list[str]]:
    """The addresses of each interface, by its index; empty when the kernel does not answer."""
    found: dict[int, list[str]] = defaultdict(list)
    try:
        with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0) as kernel:
            kernel.settimeout(_TIMEOUT_S)
            request = _ADDRESS.pack(socket.AF_UNSPEC, 0, 0, 0, 0)
            size = _HEADER.size + len(request)
            kernel.send(_HEADER.pack(size, _RTM_GETADDR, _NLM_F_REQUEST | _NLM_F_DUMP, 1, 0) + request)
            for body in _answers(kernel):
                index = _ADDRESS.unpack_from(body)[4]
                found[index] += _own_addresses(body)
    except OSError:
        pass
    return found


def _answers(kernel: socket.socket) -> Iterator[bytes]:
    """Bodies of the answers to a dump, until the kernel says that it is over."""
    while True:
        data = kernel.recv(1 << 16)
        while len(data) >= _HEADER.size:
            length, kind, *_ = _HEADER.unpack_from(data)
            if kind in (_NLMSG_DONE, _NLMSG_ERROR):
                return
            if kind == _RTM_NEWADDR:
                yield data[_HEADER.size : length]
            data = data[(length + 3) & ~3 :]


def _own_addresses(body: bytes) -> list[str]:
    """The address of a message; of a point-to-point link ours, not the peer's."""
    attributes: dict[int, bytes] = {}
    at = _ADDRESS.size
    while at + _ATTRIBUTE.size <= len(body):
        length, kind = _ATTRIBUTE.unpack_from(body, at)
        attributes[kind] = body[at + _ATTRIBUTE.size : at + length]
        at += (max(length, _ATTRIBUTE.size) + 3) & ~3
    own = attributes.get(_IFA_LOCAL) or attributes.get(_IFA_ADDRESS)
    return [str(ip_address(own))] if own else []
