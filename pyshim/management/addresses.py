# SPDX-License-Identifier: BSD-3-Clause
"""The address of the metrics: it is taken, or one sentence says why it is not to be had."""

from __future__ import annotations

import errno
import socket

from pyshim.errors import UnavailableError

_BACKLOG = 64


def listen_openly(listen: tuple[str, int]) -> socket.socket:
    """A socket that listens at (host, port), the caller's to close; port 0 takes any free one.

    Raises:
        UnavailableError: the address cannot be had.
    """
    host, port = listen
    try:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        listener = socket.socket(family, socket.SOCK_STREAM)
        try:
            # A restarted gateway takes its port back from TIME_WAIT.
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind(address)
            listener.listen(_BACKLOG)
        except OSError:
            listener.close()
            raise
    except OSError as error:
        raise UnavailableError(f"metrics.listen: {host_port(host, port)} {_reason(error)}") from error
    return listener


def host_port(host: str, port: int) -> str:
    """The two as a URL has them."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _reason(error: OSError) -> str:
    match error.errno:
        case errno.EADDRINUSE:
            return "is in use by another process; name another port, port 0 takes any free one"
        case errno.EACCES:
            return "is not permitted for this user; name a port from 1024 on, port 0 takes any free one"
        case errno.EADDRNOTAVAIL:
            return "is not an address of this host; use one of `ip address`, or 127.0.0.1"
        case errno.EAFNOSUPPORT:
            return "needs IPv6, which this host does not have; use an IPv4 address"
    if isinstance(error, socket.gaierror):
        return f"cannot be resolved ({error.strerror}); use an IP address of this host"
    return f"cannot be served ({error.strerror}); name another address, or null for no metrics"
