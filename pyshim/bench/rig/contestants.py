# SPDX-License-Identifier: BSD-3-Clause
"""The servers that `bench engines` compares: how each gets its packets, and what is copied on the way.

The copies are counted from the sources: those of the kernel's sockets and packet rings, of DPDK's drivers and
of the servers themselves, from the moment when a message is in the server's interface until its answer is
there. What a network card would do is not counted: these interfaces do nothing in its place.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from pyshim.bench.rig.frames import GATE_PORT, move_frame
from pyshim.bench.rig.private_network import SERVER_ADDRESS, SERVER_INTERFACE, SERVER_MAC

FRAME_BYTES = len(move_frame(0))
MESSAGE_BYTES = 44  # PLAYER_MOVE
ETHERNET_BYTES = 14


class Link(Enum):
    """What joins a server and its load."""

    CABLE = "veth"  # a virtual cable of the kernel; the generator sits on it with net_af_packet
    MEMIF = "memif"  # memory that two processes share
    REPLAY = "replay"  # none: the device plays a capture for ever


@dataclass(frozen=True, slots=True)
class Copy:
    """Bytes of one message that are read in one place and written in another."""

    what: str
    size: int

    def __str__(self) -> str:
        """As a report tells it."""
        return f"{self.what}: {self.size} bytes"


@dataclass(frozen=True, slots=True)
class Engine:
    """One server, or one of pollgate's ways to get at packets."""

    name: str
    link: Link
    device: str  # as a reader is told
    copies: tuple[Copy, ...]
    engine: str = "dpdk"  # of the configuration; "" is the traditional server
    vdev: str = ""  # of the configuration
    needs_address: bool = False  # the kernel must own the server's IP address
    note: str = ""  # what a reader of its row must know
    note_if_steered: str = ""

    @property
    def polls(self) -> bool:
        """Whether its worker never sleeps, so that only its own counters tell work from waiting."""
        return self.engine == "dpdk"

    @property
    def copied_bytes(self) -> int:
        """Bytes that are copied for one message and its answer."""
        return sum(copy.size for copy in self.copies)


def _message(*whats: str) -> tuple[Copy, ...]:
    return tuple(Copy(what, MESSAGE_BYTES) for what in whats)


def _frame(*whats: str) -> tuple[Copy, ...]:
    return tuple(Copy(what, FRAME_BYTES) for what in whats)


_FROM_KERNEL = "kernel's buffer to the receive buffer"
_TO_KERNEL = "answer to the kernel's buffer"
_CABLE = f"veth, {SERVER_INTERFACE}"

ENGINES = (
    Engine(
        name="traditional",
        note="What the others are measured against.",
        link=Link.CABLE,
        device=f"kernel UDP socket on {_CABLE}",
        copies=_message(
            "kernel's buffer to the stack",
            "stack to a string",
            "string to a packet object",
            "packet object to the queue",
            "queue to the answer's string",
            _TO_KERNEL,
        ),
        engine="",
        needs_address=True,
    ),
    Engine(
        name="epoll",
        link=Link.CABLE,
        device=f"kernel UDP socket on {_CABLE}",
        copies=_message(_FROM_KERNEL, _TO_KERNEL),
        engine="epoll",
        needs_address=True,
    ),
    Engine(
        name="io_uring",
        link=Link.CABLE,
        device=f"kernel UDP socket on {_CABLE}",
        copies=_message(_FROM_KERNEL, _TO_KERNEL),
        engine="io_uring",
        needs_address=True,
    ),
    Engine(
        name="af_packet",
        link=Link.CABLE,
        device=f"net_af_packet on {_CABLE}",
        copies=(
            *_frame("kernel's buffer to the packet ring", "ring to an mbuf", "mbuf to the packet ring"),
            Copy("ring to the kernel's buffer, which refers to the rest", ETHERNET_BYTES),
        ),
        # As many frames as may be on their way; the PMD's default of 512 is less than a window may be.
        vdev=f"net_af_packet0,iface={SERVER_INTERFACE},framecnt=4096",
    ),
    Engine(
        name="af_xdp",
        link=Link.CABLE,
        device=f"net_af_xdp in copy mode on {_CABLE}",
        copies=_frame("kernel's buffer to the shared memory", "shared memory to the kernel's buffer"),
        note_if_steered=(
            "XDP takes packets before they are steered: what the kernel does to receive them is done on the "
            "generator's CPU, and the server's does not pay for it."
        ),
        vdev=f"net_af_xdp0,iface={SERVER_INTERFACE}",
    ),
    Engine(
        name="dpdk-pcap",
        link=Link.REPLAY,
        device="net_pcap infinite_rx",
        copies=_frame("capture in memory to an mbuf"),
        note=(
            "Its device cannot be paced: latency is how long the gateway had packets in hand at full load, "
            "not a round trip, and the share at the fixed rate is computed from its cycles per packet."
        ),
    ),
    Engine(
        name="dpdk-memif",
        link=Link.MEMIF,
        device="net_memif",
        copies=_frame("shared memory to an mbuf", "mbuf to shared memory"),
    ),
)
BASE = ENGINES[0]

_SETTINGS = """\
engine: {engine}
eal: {{memory_mib: 256}}
ports: [{{name: game0, address: ["{address}"]{device}}}]
workers: {{cpus: [{cpu}]}}
listen: [{{port: {port}}}]
metrics: {{listen: "127.0.0.1:0"}}
"""


def settings(engine: str, vdev: str, cpu: int) -> str:
    """A gateway's configuration for one of pollgate's engines, with one worker on `cpu`."""
    device = f', device: "{vdev}", mac: "{SERVER_MAC}"' if vdev else ""
    if engine != "dpdk":
        text = _SETTINGS.replace("eal: {{memory_mib: 256}}\n", "")
    else:
        text = _SETTINGS.replace("engine: {engine}\n", "")
    return text.format(engine=engine, address=SERVER_ADDRESS, device=device, cpu=cpu, port=GATE_PORT)
