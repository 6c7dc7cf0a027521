# SPDX-License-Identifier: BSD-3-Clause
"""A gateway of the tests' own, in C, that does what it is told: game/tests/stand_in.c."""

from __future__ import annotations

import subprocess
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.client.installed import check

ROOT = Path(__file__).parents[2]
_FOLDERS = ("game", "game/tests", "dpdk_app", "dpdk_app/include", "dpdk_app/tests")


def build(directory: Path) -> Path:
    """Compile it, with the library's own sources."""
    made = directory / "stand_in"
    sources = [ROOT / "game/tests/stand_in.c", ROOT / "game/tests/gateway.c"]
    sources += sorted((ROOT / "game").glob("*.c")) + sorted((ROOT / "dpdk_app/bus").glob("*.c"))
    includes = [f"-I{ROOT / folder}" for folder in _FOLDERS]
    flags = ["-std=gnu17", "-D_GNU_SOURCE", "-O1", "-DRING=262144U"]
    check(["gcc", *flags, *includes, *sources, "-lcmocka", "-lpthread", "-lm", "-o", made])
    return made


class StandIn:
    """One that runs, with so many workers."""

    def __init__(self, program: Path, workers: int = 1) -> None:
        """Start it."""
        self._process = subprocess.Popen(
            [program, str(workers)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1
        )
        assert self._process.stdout
        self.path = self._process.stdout.readline().strip()

    def tell(self, line: str) -> None:
        """Have it do something, and do not wait until it has."""
        assert self._process.stdin
        self._process.stdin.write(f"{line}\n")
        self._process.stdin.flush()

    def told(self) -> str:
        """What it says to that."""
        assert self._process.stdout
        return self._process.stdout.readline().strip()

    def do(self, line: str) -> str:
        """Both."""
        self.tell(line)
        return self.told()

    def order(self, worker: int = 0) -> tuple[int, bytes] | None:
        """What the first process wrote to a worker."""
        said = self.do(f"order {worker}")
        if said == "none":
            return None
        kind, _, body = said.partition(" ")
        return int(kind), bytes.fromhex(body)

    def close(self) -> None:
        """End it; whoever is attached gets END."""
        assert self._process.stdin
        assert self._process.stdout
        if not self._process.stdin.closed:
            self._process.stdin.close()
        self._process.wait(60)
        self._process.stdout.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        self.close()
