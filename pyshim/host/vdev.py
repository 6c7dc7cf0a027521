# SPDX-License-Identifier: BSD-3-Clause
"""DPDK's text for a virtual device, taken apart, and the files and interfaces of the host that it names."""

from __future__ import annotations

import os
import re
import socket
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from pyshim.host.capture import inspect_capture
from pyshim.host.facts import Capture, Vdev
from pyshim.host.named_files import output_problems, socket_problems
from pyshim.host.pmd import virtual_driver
from pyshim.system.regular_file import kind_of

_INTERFACE_KEYS = {
    "net_af_packet": ("iface",),
    "net_af_xdp": ("iface",),
    "net_pcap": ("iface", "rx_iface", "rx_iface_in", "tx_iface"),
    "net_tap": ("remote",),
}


@dataclass(frozen=True, slots=True)
class VdevArgs:
    """`net_pcap0,rx_pcap=a.pcap,rx_pcap=b.pcap` in parts; a key may be given more than once."""

    name: str  # net_pcap0
    kind: str  # net_pcap: the name without its number, eth_ written net_
    args: tuple[tuple[str, str], ...]

    def values(self, key: str) -> tuple[str, ...]:
        """Every value of a key, in order."""
        return tuple(value for name, value in self.args if name == key)

    def number(self, key: str, default: int) -> int:
        """The last value of a key as a number; `default` when there is none or it is not one."""
        values = self.values(key)
        return int(values[-1]) if values and values[-1].isdecimal() else default

    @property
    def interfaces(self) -> tuple[str, ...]:
        """Interfaces of the kernel that it is made of."""
        return tuple(value for key in _INTERFACE_KEYS.get(self.kind, ()) for value in self.values(key))

    @property
    def serves_memif(self) -> bool:
        """Whether it makes the socket that the other end of a memif connects to."""
        return self.kind == "net_memif" and self.values("role")[-1:] in (("server",), ("master",))

    @property
    def infinite_rx(self) -> bool:
        """net_pcap keeps the captures in memory and replays them for ever."""
        return self.kind == "net_pcap" and bool(self.values("rx_pcap")) and self.number("infinite_rx", 0) > 0


def parse_vdev(device: str) -> VdevArgs:
    """Take a `--vdev` argument apart. Never fails: what DPDK would refuse is for DPDK to say."""
    # A comma inside brackets belongs to a list.
    name, *rest = re.split(r",(?![^\[]*\])", device)
    pairs = (part.partition("=") for part in rest if part.strip())
    kind = re.sub(r"^eth_", "net_", name.strip()).rstrip("0123456789")
    return VdevArgs(name.strip(), kind, tuple((key.strip(), value.strip()) for key, _, value in pairs))


def gather_vdevs(
    devices: Iterable[str], pmd_directory: Path | None, root: Path = Path("/")
) -> tuple[Vdev, ...]:
    """The facts of each; a file that one writes and any of them uses too is a problem of the writer."""
    each = list(devices)
    return tuple(
        replace(facts, problems=(*facts.problems, *_shared_files(each, index)))
        for index, facts in enumerate(gather_vdev(device, pmd_directory, root) for device in each)
    )


def _shared_files(devices: Sequence[str], writer: int) -> Iterator[str]:
    vdevs = [parse_vdev(device) for device in devices]
    for number, out in enumerate(vdevs[writer].values("tx_pcap")):
        for vdev in vdevs:
            for name in vdev.values("rx_pcap"):
                if _is_same_file(Path(out), Path(name)):
                    yield f"tx_pcap={out} is the file that {vdev.name} reads; name another one"
        before = [(vdev, vdev.values("tx_pcap")) for vdev in vdevs[:writer]]
        before.append((vdevs[writer], vdevs[writer].values("tx_pcap")[:number]))
        for vdev, names in before:
            if any(_is_same_file(Path(out), Path(name)) for name in names):
                yield f"tx_pcap={out} is written by {vdev.name} too; name another file"


def _is_same_file(one: Path, other: Path) -> bool:
    """Whether writing one destroys the other, whatever their names; /dev/null has nothing to lose."""
    try:
        if kind_of(one) and kind_of(other):
            return kind_of(one) == "a file" and one.samefile(other)
        return os.path.realpath(one) == os.path.realpath(other)
    except OSError:
        return False  # that is a problem of its own


def gather_vdev(device: str, pmd_directory: Path | None, root: Path = Path("/")) -> Vdev:
    """Look at the driver, the files and the interfaces that a virtual device needs.

    Capture files are looked up as DPDK will: relative to the working directory.
    """
    vdev = parse_vdev(device)
    presence = virtual_driver(vdev.name, pmd_directory)
    return Vdev(
        device=device,
        driver_installed=presence.installed,
        driver_hint=presence.hint,
        captures=tuple(_captures(vdev)),
        problems=tuple(_problems(vdev, root)),
    )


def _captures(vdev: VdevArgs) -> Iterator[Capture]:
    for path in vdev.values("rx_pcap"):
        yield inspect_capture(Path(path), endless=vdev.infinite_rx)


def _interfaces(root: Path) -> list[str]:
    # /sys belongs to the network namespace that mounted it, which need not be the one of this process.
    if root == Path("/"):
        return sorted(name for _, name in socket.if_nameindex())
    return sorted(path.name for path in (root / "sys/class/net").glob("*"))


def _problems(vdev: VdevArgs, root: Path) -> Iterator[str]:
    for name in vdev.values("tx_pcap"):
        yield from output_problems("tx_pcap", Path(name))
    if vdev.kind == "net_memif":
        yield from _memif_problems(vdev)
    for key in _INTERFACE_KEYS.get(vdev.kind, ()):
        for interface in vdev.values(key):
            present = _interfaces(root)
            if interface not in present:
                yield f"{key}={interface}: no such interface; this host has {', '.join(present) or 'none'}"
    if vdev.kind == "net_tap" and not (root / "dev/net/tun").exists():
        yield "net_tap needs /dev/net/tun, which is missing; modprobe tun, or give it to the container"
    if vdev.kind == "net_virtio_user":
        yield from _virtio_user_problems(vdev, root)
    if vdev.kind == "net_vhost":
        yield from _directory_problems("iface", vdev.values("iface"), root)


def _virtio_user_problems(vdev: VdevArgs, root: Path) -> Iterator[str]:
    """What its other end is made of: a device of the kernel, or the socket of another program."""
    paths = vdev.values("path")
    if not paths:
        yield "net_virtio_user needs its other end; add path=/dev/vhost-net or path=SOCKET"
    elif vdev.number("server", 0):
        yield from _directory_problems("path", paths, root)
    elif (root / paths[-1].lstrip("/")).exists():
        return
    elif paths[-1] == "/dev/vhost-net":
        yield "path=/dev/vhost-net is missing; run: modprobe vhost-net, or give it to the container"
    else:
        yield f"path={paths[-1]} does not exist; start the program that serves it first, or add server=1"


def _memif_problems(vdev: VdevArgs) -> Iterator[str]:
    """What is where its socket would be; the driver only says that its address is in use."""
    if vdev.values("socket-abstract")[-1:] == ("no",):
        for name in vdev.values("socket")[-1:]:
            yield from socket_problems("socket", Path(name), serves=vdev.serves_memif)


def _directory_problems(key: str, paths: Iterable[str], root: Path) -> Iterator[str]:
    for path in map(Path, paths):
        if not (root / str(path.parent).lstrip("/")).is_dir():
            yield f"{key}={path} cannot be made: {path.parent} is not a directory; create it"
