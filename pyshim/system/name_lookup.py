# SPDX-License-Identifier: BSD-3-Clause
"""Names of hosts → addresses, asked where nobody has to wait for a name server that does not answer."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable
from typing import Any, TypeAlias

from pyshim.errors import RAISE_PROCESS_LIMIT, UnavailableError

LIMIT_S = 20.0  # two name servers, asked twice each with the resolver's five seconds

AddressInfo: TypeAlias = tuple[Any, ...]  # of socket.getaddrinfo


def look_up(
    host: str, port: int, family: int = socket.AF_UNSPEC, kind: int = socket.SOCK_STREAM
) -> list[AddressInfo]:
    """What `socket.getaddrinfo` finds; an interrupt ends the wait at once.

    The resolver begins to wait again after a signal, and Python raises nothing before it returns: so it is
    asked in a thread of its own.

    Raises:
        OSError: the name does not resolve; TimeoutError: not within LIMIT_S.
        UnicodeError: it is no name.
        UnavailableError: the kernel starts no thread.
    """
    try:
        return list(socket.getaddrinfo(host, port, family, kind, flags=socket.AI_NUMERICHOST))
    except socket.gaierror:
        return _apart(lambda: list(socket.getaddrinfo(host, port, family, kind)))


def _apart(ask: Callable[[], list[AddressInfo]]) -> list[AddressInfo]:
    answered = threading.Event()
    outcome: list[list[AddressInfo] | BaseException] = []

    def run() -> None:
        try:
            outcome.append(ask())
        except (OSError, UnicodeError) as problem:
            outcome.append(problem)
        finally:
            answered.set()

    try:
        threading.Thread(target=run, name="resolver", daemon=True).start()
    except RuntimeError:
        raise UnavailableError(f"no name can be looked up: {RAISE_PROCESS_LIMIT}") from None
    if not answered.wait(LIMIT_S):
        raise TimeoutError(f"no name server answered within {LIMIT_S:.0f} s")
    match outcome:
        case [list(found)]:
            return found
        case [OSError() | UnicodeError() as problem]:
            raise problem
    raise AssertionError("the resolver neither answered nor failed")
