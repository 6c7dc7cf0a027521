# SPDX-License-Identifier: BSD-3-Clause
"""A real Prometheus for a test: started on loopback, scraping one target often, asked over its HTTP API."""

from __future__ import annotations

import json
import socket
import subprocess
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.ports import free_port

READY_TIMEOUT_S = 120.0


class Prometheus:
    """A Prometheus server that is running."""

    def __init__(self, url: str, process: subprocess.Popen[bytes], log: Path) -> None:
        self._url = url
        self._process = process
        self._log = log

    def api(self, path: str, **arguments: str) -> Any:
        """What an endpoint of the HTTP API answers, without its envelope."""
        url = f"{self._url}/api/v1/{path}?{urllib.parse.urlencode(arguments)}"
        with urllib.request.urlopen(url, timeout=60) as answer:
            found = json.load(answer)
        assert found["status"] == "success", found
        return found["data"]

    def query(self, expression: str) -> list[dict[str, Any]]:
        """The samples of an instant query."""
        result: list[dict[str, Any]] = self.api("query", query=expression)["result"]
        return result

    def value(self, expression: str) -> float:
        """The value of an expression that has exactly one."""
        [sample] = self.query(expression)
        return float(sample["value"][1])

    def wait(self, expression: str) -> None:
        """Ask until there is an answer."""
        deadline = time.monotonic() + READY_TIMEOUT_S
        while True:
            try:
                if self.query(expression):
                    return
            except (urllib.error.URLError, ConnectionError):
                pass  # still starting
            assert self._process.poll() is None, self._log.read_text()
            assert time.monotonic() < deadline, self._log.read_text()
            time.sleep(0.05)


@contextmanager
def scraping(url: str, directory: Path) -> Iterator[Prometheus]:
    """Run Prometheus with its data in `directory`, scraping the metrics at `url` as job `pollgate`."""
    config, log = directory / "prometheus.yml", directory / "prometheus.log"
    config.write_text(
        "scrape_configs:\n"
        "  - job_name: pollgate\n"
        "    scrape_interval: 500ms\n"
        "    scrape_timeout: 500ms\n"
        f"    static_configs: [{{targets: ['{urllib.parse.urlsplit(url).netloc}']}}]\n"
    )
    listen = f"127.0.0.1:{free_port(socket.SOCK_STREAM)}"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [
                "prometheus",
                f"--config.file={config}",
                f"--storage.tsdb.path={directory / 'prometheus'}",
                f"--web.listen-address={listen}",
            ],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    try:
        yield Prometheus(f"http://{listen}", process, log)
    finally:
        process.kill()
        process.wait()
