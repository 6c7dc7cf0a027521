# SPDX-License-Identifier: BSD-3-Clause
"""A network of the benchmark's own: a generator's and a server's interface, joined by a virtual cable.

Nothing of the host is touched: the interfaces live in a network namespace that ends with the `with` block,
or with the process. The calling thread enters nothing else. /sys shows the interfaces of the network that
mounted it, so each process that looks there gets a mount namespace of its own; a thread that left one again
would be at its root, and out of any chroot that it was in.

Who pays for the kernel's work? A virtual cable has no card that would interrupt the receiver: the CPU that
sends a packet also carries it into the other end's socket or ring. So each side's core does the other one's
receive work in place of its own, which is of about the same size. Receive packet steering gives each core its
own instead, at the price of an interrupt between the CPUs for nearly every packet; in a virtual machine that
costs more than the packet, and would be measured in its place.
"""

from __future__ import annotations

import ctypes
import fcntl
import os
import shutil
import socket
import struct
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from ipaddress import IPv4Address, IPv4Interface
from pathlib import Path

from pyshim.errors import UnavailableError
from pyshim.system.namespaces import CLONE_NEWNET, setns, unshare, with_mount

SERVER_INTERFACE = "server0"
SERVER_MAC = "02:00:00:00:00:02"
SERVER_ADDRESS = IPv4Interface("10.0.0.1/16")

GENERATOR_INTERFACE = "generator0"
GENERATOR_MAC = "02:00:00:00:00:01"
GENERATOR_ADDRESS = IPv4Interface("10.0.0.2/16")  # of the players; their kernel does not know it

_TOOLS = {"ip": "iproute2", "unshare": "util-linux", "mount": "mount"}

# Runs what follows it with the /sys of the network that it is started in.
_OWN_SYS = with_mount("/sys", "mount -t sysfs sysfs /sys")

_SIOCETHTOOL = 0x8946
_ETHTOOL_STXCSUM = 0x17


class PrivateNetwork:
    """The cable and its ends, while the `with` block of `private_network` lasts."""

    inside = _OWN_SYS  # put before a command, it runs inside and sees what is there

    def __init__(self, steer_to: tuple[int, int] | None) -> None:
        """Lay the cable in the network namespace of the calling thread; see `private_network`."""
        _check_own_sys()
        # Without this the kernel's ends talk of their own accord: router solicitations, neighbour discovery.
        Path("/proc/sys/net/ipv6/conf/default/disable_ipv6").write_text("1")
        _ip("link", "set", "lo", "up")
        _ip(
            *("link", "add", SERVER_INTERFACE, "address", SERVER_MAC, "type", "veth"),
            *("peer", "name", GENERATOR_INTERFACE, "address", GENERATOR_MAC),
        )
        for index, interface in enumerate((SERVER_INTERFACE, GENERATOR_INTERFACE)):
            _leave_checksums_to_software(interface)
            if steer_to is not None:
                _steer_receiving(interface, steer_to[index])
            _ip("link", "set", interface, "up")

    @contextmanager
    def server_address(self) -> Iterator[IPv4Address]:
        """The server's end has its IP address, so that the kernel's own sockets serve there.

        The players are a known neighbour: nobody waits for ARP.
        """
        with _address(SERVER_INTERFACE, SERVER_ADDRESS, GENERATOR_ADDRESS.ip, GENERATOR_MAC):
            yield SERVER_ADDRESS.ip

    @contextmanager
    def generator_address(self) -> Iterator[IPv4Address]:
        """Likewise the other end, for a player on a socket of the kernel; the server is a known neighbour."""
        with _address(GENERATOR_INTERFACE, GENERATOR_ADDRESS, SERVER_ADDRESS.ip, SERVER_MAC):
            yield GENERATOR_ADDRESS.ip


@contextmanager
def private_network(steer_to: tuple[int, int] | None = None) -> Iterator[PrivateNetwork]:
    """Enter a new network namespace with the calling thread; it is back when the block ends.

    Processes that the thread starts meanwhile are in that network, too. Those that look for interfaces in
    /sys are to be started with `PrivateNetwork.inside` before their command.

    Args:
        steer_to: CPUs on which the server's and the generator's end receive; None: where the other end sends.

    Raises:
        UnavailableError: this process may not, or the kernel or iproute2 lacks something.
    """
    if os.geteuid() != 0:
        raise UnavailableError(
            "this benchmark makes a network namespace with a virtual cable, which needs root; use sudo"
        )
    for tool, package in _TOOLS.items():
        if shutil.which(tool) is None:
            raise UnavailableError(
                f"the command {tool} is not installed; on Debian: apt-get install {package}"
            )
    with _own_network():
        yield PrivateNetwork(steer_to)


@contextmanager
def _own_network() -> Iterator[None]:
    before = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    try:
        try:
            unshare(CLONE_NEWNET)
        except OSError as problem:
            raise UnavailableError(
                f"a network namespace cannot be made here ({problem.strerror}); run the benchmark as root, "
                "in a container with --cap-add SYS_ADMIN --cap-add NET_ADMIN"
            ) from problem
        try:
            yield
        finally:
            setns(before, CLONE_NEWNET)
    finally:
        os.close(before)


def _run(*command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=30, check=False
    )


def _check_own_sys() -> None:
    """Whether a process can have the /sys of this network."""
    done = _run(*_OWN_SYS, "sh", "-c", ":")
    if done.returncode != 0:
        raise UnavailableError(
            f"/sys cannot be mounted for the benchmark ({done.stderr.strip() or 'it says nothing'}); run it "
            "as root, outside a container"
        )


def _steer_receiving(interface: str, cpu: int) -> None:
    """Have what an interface receives handled on one CPU.

    Raises:
        UnavailableError: this kernel has no receive packet steering.
    """
    where = f"/sys/class/net/{interface}/queues/rx-0/rps_cpus"
    done = _run(*_OWN_SYS, "sh", "-c", f"echo {_mask(cpu)} >{where}")
    if done.returncode != 0:
        raise UnavailableError(
            f"the kernel cannot steer the packets of {interface} to CPU {cpu} ({done.stderr.strip()}); "
            "that takes CONFIG_RPS: leave out --steer"
        )


def _mask(cpu: int) -> str:
    """A CPU as /sys writes it: words of 32 bits in hexadecimal, the highest first."""
    words = [1 << cpu % 32, *[0] * (cpu // 32)]
    return ",".join(f"{word:08x}" for word in words)


def _leave_checksums_to_software(interface: str) -> None:
    """A card computes checksums while it sends; a virtual cable does not, and what arrives would be wrong."""
    value = ctypes.create_string_buffer(struct.pack("=II", _ETHTOOL_STXCSUM, 0))
    request = struct.pack("16sP8x", interface.encode(), ctypes.addressof(value))
    try:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
            fcntl.ioctl(any_socket.fileno(), _SIOCETHTOOL, request)
    except OSError as problem:
        raise UnavailableError(f"{interface} does not turn checksums off: {problem.strerror}") from problem


@contextmanager
def _address(interface: str, address: IPv4Interface, neighbour: IPv4Address, mac: str) -> Iterator[None]:
    _ip("address", "add", str(address), "dev", interface)
    _ip(*("neighbour", "replace", str(neighbour), "lladdr", mac, "dev", interface, "nud", "permanent"))
    try:
        yield
    finally:
        _ip("address", "flush", "dev", interface)


def _ip(*words: str) -> None:
    done = _run("ip", *words)
    if done.returncode != 0:
        raise UnavailableError(
            f"`ip {' '.join(words)}` failed: {done.stderr.strip() or 'it says nothing'}; the kernel needs "
            "IPv4 and veth interfaces"
        )
