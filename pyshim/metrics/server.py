# SPDX-License-Identifier: BSD-3-Clause
"""The HTTP side of the metrics: `/metrics`, `/healthz` and `/readyz`, up while the workers are down.

It lives in the supervisor, so nothing that a client does may hold it up: threads are bounded, a request has
a deadline as a whole, and when all threads are taken one that has not asked makes room for the newest.
"""

from __future__ import annotations

import contextlib
import errno
import io
import logging
import socket
import socketserver
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler
from types import TracebackType
from typing import Any, Self

from prometheus_client import CollectorRegistry
from prometheus_client.exposition import choose_encoder
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from pyshim import __version__
from pyshim.errors import UnavailableError
from pyshim.metrics.families import FAMILIES
from pyshim.metrics.family import exposition
from pyshim.stats import Snapshot
from pyshim.system.eviction import oldest_of_most, source_of
from pyshim.system.spare_descriptor import SpareDescriptor, is_scarce

CONNECTIONS_MAX = 16
REQUEST_TIMEOUT_S = 5.0  # to send a request, and again to take the answer
SLOW_READER_S = 1.0  # an answer leaves in milliseconds, unless its reader does not take it
EVICTION_TIMEOUT_S = 1.0  # for an evicted connection's thread to notice

HEALTHY_AGE_S = 10.0  # of the supervisor's loop: above all that it may have to wait for
READY_AGE_S = 2.0  # of what is known of the workers

_TEXT = "text/plain; charset=utf-8"
_log = logging.getLogger(__name__)


class SnapshotCollector(Collector):
    """Turns one snapshot per scrape into every family, so that the figures of a scrape belong together."""

    def __init__(self, source: Callable[[], Snapshot]) -> None:
        """Read from `source`, once per scrape."""
        self._source = source

    def describe(self) -> list[Metric]:
        """Nothing: to be asked for names must not cost a snapshot."""
        return []

    def collect(self) -> Iterator[Metric]:
        """Every family, read from one snapshot."""
        snapshot = self._source()
        return (exposition(family, snapshot) for family in FAMILIES)


class MetricsServer:
    """Serves what `source` returns, from start() to close(); a context manager does both.

    `source` is called from the server's threads, once per `/metrics` or `/readyz` request; `age_s`, which
    tells how long the supervisor's loop has stood still, once per `/healthz`.
    """

    def __init__(
        self,
        listen: tuple[str, int],
        source: Callable[[], Snapshot],
        age_s: Callable[[], float] = lambda: 0.0,
    ) -> None:
        """Remember where to listen, (host, port); port 0 takes any free one. Nothing is bound yet."""
        self._listen = listen
        self._source = source
        self._age_s = age_s
        self._server: _Server | None = None
        self._thread: threading.Thread | None = None

    def start(self) -> Self:
        """Bind and serve in the background. No effect when started already.

        Raises:
            UnavailableError: when the address cannot be bound.
        """
        if self._server is None:
            self._server = _bind(self._listen, self._source, self._age_s)
            self._thread = threading.Thread(
                target=self._server.serve_forever, kwargs={"poll_interval": 0.1}, name="metrics", daemon=True
            )
            self._thread.start()
        return self

    def close(self) -> None:
        """Stop serving and free the port; connections in progress are cut. May be called twice."""
        server, thread = self._server, self._thread
        self._server = self._thread = None
        if server is not None and thread is not None:
            server.shutdown()
            thread.join()
            server.server_close()

    def __enter__(self) -> Self:
        """Start."""
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close."""
        self.close()

    @property
    def url(self) -> str:
        """Where Prometheus scrapes, with the port that is really bound: `http://127.0.0.1:9464/metrics`."""
        if self._server is None:
            raise RuntimeError("the metrics server has no URL before start()")
        host, port = self._server.server_address[:2]
        return f"http://{_host_port(str(host), int(port))}/metrics"


def _bind(listen: tuple[str, int], source: Callable[[], Snapshot], age_s: Callable[[], float]) -> _Server:
    host, port = listen
    try:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        return _Server(family, address, source, age_s)
    except OSError as error:
        raise UnavailableError(f"metrics.listen: {_host_port(host, port)} {_reason(error)}") from error


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


def _host_port(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


@dataclass(slots=True)
class _Open:
    """A connection that is being served."""

    thread: threading.Thread
    source: str
    asked_s: float | None = None  # when its request was whole


class _Server(socketserver.TCPServer):
    """One thread per connection, at most CONNECTIONS_MAX; who has not asked gives way to the newest."""

    allow_reuse_address = True  # a restarted appliance takes its port back from TIME_WAIT
    request_queue_size = 64

    def __init__(
        self,
        family: socket.AddressFamily,
        address: Any,
        source: Callable[[], Snapshot],
        age_s: Callable[[], float],
    ) -> None:
        self.address_family = family
        self.source = source
        self.age_s = age_s
        self.registry = CollectorRegistry(auto_describe=False)
        self.registry.register(SnapshotCollector(source))
        self._slots = threading.BoundedSemaphore(CONNECTIONS_MAX)
        self._lock = threading.Lock()
        self._open: dict[socket.socket, _Open] = {}  # oldest first
        self._spare = SpareDescriptor("metrics")
        try:
            super().__init__(address, _Handler)
        except BaseException:
            self._spare.close()
            raise

    def get_request(self) -> tuple[socket.socket, Any]:
        """The next connection; one for which no descriptor is left is closed, and the OSError passed on."""
        try:
            return super().get_request()
        except OSError as problem:
            if is_scarce(problem):
                self._spare.refuse(self.socket, problem)
            raise

    def process_request(self, request: Any, client_address: Any) -> None:
        """Serve the connection in its own thread, making room for it if need be."""
        if not self._slots.acquire(blocking=False):
            self._make_room()
            if not self._slots.acquire(timeout=EVICTION_TIMEOUT_S):
                self.shutdown_request(request)
                return
        thread = threading.Thread(
            target=self._serve, args=(request, client_address), name="metrics-request", daemon=True
        )
        with self._lock:
            self._open[request] = _Open(thread, source_of(client_address))
        try:
            thread.start()
        except RuntimeError:  # the host has no thread left
            self._forget(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """One line instead of socketserver's traceback."""
        _log.error("metrics: a connection failed unexpectedly: %r", sys.exception())

    def _serve(self, request: socket.socket, client_address: Any) -> None:
        try:
            self.finish_request(request, client_address)
        except OSError:
            pass  # the client went away, was too slow, or was cut
        except Exception as error:
            _log.error("metrics: a request failed unexpectedly: %r", error)
        finally:
            self._forget(request)

    def _forget(self, request: socket.socket) -> None:
        with self._lock:
            del self._open[request]
        self.shutdown_request(request)
        self._slots.release()

    def answers(self, request: socket.socket) -> None:
        """A whole request has come over a connection: it stays until that is answered."""
        with self._lock:
            self._open[request].asked_s = time.monotonic()

    def _make_room(self) -> None:
        """Cut a connection over which no whole request has come, or one that does not take its answer."""
        now_s = time.monotonic()
        with self._lock:
            idle = [request for request, one in self._open.items() if one.asked_s is None]
            slow = [
                request
                for request, one in self._open.items()
                if one.asked_s is not None and now_s - one.asked_s > SLOW_READER_S
            ]
            victim = oldest_of_most(idle or slow, lambda request: self._open[request].source)
            if victim is not None:
                _cut(victim)

    def server_close(self) -> None:
        """Free the port and end every connection; returns when their threads are gone or hopeless."""
        super().server_close()
        self._spare.close()
        with self._lock:
            threads = [one.thread for one in self._open.values()]
            for request in self._open:
                _cut(request)
        for thread in threads:
            thread.join(EVICTION_TIMEOUT_S)


def _cut(request: socket.socket) -> None:
    with contextlib.suppress(OSError):  # it may have gone already
        request.shutdown(socket.SHUT_RDWR)  # wakes its thread, which closes it


def _stands_still(age_s: float) -> str:
    return f"the supervisor's loop has stood still for {age_s:.1f} s"


def _unready(snapshot: Snapshot) -> str | None:
    """Why nothing should be sent to this gateway now; None when it serves."""
    if snapshot.obstacles:
        return "\n".join(snapshot.obstacles)
    if not snapshot.workers_running:
        return "the workers are not running yet, or not any more"
    if snapshot.supervisor_age_s > READY_AGE_S:
        return f"{_stands_still(snapshot.supervisor_age_s)}: whether the workers poll is not known"
    ages_s = {worker.index: worker.heartbeat_age_s for worker in snapshot.workers}
    if late := [index for index, age_s in ages_s.items() if age_s is None or age_s > READY_AGE_S]:
        return f"no heartbeat of worker {', '.join(map(str, late))} for more than {READY_AGE_S:g} s"
    return None


class _DeadlineReader(io.RawIOBase):
    """Reads a socket until a moment, not until a silence: a byte now and then does not extend it."""

    def __init__(self, connection: socket.socket, deadline_s: float) -> None:
        self._connection = connection
        self._deadline_s = deadline_s

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        left_s = self._deadline_s - time.monotonic()
        if left_s <= 0:
            raise TimeoutError("the request was not complete in time")
        self._connection.settimeout(left_s)
        return self._connection.recv_into(buffer)


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    server_version = f"pollgate/{__version__}"
    sys_version = ""

    def setup(self) -> None:
        super().setup()
        self.rfile = io.BufferedReader(_DeadlineReader(self.connection, time.monotonic() + REQUEST_TIMEOUT_S))

    def parse_request(self) -> bool:
        if not super().parse_request():
            return False
        self.server.answers(self.connection)
        if self.command in ("GET", "HEAD"):
            return True
        self._answer(HTTPStatus.METHOD_NOT_ALLOWED, _TEXT, b"only GET and HEAD are served here\n")
        return False

    def do_GET(self) -> None:
        match self.path.partition("?")[0]:
            case "/metrics":
                self._metrics()
            case "/healthz":
                self._healthy()
            case "/readyz":
                self._ready()
            case _:
                self._answer(
                    HTTPStatus.NOT_FOUND,
                    _TEXT,
                    b"not found; /metrics, /healthz and /readyz are served here\n",
                )

    def do_HEAD(self) -> None:
        self.do_GET()  # _answer leaves the body out

    def _healthy(self) -> None:
        age_s = self.server.age_s()
        if age_s <= HEALTHY_AGE_S:
            self._answer(HTTPStatus.OK, _TEXT, b"ok\n")
        else:
            self._answer(HTTPStatus.SERVICE_UNAVAILABLE, _TEXT, f"{_stands_still(age_s)}\n".encode())

    def _metrics(self) -> None:
        encode, content_type = choose_encoder(self.headers.get("Accept", ""))
        try:
            body = encode(self.server.registry)
        except Exception as error:
            self._unreadable(error)
            return
        self._answer(HTTPStatus.OK, content_type, body)

    def _ready(self) -> None:
        try:
            snapshot = self.server.source()
        except Exception as error:
            self._unreadable(error)
            return
        if reason := _unready(snapshot):
            self._answer(HTTPStatus.SERVICE_UNAVAILABLE, _TEXT, f"{reason}\n".encode())
        else:
            self._answer(HTTPStatus.OK, _TEXT, b"ok: every worker polls\n")

    def _unreadable(self, error: Exception) -> None:
        _log.error("metrics: the statistics could not be read: %r", error)
        self._answer(
            HTTPStatus.INTERNAL_SERVER_ERROR, _TEXT, b"the statistics could not be read; see the log\n"
        )

    def _answer(self, status: HTTPStatus, content_type: str, body: bytes) -> None:
        self.connection.settimeout(REQUEST_TIMEOUT_S)  # sendall() takes it for the answer as a whole
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Cache-Control", "no-store")
        if status == HTTPStatus.METHOD_NOT_ALLOWED:
            self.send_header("Allow", "GET, HEAD")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the name is http.server's
        """Silent: a scrape is no event."""
