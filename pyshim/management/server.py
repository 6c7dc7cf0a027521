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
from pyshim.management.bounds import HEAD_BYTES_MAX, Bounds
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

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Address:
    """Where the server is to listen, and what it says there."""

    listener: BoundedListener
    app: ASGIApp
    where: str  # in sentences
    url: str | None = None  # of its metrics; a socket in the file system has none
    tls: ssl.SSLContext | None = None
    headers: tuple[tuple[str, str], ...] = ()
    file: Path | None = None  # of a unix socket, removed at the end

    def give_up(self) -> None:
        """Nobody serves it."""
        self.listener.close()
        self.remove_file()

    def remove_file(self) -> None:
        """Its file goes, if it has one and it is there."""
        if self.file is not None:
            with contextlib.suppress(OSError):
                self.file.unlink()


class Served:
    """An address that is being served."""

    def __init__(self, server: ManagementServer, address: Address, task: Serving) -> None:
        """`task` serves it on the server's loop."""
        self._server = server
        self._address = address
        self._task = task
        self.where = address.where
        self.url = address.url  # where Prometheus scrapes, with the port that is really bound

    def close(self) -> None:
        """Give the address up; requests in hand have a second more. May be called twice."""
        self._server.end(self._task)
        self._address.remove_file()


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
            h11_max_incomplete_event_size=HEAD_BYTES_MAX,
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

    def abandon(self) -> None:
        """End before it came up."""
        self._task.cancel()
        self._listener.close()

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
        headers = (("server", f"pollgate/{__version__}"),)
        return self.open(Address(listener, app, where, f"http://{where}/metrics", headers=headers))

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
        app = Bounds(self._app, token)
        if isinstance(address, UnixSocket):
            return self.open(Address(listener, app, str(address), file=Path(address.path)))
        where = str(Endpoint(address.host, listener.getsockname()[1]))
        if tls is None:
            return self.open(Address(listener, app, where, f"http://{where}/metrics"))
        return self.open(Address(listener, app, f"{where} with TLS", f"https://{where}/metrics", tls))

    def open(self, address: Address) -> Served:
        """Serve at an address.

        Raises:
            InternalError: the server did not come up.
        """
        what = f"the management server at {address.where}"
        try:
            serving = self._ask(self._begin(address), START_LIMIT_S, or_never=True)
        except TimeoutError:
            address.give_up()
            raise InternalError(
                f"{what} was not up within {START_LIMIT_S:g} s; its machine is overloaded, start it again "
                "when it is less so"
            ) from None
        except BaseException:
            address.give_up()
            raise
        if serving is None:
            address.give_up()
            raise InternalError(f"{what} did not start")
        return Served(self, address, serving)

    async def _begin(self, address: Address) -> Serving | None:
        serving = Serving(address)
        try:
            if not await serving.started():
                return None
        except asyncio.CancelledError:
            serving.abandon()
            raise
        self._serving.add(serving)
        return serving

    def end(self, serving: Serving) -> None:
        """Free the address of one; returns before its last answers are given."""
        with contextlib.suppress(TimeoutError, InternalError):  # after the server's end it is closed
            self._ask(self._end(serving), STOP_LIMIT_S)

    async def _end(self, serving: Serving) -> None:
        await serving.stop()
        if serving in self._serving:
            self._serving.remove(serving)
            ending = asyncio.get_running_loop().create_task(serving.ended())
            self._endings.add(ending)
            ending.add_done_callback(self._endings.discard)

    def _ask(self, work: Coroutine[Any, Any, T], limit_s: float, *, or_never: bool = False) -> T:
        """Have the server's thread do it, which begins with the first work; `or_never`: not after the limit.

        Raises:
            InternalError: the server has ended.
            RuntimeError: the kernel starts no thread.
            TimeoutError: it takes too long.
        """
        with self._lock:
            if self._over:
                work.close()
                raise InternalError("the management server has ended")
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
            doing = asyncio.run_coroutine_threadsafe(work, self._loop)
        try:
            return doing.result(limit_s)
        except TimeoutError:
            if or_never:
                doing.cancel()
            raise

    def __enter__(self) -> Self:
        """Nothing more to do: its thread begins with its first address."""
        return self

    def __exit__(self, *_: object) -> None:
        """End: addresses are given up, requests in hand have a second."""
        with self._lock:
            was_over, self._over = self._over, True
        if self._loop is not None and self._thread is not None and not was_over:
            with contextlib.suppress(TimeoutError):
                asyncio.run_coroutine_threadsafe(self._end_all(), self._loop).result(2 * STOP_LIMIT_S)
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
