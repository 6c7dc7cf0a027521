# SPDX-License-Identifier: BSD-3-Clause
"""The ways by which two processes can talk: compiled here for `bench bus`, and run for a slice each."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from pyshim.bench.rig.placement import Placement
from pyshim.bench.rig.processes import finish, read_until, run_to_end
from pyshim.errors import UnavailableError

SOURCES = Path(__file__).with_name("bus")  # tests/bench/bus, dpdk_app/bus and compiler.h of the repository
_WAYS = ("main.c", "ways.c", "bus/ring.c", "bus/wait.c")
_READER = ("reader.c", "bus/ring.c", "bus/wait.c", "bus/memory.c")
_COMPILERS = ("cc", "gcc", "clang")
_COMPILE_TIMEOUT_S = 120.0
_RUN_TIMEOUT_S = 300.0
_ICEORYX_HEADERS = Path("/usr/include/iceoryx")  # a directory of its version in it
_DAEMON = "iox-roudi"
_DAEMON_TIMEOUT_S = 20.0


@dataclass(frozen=True, slots=True)
class Heard:
    """What one slice showed."""

    value: float  # nanoseconds one way, or messages a second
    said: int = 0  # messages of a stream
    heard: int = 0
    share: float = 1.0  # of the slice, what the side that had less had of its CPU


def compile_ways(directory: Path, *, with_iceoryx: bool) -> Path:
    """The program, compiled into `directory`.

    Raises:
        UnavailableError: there is no compiler, or it fails: without iceoryx's headers, for example.
    """
    if not with_iceoryx:
        return _compile(directory / "ways", _WAYS, [])
    more = [f"-I{path}" for path in sorted(_ICEORYX_HEADERS.glob("v*"))]
    more += ["-DWITH_ICEORYX", "-liceoryx_binding_c"]
    return _compile(directory / "ways-with-iceoryx", (*_WAYS, "with_iceoryx.c"), more)


def compile_reader(directory: Path) -> Path:
    """The game process of `bench game`, compiled into `directory`.

    Raises:
        UnavailableError: there is no compiler, or it fails.
    """
    return _compile(directory / "reader", _READER, [])


def _compile(program: Path, sources: Sequence[str], more: Sequence[str]) -> Path:
    compiler = next(filter(None, map(shutil.which, _COMPILERS)), None)
    if compiler is None:
        raise UnavailableError("no C compiler for what is measured; on Debian: apt-get install gcc")
    files = [str(SOURCES / name) for name in sources]
    command = [compiler, "-std=gnu17", "-O3", "-D_GNU_SOURCE", f"-I{SOURCES}", "-o", str(program)]
    try:
        done = run_to_end(
            (*command, *files, *more), _COMPILE_TIMEOUT_S, {**os.environ, "TMPDIR": str(program.parent)}
        )
    except subprocess.TimeoutExpired as problem:
        raise UnavailableError(f"{compiler} did not compile {SOURCES} within two minutes") from problem
    if done.returncode != 0:
        said = next((line for line in done.stderr.splitlines() if "error" in line), "it says no more")
        raise UnavailableError(f"{compiler} cannot compile it: {said}")
    return program


@contextmanager
def iceoryx_daemon() -> Iterator[None]:
    """The process that classic iceoryx needs beside those who talk, while the block lasts.

    Raises:
        UnavailableError: there is none, or it does not start.
    """
    if shutil.which(_DAEMON) is None:
        raise UnavailableError(f"no {_DAEMON}")
    process = subprocess.Popen(
        [_DAEMON], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, process_group=0
    )
    try:
        read_until(_DAEMON, process, rb"ready for clients", _DAEMON_TIMEOUT_S)
        yield
    finally:
        process.terminate()
        finish(process)
        if process.stdout is not None:
            process.stdout.close()


def run_ways(program: Path, placement: Placement, slice_s: float, *, backwards: bool) -> Mapping[str, Heard]:
    """Each way of the program once, by its name.

    Raises:
        UnavailableError: the program failed, or took too long.
    """
    command = [str(program), *_places(placement, slice_s), *(["backwards"] if backwards else [])]
    return _run(command, "the ways")


def run_iceoryx2(placement: Placement, slice_s: float) -> Mapping[str, Heard]:
    """Likewise the wheel of iceoryx2, which is Python at both ends.

    Raises:
        UnavailableError: it failed, or took too long.
    """
    command = [sys.executable, "-P", "-m", "pyshim.bench.rig.bus_iceoryx2", *_places(placement, slice_s)]
    return _run(command, "iceoryx2")


def _places(placement: Placement, slice_s: float) -> list[str]:
    return [str(placement.generator), str(placement.server), str(max(1, round(slice_s * 1000)))]


def _run(command: list[str], name: str) -> Mapping[str, Heard]:
    began = time.monotonic()
    try:
        done = run_to_end(tuple(command), _RUN_TIMEOUT_S)
    except subprocess.TimeoutExpired as problem:
        raise UnavailableError(f"{name} did not end within {_RUN_TIMEOUT_S:.0f} s") from problem
    if done.returncode != 0:
        said = done.stderr.strip().splitlines() or ["it says no more"]
        raise UnavailableError(f"{name} failed after {time.monotonic() - began:.0f} s: {said[-1]}")
    found = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    return {
        each["name"]: Heard(**{key: value for key, value in each.items() if key != "name"}) for each in found
    }
