# SPDX-License-Identifier: BSD-3-Clause
"""Private network namespaces, held by a file descriptor: they are gone with this process, however it ends.

with Wire() as wire:
    wire.players.run("ping", "-c", "1", GATE4)
    player = wire.players.call(lambda: socket.socket(AF_INET, SOCK_DGRAM))
"""

from __future__ import annotations

import os
import shutil
import subprocess
import threading
from collections.abc import Callable
from types import TracebackType
from typing import Self, TypeVar

from pyshim.system.namespaces import CLONE_NEWNET, setns, unshare, with_mount

T = TypeVar("T")

TOOLS = ("ip", "nsenter", "unshare", "ethtool", "sysctl", "ping", "arping", "iptables", "ip6tables")

GATE_INTERFACE = "gate0"
GATE4, GATE6 = "10.0.0.1", "fd00::1"
GATE_MAC = "02:00:00:00:00:02"
PLAYERS_INTERFACE = "players0"
PLAYERS4, PLAYERS6 = "10.0.0.2", "fd00::2"
PLAYERS_MAC = "02:00:00:00:00:01"


def why_not() -> str | None:
    """Why these tests cannot run here, or None when they can."""
    if os.geteuid() != 0:
        return "not root: namespaces and packet sockets need it"
    missing = [tool for tool in TOOLS if shutil.which(tool) is None]
    if missing:
        return f"not installed: {', '.join(missing)}; scripts/setup --test installs them"
    try:
        with Namespace() as probe:
            probe.run("ip", "link", "add", "a0", "type", "veth", "peer", "name", "b0")
    except (OSError, AssertionError) as problem:
        return f"no network namespace with a veth pair can be made here: {problem}"
    return None


class Namespace:
    """One network namespace, with its loopback interface up; a context manager."""

    def __init__(self) -> None:
        self._fd = _in_thread(_new_namespace)
        self.path = f"/proc/{os.getpid()}/fd/{self._fd}"
        self.run("ip", "link", "set", "lo", "up")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Let it go: the kernel removes it, interfaces and all, when nothing is left inside."""
        os.close(self._fd)

    @property
    def prefix(self) -> tuple[str, ...]:
        """Put before a command, this runs it inside, with the /sys of the inside."""
        # /sys shows the interfaces of the namespace that mounted it.
        return ("nsenter", f"--net={self.path}", *with_mount("/sys", "mount -t sysfs sysfs /sys"))

    def call(self, what: Callable[[], T]) -> T:
        """Call a function in a thread that has entered. A socket made there stays there, whoever uses it."""

        def inside() -> T:
            setns(self._fd, CLONE_NEWNET)
            return what()

        return _in_thread(inside)

    def attempt(self, *command: str, timeout_s: float = 30.0) -> subprocess.CompletedProcess[str]:
        """Run a command inside, whatever comes of it."""
        return subprocess.run(
            ("nsenter", f"--net={self.path}", *command),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=timeout_s,
            check=False,
        )

    def run(self, *command: str, timeout_s: float = 30.0) -> str:
        """Run a command inside that must succeed; returns its standard output."""
        done = self.attempt(*command, timeout_s=timeout_s)
        assert done.returncode == 0, f"{' '.join(command)}: {done.returncode}\n{done.stdout}{done.stderr}"
        return done.stdout


class Wire:
    """A veth pair between two namespaces: one end is for pollgate, the other one has players' addresses."""

    def __init__(self) -> None:
        self.served = False  # by an appliance that takes the frames themselves
        self.gate = Namespace()
        self.players = Namespace()
        try:
            self._lay()
        except BaseException:
            self.close()
            raise

    def _lay(self) -> None:
        # The kernel behind pollgate's end stays out of the conversation; the players' kernel says no more
        # than it must: no link-local address, and so no router solicitation.
        self.gate.run("sysctl", "-qw", "net.ipv6.conf.default.disable_ipv6=1")
        self.players.run("sysctl", "-qw", "net.ipv6.conf.default.addr_gen_mode=1")
        self.gate.run(
            *("ip", "link", "add", GATE_INTERFACE, "address", GATE_MAC, "type", "veth"),
            *("peer", "name", PLAYERS_INTERFACE, "address", PLAYERS_MAC, "netns", self.players.path),
        )
        # The kernel leaves UDP checksums to the card that sends, and a veth has none.
        self.players.run("ethtool", "-K", PLAYERS_INTERFACE, "tx", "off")
        for address in (f"{PLAYERS4}/24", f"{PLAYERS6}/64"):
            self.add_address(address, "nodad")
        self.gate.run("ip", "link", "set", GATE_INTERFACE, "up")
        self.players.run("ip", "link", "set", PLAYERS_INTERFACE, "up")

    def give_to_kernel(self, *addresses: str) -> None:
        """Give pollgate's end addresses: for engines that leave ARP, and all below UDP, to the kernel."""
        self.gate.run("sysctl", "-qw", f"net.ipv6.conf.{GATE_INTERFACE}.disable_ipv6=0")
        for address in addresses:
            nodad = ("nodad",) if ":" in address else ()
            self.gate.run("ip", "address", "add", address, "dev", GATE_INTERFACE, *nodad)

    def add_address(self, address: str, *flags: str) -> None:
        """Give the players' interface one more address."""
        self.players.run("ip", "address", "add", address, "dev", PLAYERS_INTERFACE, *flags)

    def raise_players(self) -> None:
        """Bring the players' end up again, which lost its IPv6 addresses when it went down."""
        self.players.run("ip", "link", "set", PLAYERS_INTERFACE, "up")
        self.players.run("ip", "address", "replace", f"{PLAYERS6}/64", "dev", PLAYERS_INTERFACE, "nodad")

    def cut(self) -> None:
        """Delete the pair; `lay_again` makes another one, of the same names."""
        self.gate.run("ip", "link", "delete", GATE_INTERFACE)

    def lay_again(self) -> None:
        """Make the pair that was deleted anew."""
        self._lay()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Let both namespaces go."""
        self.players.close()
        self.gate.close()


def _new_namespace() -> int:
    unshare(CLONE_NEWNET)
    return os.open("/proc/thread-self/ns/net", os.O_RDONLY)


def _in_thread(what: Callable[[], T]) -> T:
    """Call in a thread of its own: which namespace a thread is in ends with it."""
    results: list[T] = []
    errors: list[BaseException] = []

    def body() -> None:
        try:
            results.append(what())
        except BaseException as error:
            errors.append(error)

    thread = threading.Thread(target=body)
    thread.start()
    thread.join()
    if errors:
        raise errors[0]
    return results[0]
