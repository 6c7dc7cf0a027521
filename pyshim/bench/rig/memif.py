# SPDX-License-Identifier: BSD-3-Clause
"""The gateway and its load joined by memory that the two share (memif): no kernel is in between."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from pyshim.bench.rig.contestants import FRAME_BYTES, settings
from pyshim.bench.rig.frames import GATE_PORT
from pyshim.bench.rig.placement import Placement
from pyshim.bench.rig.private_network import GENERATOR_ADDRESS, GENERATOR_MAC, SERVER_ADDRESS, SERVER_MAC
from pyshim.bench.rig.processes import gateway
from pyshim.bench.rig.served import Served
from pyshim.load.scenario import Crowd, Device, Target

if TYPE_CHECKING:
    from pyshim.load.generator import Generator

RING_EXPONENT = 12  # 4,096 frames each way: a window or a hiccup of the other side fits
TARGET = Target(SERVER_ADDRESS.ip, GATE_PORT, SERVER_MAC)
DEVICE = "net_memif"

_SOCKET = "memif.sock"


def memif_device(directory: Path, role: str) -> str:
    """One end's device; `directory` is where the ends find each other."""
    # In the file system and not in the abstract namespace, which belongs to a network namespace.
    where = f"socket={directory / _SOCKET},socket-abstract=no"
    return f"net_memif0,role={role},{where},rsize={RING_EXPONENT}"


def gateway_config(directory: Path, cpu: int) -> Path:
    """The configuration of a gateway on the server's end."""
    path = directory / "memif.yaml"
    path.write_text(settings("dpdk", memif_device(directory, "server"), cpu))
    return path


def memif_generator(directory: Path, crowd: Crowd, cpu: int) -> Generator:
    """A generator on the other end; the gateway must run before it is entered."""
    # Loads DPDK, which the benchmarks' other commands can do without.
    from pyshim.load.generator import Generator  # noqa: PLC0415

    device = Device(memif_device(directory, "client"), (GENERATOR_ADDRESS,), GENERATOR_MAC, cpu)
    return Generator(crowd, TARGET, device)


@dataclass(frozen=True, slots=True)
class MemifPair:
    """A running gateway and a generator that plays against it."""

    served: Served
    generator: Generator
    placement: Placement

    def details(self) -> dict[str, object]:
        """What every row tells of how it was measured."""
        return {
            "frame_bytes": FRAME_BYTES,
            "device": DEVICE,
            "worker_cpus": [self.placement.server],
            "generator_cpu": self.placement.generator,
            "huge_pages": False,
        }


@contextmanager
def memif_pair(crowd: Crowd, placement: Placement) -> Iterator[MemifPair]:
    """Both sides, while the block lasts.

    Raises:
        UnavailableError: one of the two does not run here.
    """
    with TemporaryDirectory(prefix="pollgate-bench-") as name, ExitStack() as stack:
        directory = Path(name)
        url = stack.enter_context(gateway(gateway_config(directory, placement.server)))
        generator = stack.enter_context(memif_generator(directory, crowd, placement.generator))
        yield MemifPair(Served(placement.server, url, polls=True, interrupted=False), generator, placement)
