# SPDX-License-Identifier: BSD-3-Clause
"""A machine to look around in: python -m tests.vm CARD [DRIVER]

It boots, gives the card to the driver (vfio-pci, or without an IOMMU uio_pci_generic), and runs each line
of standard input in the guest.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from tests.vm.guest import CARD, Guest, Machine


def main() -> None:
    """Until the end of standard input."""
    card = sys.argv[1]
    driver = sys.argv[2] if len(sys.argv) > 2 else "vfio-pci"
    machine = Machine(card, None, iommu=driver == "vfio-pci")
    with (
        tempfile.TemporaryDirectory(prefix="pollgate-vm-") as directory,
        Guest(machine, Path(directory)) as guest,
    ):
        guest.bind(driver)
        print(f"{CARD} has {driver}; players: nsenter --net={guest.wire.players.path}", flush=True)
        for line in sys.stdin:
            done = guest.attempt("sh", "-c", line)
            print(f"{done.stdout}{done.stderr}[{done.returncode}]", flush=True)


if __name__ == "__main__":
    main()
