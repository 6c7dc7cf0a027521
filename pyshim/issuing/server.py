# SPDX-License-Identifier: BSD-3-Clause
"""The control API on a thread of the supervisor, from before its first worker process to the end."""

from __future__ import annotations

import contextlib
import threading
import time
from pathlib import Path
from typing import Self

import uvicorn

from pyshim.config import Config
from pyshim.config.values import Endpoint, UnixSocket
from pyshim.errors import InternalError
from pyshim.issuing.access import advertised, bind, control_address, read_token, server_tls
from pyshim.issuing.app import Gateway, make_app
from pyshim.issuing.bounds import Bounds
from pyshim.issuing.connections import BoundedListener, protocol_of
from pyshim.letters import Post
from pyshim.sessions import SessionTable

START_LIMIT_S = 10.0
STOP_LIMIT_S = 3.0
_HEADERS_BYTES_MAX = 16 * 1024


class ControlServer:
    """Serves the API of one gateway; a context manager that starts and ends it."""

    def __init__(self, config: Config, sessions: SessionTable, post: Post) -> None:
        """Take the address, and read what the configuration names.

        Raises:
            PlanError: the address, the token or the certificate is not to be had.
        """
        token, tls = read_token(config), server_tls(config)
        address = control_address(config)
        gateway = Gateway(sessions, post, advertised(config))
        self._listener = BoundedListener.of(bind(address, is_default=config.control.listen is None))
        settings = uvicorn.Config(
            Bounds(make_app(gateway), token),
            http=protocol_of(self._listener),
            ws="none",
            loop="asyncio",
            lifespan="off",
            interface="asgi3",
            log_config=None,
            log_level="critical",  # what a client does wrong is told to the client
            access_log=False,
            proxy_headers=False,
            server_header=False,
            timeout_keep_alive=5,
            timeout_graceful_shutdown=1,
            h11_max_incomplete_event_size=_HEADERS_BYTES_MAX,
        )
        settings.load()
        settings.ssl = tls
        self._server = uvicorn.Server(settings)
        self._thread = threading.Thread(target=self._serve, name="control", daemon=True)
        self._unix_path = address.path if isinstance(address, UnixSocket) else None
        self.where = f"{self._bound(address)}{' with TLS' if tls else ''}"

    def _bound(self, address: Endpoint | UnixSocket) -> Endpoint | UnixSocket:
        """The address with the port that is really bound."""
        if isinstance(address, UnixSocket):
            return address
        return Endpoint(address.host, self._listener.getsockname()[1])

    def _serve(self) -> None:
        self._server.run(sockets=[self._listener])

    def __enter__(self) -> Self:
        """Serve.

        Raises:
            InternalError: the server did not come up.
        """
        self._thread.start()
        deadline_s = time.monotonic() + START_LIMIT_S
        while not self._server.started:
            if not self._thread.is_alive() or time.monotonic() > deadline_s:
                self._remove()
                raise InternalError(f"the control API at {self.where} did not start")
            time.sleep(0.005)
        return self

    def __exit__(self, *_: object) -> None:
        """End: requests in hand have a second, the address is given up."""
        self._server.should_exit = True
        self._thread.join(STOP_LIMIT_S)
        self._remove()

    def _remove(self) -> None:
        self._listener.close()
        if self._unix_path is not None:
            with contextlib.suppress(OSError):
                Path(self._unix_path).unlink()
