# SPDX-License-Identifier: BSD-3-Clause
"""Starts a process that serves a capture of sealed packets, and reads what it measured."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from pyshim.bench.rig.processes import run_to_end
from pyshim.errors import UnavailableError

_BESIDE_S = 120.0  # start, adopting all connections, waiting for a CPU, end


class Server(StrEnum):
    """Who serves the capture."""

    GATEWAY = "gateway"
    CRYPTO_ONLY = "crypto-only"  # frames opened and sealed again
    CRYPTO_ANSWERS = "crypto-answers"  # frames opened, and as much sealed as the gateway answers


@dataclass(frozen=True, slots=True)
class ServerRun:
    """What one measurement showed."""

    packets_per_s: float
    cycles_per_packet: float
    refused: int  # or not sent
    received: int  # from the start to the end, as is what follows
    answered: int
    dropped: Mapping[str, int]  # by reason; those that there were


def serve_once(config: Path, server: Server, sessions: int, seconds: float) -> ServerRun:
    """Measure once, in a process of its own: EAL starts once in a process.

    Raises:
        UnavailableError: it does not run.
    """
    arguments = (str(config), server, str(sessions), str(seconds))
    return ServerRun(**run_module("pyshim.bench.rig.sealed_server", server, arguments, seconds))


def run_module(module: str, name: str, arguments: Sequence[str], seconds: float) -> dict[str, Any]:
    """The object that a module prints which measures for so long, in a process of its own.

    Raises:
        UnavailableError: it does not run.
    """
    command = [sys.executable, "-P", "-m", module, *arguments]
    try:
        done = run_to_end(command, seconds + _BESIDE_S)
    except subprocess.TimeoutExpired as problem:
        raise UnavailableError(f"{name}: the measurement did not end") from problem
    if done.returncode != 0:
        last = (done.stderr.strip().splitlines() or ["it says no more"])[-1]
        raise UnavailableError(f"{name}: the measurement failed: {last}")
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found
