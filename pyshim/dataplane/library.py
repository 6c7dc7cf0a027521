# SPDX-License-Identifier: BSD-3-Clause
"""The compiled library, its failures as exceptions, and what several of its calls take."""

from __future__ import annotations

from typing import Any

from pyshim.errors import InternalError, PollgateError, UnavailableError
from pyshim.operator_messages import OperatorMessage

try:
    from pyshim._native import decode, encode, instances
    from pyshim._native._pollgate import ffi, lib
except ImportError as problem:
    raise UnavailableError(
        f"the data plane cannot be loaded ({problem}); install DPDK's libraries (apt-get install dpdk), or "
        "build pollgate again with the libraries of this host: scripts/setup"
    ) from problem

__all__ = [
    "check",
    "decode",
    "encode",
    "ffi",
    "instances",
    "lib",
    "milliseconds",
    "new_error",
    "operator_message_struct",
]


def new_error() -> Any:
    """What a call of the data plane fills when it fails."""
    return ffi.new("struct pg_error *")


def check(code: int, error: Any) -> None:
    """Raise what a pg_error_code stands for; PG_OK raises nothing."""
    if code == lib.PG_OK:
        return
    unavailable = (lib.PG_ERROR_DEVICE, lib.PG_ERROR_MEMORY, lib.PG_ERROR_SYSTEM)
    kind: type[PollgateError] = UnavailableError if code in unavailable else InternalError
    raise kind(decode.text(error.message) or f"the data plane failed with code {code} and said nothing")


def operator_message_struct(operator_message: OperatorMessage) -> tuple[Any, Any]:
    """The message as the data plane takes it, and its body, which must live as long."""
    native: Any = ffi.new("struct pg_letter *")
    body = _buffer(operator_message.body)
    native.session, native.type, native.channel = (
        operator_message.session,
        operator_message.type,
        operator_message.channel,
    )
    native.reliable, native.priority = operator_message.reliable, operator_message.priority
    native.length, native.body = len(operator_message.body), body
    return native, body


def _buffer(data: bytes) -> Any:
    """A copy of exactly its size: with a sanitizer in the library, a read past its end is found."""
    return ffi.new("uint8_t[]", data) if data else ffi.new("uint8_t[1]")


def milliseconds(seconds: float) -> int:
    """A limit as calls take it: at least one."""
    return max(1, round(seconds * 1000))
