# SPDX-License-Identifier: BSD-3-Clause
"""Others that pollgate is compared with: the traditional game server, built and run, and where netcode is."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from ipaddress import IPv4Address
from pathlib import Path

from pyshim.bench.rig.processes import finish, read_until, run_to_end
from pyshim.errors import UnavailableError, UsageError

SOURCE = Path(__file__).with_name("traditional.cpp")  # of tests/bench/traditional in the repository
_COMPILERS = ("c++", "g++", "clang++")
_FLAGS = ("-std=c++17", "-O2", "-pthread")
_COMPILE_TIMEOUT_S = 120.0
_START_TIMEOUT_S = 10.0
_NETCODE_FILES = ("netcode.c", "netcode.h")


def parse_traditional(text: str) -> Path:
    """The option --traditional: a program, or nothing, which stands for the one that is compiled here.

    Raises:
        ValueError: it is not a program that can be run.
    """
    path = Path(text)
    if text and not (path.is_file() and os.access(path, os.X_OK)):
        raise ValueError(f"{text} is not a program; give the traditional server's, or leave the option out")
    return path


def parse_netcode(text: str) -> Path:
    """The option --netcode: a directory with the reference implementation's source, or nothing.

    Raises:
        ValueError: it has none.
    """
    path = Path(text)
    missing = [name for name in _NETCODE_FILES if not (path / name).is_file()]
    if text and missing:
        raise ValueError(
            f"{text} has no {missing[0]}; give the directory of netcode's reference implementation, or leave "
            "the option out"
        )
    return path


def traditional_server(given: Path, directory: Path) -> Path:
    """The program `given`, or when it is empty, one compiled into `directory`.

    Raises:
        UnavailableError: there is no compiler, or it fails.
    """
    if given != Path():
        return given.absolute()
    compiler = next(filter(None, map(shutil.which, _COMPILERS)), None)
    if compiler is None:
        raise UnavailableError(
            f"no C++ compiler ({', '.join(_COMPILERS)}) for the traditional server; on Debian: apt-get "
            "install g++, or give a server that was compiled elsewhere: --traditional FILE"
        )
    program = directory / "traditional"
    command = (compiler, *_FLAGS, "-o", str(program), str(SOURCE))
    try:
        # A compiler that is killed leaves its temporary files.
        done = run_to_end(command, _COMPILE_TIMEOUT_S, {**os.environ, "TMPDIR": str(directory)})
    except subprocess.TimeoutExpired as problem:
        raise UnavailableError(f"{compiler} did not compile {SOURCE} within a minute or two") from problem
    if done.returncode != 0:
        said = next((line for line in done.stderr.splitlines() if "error" in line), "it says no more")
        raise UnavailableError(f"{compiler} cannot compile the traditional server: {said}")
    return program


@contextmanager
def traditional(program: Path, address: IPv4Address, port: int, cpu: int) -> Iterator[None]:
    """The traditional server while the block lasts, with one thread on one CPU.

    Raises:
        UnavailableError: it does not start.
        UsageError: the program is something else.
    """
    command = (str(program), "--address", str(address), "--port", str(port), "--cpus", str(cpu))
    try:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            process_group=0,
        )
    except OSError as problem:
        raise UsageError(f"--traditional: {program} cannot be run: {problem.strerror}") from problem
    try:
        read_until("the traditional server", process, rb"ready\n", _START_TIMEOUT_S)
        yield
    finally:
        process.terminate()
        finish(process)
        if process.stdout is not None:
            process.stdout.close()
