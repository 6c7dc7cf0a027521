# SPDX-License-Identifier: BSD-3-Clause
"""The management server on a thread of the supervisor, from before its first worker process to the end.

Its addresses come and go: metrics may move while all else is served.
"""

from __future__ import annotations

import asyncio
import contextlib
import ssl
import threading
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self, TypeVar

import uvicorn
from starlette.types import ASGIApp

from pyshim import __version__
from pyshim.config import Config
from pyshim.config.values import Endpoint, UnixSocket
from pyshim.errors import InternalError
from pyshim.issuing.access import bind, control_address, read_token, server_tls
from pyshim.management.addresses import host_port, listen_openly
from pyshim.management.app import Open, make_app
from pyshim.management.bounds import Bounds
from pyshim.management.connections import (
    CONNECTIONS_MAX,
    OPEN_CONNECTIONS_MAX,
    BoundedListener,
    protocol_of,
)
from pyshim.management.figures import Figures
from pyshim.management.sessions import Gateway
from pyshim.stats import Snapshot

START_LIMIT_S = 10.0
STOP_LIMIT_S = 3.0
READERS_MAX = 4  # threads that read the statistics page
_HEADERS_BYTES_MAX = 16 * 1024

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Address:
    """Where the server is to listen, and what it says there."""

    listener: BoundedListener
    app: ASGIApp
    where: str  # in sentences
    tls: ssl.SSLContext | None = None
    headers: tuple[tuple[str, str], ...] = ()
    file: Path | None = None  # of a unix socket, removed at the end


class Served:
    """An address that is being served."""

    def __init__(self, server: ManagementServer, address: Address, task: Serving) -> None:
        """`task` serves it on the server's loop."""
        self._server = server
        self._address = address
        self._task = task
        self.where = address.where

    @property
    def url(self) -> str:
        """Where Prometheus scrapes, with the port that is really bound: `http://127.0.0.1:9464/metrics`."""
        return f"http://{self.where}/metrics"

    def close(self) -> None:
        """Give the address up; requests in hand have a second more. May be called twice."""
        self._server.end(self._task)
        if self._address.file is not None:
            with contextlib.suppress(OSError):
                self._address.file.unlink()


class Serving:
    """One address on the server's loop; all of it runs there."""

    def __init__(self, address: Address) -> None:
        """Begin; `started` tells when it is up."""
        self._listener = address.listener
        settings = uvicorn.Config(
            address.app,
            http=protocol_of(address.listener),
            ws="none",
            lifespan="off",
            interface="asgi3",
            log_config=None,
            log_level="critical",  # what a client does wrong is told to the client
            access_log=False,
            proxy_headers=False,
            server_header=False,
            headers=list(address.headers),
            timeout_keep_alive=5,
            timeout_graceful_shutdown=1,
            h11_max_incomplete_event_size=_HEADERS_BYTES_MAX,
        )
        settings.load()
        settings.ssl = address.tls
        self._server = uvicorn.Server(settings)
        self._task = asyncio.get_running_loop().create_task(self._server.serve([address.listener]))

    async def started(self) -> bool:
        """Whether it came up."""
        while not self._server.started and not self._task.done():
            await asyncio.sleep(0.005)
        return not self._task.done()

    async def stop(self) -> None:
        """Free the address; what is in hand goes on, until `ended`."""
        if not self._server.should_exit:
            self._server.should_exit = True
            for one in self._server.servers:
                one.close()
            self._listener.close()

    async def ended(self) -> None:
        """After `stop`: the last answer is given, or late."""
        await asyncio.wait([self._task], timeout=STOP_LIMIT_S)
        self._task.cancel()
        self._listener.cut_all()


class ManagementServer:
    """Serves one application at addresses that come and go; a context manager that ends them all."""

    def __init__(
        self,
        source: Callable[[], Snapshot],
        age_s: Callable[[], float] = lambda: 0.0,
        gateway: Gateway | None = None,
    ) -> None:
        """Nothing is served yet.

        Args:
            source: where figures are read, by threads of the server.
            age_s: how long the supervisor's loop has stood still.
            gateway: whose sessions are issued; None when it issues none.
        """
        self._app = make_app(Figures(source, age_s), gateway)
        self._lock = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._readers = ThreadPoolExecutor(READERS_MAX, "management-read")
        self._serving: set[Serving] = set()
        self._endings: set[asyncio.Task[None]] = set()
        self._over = False

    def open_figures(self, listen: tuple[str, int]) -> Served:
        """Serve what everybody may see, at (host, port); port 0 takes any free one.

        Raises:
            UnavailableError: the address cannot be had.
            InternalError: the server did not come up.
        """
        bound = listen_openly(listen)
        where = host_port(*bound.getsockname()[:2])
        listener = BoundedListener.of(bound, "metrics", OPEN_CONNECTIONS_MAX, remembers=False)
        app = Bounds(Open(self._app), None, "metrics")
        return self.open(Address(listener, app, where, headers=(("server", f"pollgate/{__version__}"),)))

    def open_control(self, config: Config) -> Served:
        """Serve everything, at the control API's address, to who has its token.

        Raises:
            PlanError: the address, the token or the certificate is not to be had.
            InternalError: the server did not come up.
        """
        token, tls = read_token(config), server_tls(config)
        address = control_address(config)
        bound = bind(address, is_default=config.control.listen is None)
        listener = BoundedListener.of(bound, "control", CONNECTIONS_MAX, remembers=True)
        if isinstance(address, UnixSocket):
            where, file = str(address), Path(address.path)
        else:
            where, file = str(Endpoint(address.host, listener.getsockname()[1])), None
        where += " with TLS" if tls else ""
        return self.open(Address(listener, Bounds(self._app, token), where, tls, file=file))

    def open(self, address: Address) -> Served:
        """Serve at an address.

        Raises:
            InternalError: the server did not come up.
        """
        try:
            serving = self._ask(self._begin(address), START_LIMIT_S)
        except BaseException:
            address.listener.close()
            raise
        if serving is None:
            address.listener.close()
            raise InternalError(f"the management server at {address.where} did not start")
        return Served(self, address, serving)

    async def _begin(self, address: Address) -> Serving | None:
        serving = Serving(address)
        if not await serving.started():
            return None
        self._serving.add(serving)
        return serving

    def end(self, serving: Serving) -> None:
        """Free the address of one; returns before its last answers are given."""
        if not self._over:
            with contextlib.suppress(TimeoutError):
                self._ask(self._end(serving), STOP_LIMIT_S)

    async def _end(self, serving: Serving) -> None:
        await serving.stop()
        if serving in self._serving:
            self._serving.remove(serving)
            ending = asyncio.get_running_loop().create_task(serving.ended())
            self._endings.add(ending)
            ending.add_done_callback(self._endings.discard)

    def _ask(self, work: Coroutine[Any, Any, T], limit_s: float) -> T:
        """Have the server's thread do it.

        Raises:
            RuntimeError: the kernel starts no thread.
            TimeoutError: it takes too long.
        """
        with self._lock:
            if self._loop is None:
                loop = asyncio.new_event_loop()
                loop.set_default_executor(self._readers)
                thread = threading.Thread(target=_turn, args=(loop,), name="management", daemon=True)
                try:
                    thread.start()
                except BaseException:
                    loop.close()
                    work.close()
                    raise
                self._loop, self._thread = loop, thread
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(limit_s)

    def __enter__(self) -> Self:
        """Nothing more to do: its thread begins with its first address."""
        return self

    def __exit__(self, *_: object) -> None:
        """End: addresses are given up, requests in hand have a second."""
        if self._loop is not None and self._thread is not None and not self._over:
            with contextlib.suppress(TimeoutError):
                self._ask(self._end_all(), 2 * STOP_LIMIT_S)
            self._over = True
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join(STOP_LIMIT_S)
        self._readers.shutdown(cancel_futures=True)  # what they read goes next

    async def _end_all(self) -> None:
        for serving in tuple(self._serving):
            await self._end(serving)
        await asyncio.gather(*self._endings)


def _turn(loop: asyncio.AbstractEventLoop) -> None:
    asyncio.set_event_loop(loop)
    try:
        loop.run_forever()
        loop.run_until_complete(loop.shutdown_asyncgens())
    finally:
        loop.close()
