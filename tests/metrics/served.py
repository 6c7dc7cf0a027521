# SPDX-License-Identifier: BSD-3-Clause
"""The management server with one address, that of metrics, as most tests want it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Self

from pyshim.management.server import ManagementServer, Served
from pyshim.stats import Snapshot


class MetricsServer:
    """Serves what `source` returns, from start() to close(); a context manager does both."""

    def __init__(
        self,
        listen: tuple[str, int],
        source: Callable[[], Snapshot],
        age_s: Callable[[], float] = lambda: 0.0,
    ) -> None:
        self._listen = listen
        self._server = ManagementServer(source, age_s)
        self._served: Served | None = None

    def start(self) -> Self:
        if self._served is None:
            self._served = self._server.open_figures(self._listen)
        return self

    def close(self) -> None:
        if self._served is not None:
            self._served.close()
        self._server.__exit__()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def url(self) -> str:
        assert self._served is not None
        assert self._served.url is not None
        return self._served.url
