# SPDX-License-Identifier: BSD-3-Clause
"""Keys that the engine has no use for: they are refused, not ignored.

Works on unvalidated data and skips what it cannot read, so that all errors are reported at once.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import IPv4Interface, IPv6Interface, IPv6Network
from typing import Literal, get_args

from pyshim.config import values
from pyshim.config.clashes import Path, get, items
from pyshim.settings import in_section

EngineName = Literal["dpdk", "io_uring", "epoll"]  # those of dpdk_app/include/engines.def; there is no other

SOCKETS_PER_WORKER_MAX = 64  # what a worker of the data plane has room for

_LISTENERS_BY_DEFAULT = 1
_SOCKET_DEFAULTS = {one.name: one.default for one in in_section("sockets")}
_DEVICE_SETTINGS = ("mac", "promiscuous", "checksums", *(one.name for one in in_section("ports")))
_EAL_SETTINGS = ("memory_mib", "file_prefix", "in_memory")
_HOST_SETTINGS = tuple(one.name for one in in_section("host"))
# To bind such an address, the kernel needs an interface. `is_link_local` would include 169.254.0.0/16.
_LINK_LOCAL = IPv6Network("fe80::/10")


@dataclass(frozen=True, slots=True)
class Incompatibility:
    """A key that the engine has no use for, or a missing key that it needs."""

    path: Path
    text: str
    missing: bool = False  # the engine needs it, and it is not there


def find_incompatibilities(config: object) -> list[Incompatibility]:
    """All such keys in a configuration of plain dicts and lists, which has only the written keys.

    When the engine is unknown, none is reported: the user may mean any engine.
    """
    engine = "dpdk" if not isinstance(config, dict) else config.get("engine", "dpdk")
    if engine not in get_args(EngineName):
        return []
    found = _with_dpdk(config) if engine == "dpdk" else _with_sockets(config, engine)
    return list(found)


def _with_dpdk(config: object) -> Iterator[Incompatibility]:
    for port, path in items(get(config, "ports"), ("ports",)):
        if isinstance(port, dict) and "device" not in port:
            yield Incompatibility((*path, "device"), f"missing; write {values.DEVICE_IN_WORDS}", missing=True)
        for written, address, at in _addresses(port, path):
            if address.is_loopback:
                text = f"found {values.quoted(written)}, a loopback address"
                yield Incompatibility(at, f"{text}; a port needs a unicast address of its own")
    sockets = get(config, "sockets")
    for key, default in _SOCKET_DEFAULTS.items():
        if isinstance(sockets, dict) and sockets.get(key, default) != default:
            text = "engine dpdk receives from devices and opens no socket"
            yield Incompatibility(("sockets", key), f"{text}; remove it, or use engine: io_uring or epoll")


def _with_sockets(config: object, engine: str) -> Iterator[Incompatibility]:
    instead = "or use engine: dpdk"
    for key in _written(get(config, "eal"), _EAL_SETTINGS):
        text = f"engine {engine} runs without DPDK, whose setting this is; remove it, {instead}"
        yield Incompatibility(("eal", key), text)
    for port, path in items(get(config, "ports"), ("ports",)):
        yield from _device_settings(port, path, engine, instead)
        for _, address, at in _addresses(port, path):
            if isinstance(address, IPv6Interface) and address.ip in _LINK_LOCAL:
                text = (
                    f"{address.ip} is a link-local address, which engine {engine} cannot open without an "
                    f"interface; use a global or unique local one such as fd00::1/64, {instead}"
                )
                yield Incompatibility(at, text)
    for key in _written(get(config, "host"), _HOST_SETTINGS):
        text = (
            f"with engine {engine} the kernel answers ARP, neighbour discovery and ping; remove it, {instead}"
        )
        yield Incompatibility(("host", key), text)
    if engine == "epoll":
        yield from _with_epoll(config)
    yield from _too_many_sockets(config, engine)


def _device_settings(port: object, path: Path, engine: str, instead: str) -> Iterator[Incompatibility]:
    """A port's keys that only a device can obey."""
    receives = f"engine {engine} receives through the kernel's sockets"
    for key in _written(port, ("device",)):
        yield Incompatibility((*path, key), f"{receives} and takes no device; remove it, {instead}")
    for key in _written(port, _DEVICE_SETTINGS):
        text = f"{receives}, which have no such setting; remove it, {instead}"
        yield Incompatibility((*path, key), text)
    if get(port, "queues") not in (None, "auto"):
        text = f"engine {engine} gives every worker sockets of its own"
        yield Incompatibility((*path, "queues"), f"{text}; remove it and list workers.cpus, {instead}")


def _with_epoll(config: object) -> Iterator[Incompatibility]:
    """Keys that only engine io_uring can obey."""
    if get(get(config, "eal"), "huge_pages") is True:
        text = "engine epoll has no packet buffers to put in huge pages"
        yield Incompatibility(("eal", "huge_pages"), f"{text}; remove it, or use engine: io_uring")
    sockets = get(config, "sockets")
    if isinstance(sockets, dict) and sockets.get("zero_copy_bytes", 0) != 0:
        text = "engine epoll sends every answer as a copy"
        yield Incompatibility(("sockets", "zero_copy_bytes"), f"{text}; remove it, or use engine: io_uring")


def _too_many_sockets(config: object, engine: str) -> Iterator[Incompatibility]:
    """Whether a worker has room for its sockets: one for each pair of an address and a UDP port."""
    ports = items(get(config, "ports"), ("ports",))
    addresses = sum(len(list(items(get(port, "address"), path))) for port, path in ports)
    listen = get(config, "listen")
    listeners = _LISTENERS_BY_DEFAULT if listen is None else len(list(items(listen, ("listen",))))
    sockets = addresses * listeners
    if sockets > SOCKETS_PER_WORKER_MAX:
        # Both numbers are above 1: there are at most 64 addresses (8 ports with 8 each) and 16 UDP ports.
        text = (
            f"{addresses} addresses with {listeners} UDP ports each are {sockets} sockets for every worker "
            f"of engine {engine}, which can have {SOCKETS_PER_WORKER_MAX}; remove addresses or UDP ports"
        )
        yield Incompatibility(("ports",), text)


def _written(section: object, keys: tuple[str, ...]) -> Iterator[str]:
    """The keys that have a value; null counts as absent."""
    return (key for key in keys if get(section, key) is not None)


def _addresses(port: object, path: Path) -> Iterator[tuple[str, IPv4Interface | IPv6Interface, Path]]:
    """The valid addresses of a port: each as written, as a value, and with its path."""
    for written, at in items(get(port, "address"), (*path, "address")):
        if isinstance(written, str):
            try:
                yield written, values.parse_address(written), at
            except ValueError:
                continue
