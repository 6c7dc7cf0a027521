# SPDX-License-Identifier: BSD-3-Clause
"""A running virtual machine with an emulated card, the other end of whose wire is a namespace of players.

with Guest(Machine("e1000e"), directory) as guest:
    guest.run("dpdk-devbind.py", "--status")
    guest.wire.players.run("ping", "-c", "1", GATE4)
"""

from __future__ import annotations

import contextlib
import json
import os
import socket
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from tests.network.namespace import PLAYERS4, PLAYERS6, PLAYERS_INTERFACE, PLAYERS_MAC, Wire
from tests.network.tagged import IFF_VNET_HDR, open_tap
from tests.vm import agent, image, remote
from tests.vm.package import package_disk

IFF_MULTI_QUEUE = 0x0100  # of a tap
MANAGEMENT_INTERFACE, MANAGEMENT4 = "manage0", "192.168.77.1"

# Where the card under test is: in a slot of its own, out of which it can be pulled.
CARD, SLOT = "0000:01:00.0", 0x2
CARD_MAC = "02:00:00:00:00:02"
BOOT_TIMEOUT_S = 300.0  # a bound for busy machines: 15 s are usual
COMMAND_TIMEOUT_S = 120.0


@dataclass(frozen=True, slots=True)
class Machine:
    """What is asked of qemu."""

    card: str  # what qemu calls it, with its properties
    kernel_driver: str | None  # whose it is at first; None: nobody's
    iommu: bool = True
    queues: int = 1  # of the wire
    # Whether the wire takes frames whose checksum is still to be completed: only then virtio-net offers
    # offloads, and the players' kernel believes the checksum. Otherwise qemu computes what a card promises.
    unfinished: bool = False
    cpus: int = 2
    memory_mib: int = 1024
    huge_pages: int = 128  # of 2 MiB
    qemu_version: int = 0  # or newer
    own_fault: str | None = None  # a refused access that qemu's model of the card makes by itself

    def arguments(self, guest: image.Guest, package: Path, wire: TapWire, directory: Path) -> tuple[str, ...]:
        """qemu's command line."""
        # no_timer_check: on a busy host the timer ticks too seldom for the kernel's patience, and it panics.
        kernel = ["console=ttyS0", "panic=-1", "mitigations=off", "no_timer_check"]
        kernel.append(f"hugepages={self.huge_pages}")
        devices = ["-machine", "q35,kernel-irqchip=split", "-accel", "tcg,thread=multi", "-cpu", "max"]
        if self.iommu:
            kernel.append("intel_iommu=on")
            devices += ["-device", "intel-iommu,intremap=on"]
        for letter, file in (("a", guest.root), ("b", package)):
            # What the guest writes is gone with it.
            devices += ["-drive", f"if=none,id=vd{letter},file={file},format=raw,snapshot=on"]
            devices += ["-device", f"virtio-blk-pci,drive=vd{letter},addr={0x1B + ord(letter) - ord('a'):#x}"]
        fds = ":".join(map(str, wire.taps))
        plural = "fds" if len(wire.taps) > 1 else "fd"
        return (
            *devices,
            *("-smp", str(self.cpus), "-m", str(self.memory_mib)),
            *("-kernel", str(guest.kernel), "-initrd", str(guest.initrd), "-append", " ".join(kernel)),
            *("-netdev", f"tap,id=wire,{plural}={fds}"),
            *("-device", f"pcie-root-port,id=bay,chassis=1,addr={SLOT:#x}"),
            *("-device", f"{self.card},id=card,bus=bay,netdev=wire,mac={CARD_MAC}"),
            *("-netdev", f"tap,id=manage,fd={wire.management}"),
            *("-device", f"virtio-net-pci,netdev=manage,mac={agent.MAC},addr=0x1a"),
            *("-nodefaults", "-no-user-config", "-display", "none", "-no-reboot"),
            *("-serial", f"file:{directory / 'console'}"),
            *("-qmp", f"unix:{directory / 'qmp'},server=on,wait=off"),
        )


class TapWire(Wire):
    """The players' end of the card's wire is a tap; the gate's namespace is where the guest is reached."""

    def __init__(self, machine: Machine) -> None:
        self._machine = machine
        self.taps: list[int] = []
        self.management = -1
        super().__init__()

    def _lay(self) -> None:
        queues = self._machine.queues
        flags = (IFF_VNET_HDR if self._machine.unfinished else 0) | (IFF_MULTI_QUEUE if queues > 1 else 0)
        for _ in range(queues):
            self.taps.append(self.players.call(lambda: open_tap(PLAYERS_INTERFACE, flags)))
        self.management = self.gate.call(lambda: open_tap(MANAGEMENT_INTERFACE))
        self.players.run("sysctl", "-qw", "net.ipv6.conf.all.addr_gen_mode=1")
        self.players.run("sysctl", "-qw", f"net.ipv6.conf.{PLAYERS_INTERFACE}.addr_gen_mode=1")
        self.players.run("ip", "link", "set", PLAYERS_INTERFACE, "address", PLAYERS_MAC)
        # Frames carry their checksums, as they would on a cable.
        self.players.run("ethtool", "-K", PLAYERS_INTERFACE, "tx", "off")
        for address in (f"{PLAYERS4}/24", f"{PLAYERS6}/64"):
            self.add_address(address, "nodad")
        self.players.run("ip", "link", "set", PLAYERS_INTERFACE, "up")
        self.gate.run("ip", "address", "add", f"{MANAGEMENT4}/24", "dev", MANAGEMENT_INTERFACE)
        self.gate.run("ip", "link", "set", MANAGEMENT_INTERFACE, "up")

    def close(self) -> None:
        for tap in (*self.taps, self.management):
            with contextlib.suppress(OSError):
                os.close(tap)
        super().close()


class Guest:
    """A machine that has booted; a context manager that always ends it."""

    def __init__(self, machine: Machine, directory: Path) -> None:
        self.machine, self.directory = machine, directory

    def __enter__(self) -> Self:
        files = image.guest()
        qemu = image.qemu(self.machine.qemu_version)
        package = package_disk(self.directory)
        self.wire = TapWire(self.machine)
        self._log = (self.directory / "qemu").open("w")
        self._process = subprocess.Popen(
            (
                *("setpriv", "--pdeathsig", "KILL"),
                *qemu.command,
                *self.machine.arguments(files, package, self.wire, self.directory),
            ),
            stdin=subprocess.DEVNULL,
            stdout=self._log,
            stderr=self._log,
            pass_fds=(*self.wire.taps, self.wire.management),
        )
        try:
            self._await_boot()
            self.run("mkdir", "-p", str(Path(sys.prefix).parent))
            self.run("ln", "-s", "/package", sys.prefix)
        except BaseException:
            self._end()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end()

    def _end(self) -> None:
        self._process.kill()
        self._process.wait(timeout=30)
        self._log.close()
        self.wire.close()

    def _await_boot(self) -> None:
        deadline = time.monotonic() + BOOT_TIMEOUT_S
        while "agent: ready" not in self.console():
            code = self._process.poll()
            assert code is None, f"qemu ended with {code}:\n{self.said()}"
            assert time.monotonic() < deadline, f"no agent within {BOOT_TIMEOUT_S} s:\n{self.said()}"
            time.sleep(0.1)

    def console(self) -> str:
        """What the guest's kernel and the agent wrote so far."""
        try:
            return (self.directory / "console").read_text(errors="replace")
        except FileNotFoundError:
            return ""

    def said(self) -> str:
        """The end of what qemu and the guest wrote."""
        lines = (self.directory / "qemu").read_text(errors="replace") + self.console()
        return "\n".join(lines.splitlines()[-40:])

    # ------------------------------------------------------------ commands

    def attempt(
        self, *command: str, text: str = "", timeout_s: float = COMMAND_TIMEOUT_S
    ) -> subprocess.CompletedProcess[str]:
        """Run a command in the guest, whatever comes of it."""
        said = {"out": "", "err": ""}
        running = self.wire.gate.call(lambda: remote.Command(command, text, timeout_s))
        for name, value in running.events():
            if name == "exit":
                return subprocess.CompletedProcess(command, value, said["out"], said["err"])
            said[name] += value
        raise AssertionError("events() ends with an exit")

    def run(self, *command: str, text: str = "", timeout_s: float = COMMAND_TIMEOUT_S) -> str:
        """Run a command in the guest that must succeed; returns its standard output."""
        done = self.attempt(*command, text=text, timeout_s=timeout_s)
        assert done.returncode == 0, f"{' '.join(command)}: {done.returncode}\n{done.stdout}{done.stderr}"
        return done.stdout

    def write(self, path: Path | str, text: str) -> None:
        """Write a file in the guest, and the directories above it."""
        self.run("sh", "-c", 'mkdir -p "$(dirname "$1")" && cat >"$1"', "sh", str(path), text=text)

    # ------------------------------------------------------------ the machine

    def bind(self, driver: str) -> None:
        """Give the card to a driver."""
        self.run("modprobe", driver)
        self.run("dpdk-devbind.py", f"--bind={driver}", CARD)

    def driver(self) -> str:
        """Which driver has the card."""
        return Path(self.run("readlink", f"/sys/bus/pci/devices/{CARD}/driver").strip()).name

    def give_to_kernel(self, address: str) -> None:
        """Let the card be an interface of the guest's that is up and has an address, as on any fresh host."""
        assert self.machine.kernel_driver is not None
        self.run("modprobe", self.machine.kernel_driver)
        bring_up = (
            f"cd /sys/bus/pci/devices/{CARD} && name=$(ls -d net/* */net/* 2>/dev/null | head -n 1) &&"
            ' ip link set "${name##*/}" up && ip address add "$1" dev "${name##*/}"'
        )
        self.run("sh", "-c", bring_up, "sh", address)

    def huge_pages(self) -> tuple[int, int]:
        """How many there are, and how many of them are free."""
        fields = dict(line.split(":", 1) for line in self.run("cat", "/proc/meminfo").splitlines())
        return int(fields["HugePages_Total"]), int(fields["HugePages_Free"])

    def faults(self) -> list[str]:
        """What the guest kernel's log says of accesses that the IOMMU refused, but for the model's own."""
        faults = [line for line in self.run("dmesg").splitlines() if "DMAR" in line and "fault addr" in line]
        ours = self.machine.own_fault
        return [line for line in faults if ours is None or ours not in line]

    def set_link(self, up: bool) -> None:
        """Plug the card's cable in, or pull it."""
        self.ask("set_link", name="wire", up=up)

    def unplug(self) -> None:
        """Press the button beside the card's slot: the guest's kernel is asked to let go of the card."""
        self.ask("device_del", id="card")

    def is_plugged(self) -> bool:
        """Whether the card is in its slot; one that was asked for is until the guest's kernel lets go."""
        return any(found["name"] == "card" for found in self.ask("qom-list", path="/machine/peripheral"))

    def plug(self) -> None:
        """Put the card into its slot again; it is the kernel's then."""
        driver, *properties = self.machine.card.split(",")
        given: dict[str, Any] = dict(one.split("=", 1) for one in properties)
        self.ask("device_add", driver=driver, id="card", bus="bay", netdev="wire", mac=CARD_MAC, **given)

    def ask(self, execute: str, **arguments: Any) -> Any:
        """A command of qemu's monitor; returns its result."""
        with socket.socket(socket.AF_UNIX) as monitor:
            monitor.settimeout(60)
            monitor.connect(str(self.directory / "qmp"))
            with monitor.makefile("rw") as stream:
                stream.readline()  # its greeting
                for name, given in {"qmp_capabilities": {}, execute: arguments}.items():
                    stream.write(json.dumps({"execute": name, "arguments": given}) + "\n")
                    stream.flush()
                    while "event" in (answer := json.loads(stream.readline())):
                        pass
                    assert "return" in answer, answer
        return answer["return"]
