# SPDX-License-Identifier: BSD-3-Clause
"""Players of the client in JavaScript: processes that are told what to say, and tell what they hear."""

from __future__ import annotations

import base64
import json
import queue
import subprocess
import threading
from pathlib import Path
from types import TracebackType
from typing import Any, Self

PATIENCE_S = 300.0  # a bound: bulk took a minute on a busy machine, on a network that loses a fifth
PLAYER = Path(__file__).with_name("player.js")
MOVE, ATTACK, CHAT, SKILL, BULK = 1, 2, 3, 5, 7


class Player:
    """One player; the process is gone when the `with` block is left."""

    def __init__(self, ticket: dict[str, Any], *, loss: float = 0.0) -> None:
        self._process = subprocess.Popen(
            ("setpriv", "--pdeathsig", "KILL", "node", str(PLAYER), json.dumps(ticket), str(loss)),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self._lines: queue.SimpleQueue[str] = queue.SimpleQueue()
        self.events: list[tuple[str, Any]] = []
        threading.Thread(target=self._read, daemon=True).start()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.kill()
        self._process.communicate()

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self._lines.put(line)

    def heard(self, name: str, count: int = 1) -> list[Any]:
        """The first `count` events of a name, once they came."""
        while True:
            found = [detail for event, detail in self.events if event == name]
            if len(found) >= count:
                return found
            try:
                event, detail = json.loads(self._lines.get(timeout=PATIENCE_S), object_hook=_bytes)
            except queue.Empty:
                raise AssertionError(f"no {name}, only {self.events}") from None
            self.events.append((event, detail))

    def messages(self, name: str, count: int = 1) -> list[dict[str, Any]]:
        """The bodies of the first `count` messages of a name."""
        number = count
        while True:
            came = [message["body"] for message in self.heard("message", number) if message["name"] == name]
            if len(came) >= count:
                return came
            number += 1

    def do(self, command: str, **fields: Any) -> None:
        """Give a command."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps({"do": command, **fields}, default=_json) + "\n")
        self._process.stdin.flush()

    def send(self, kind: int, body: Any, **how: Any) -> int:
        """Say a message: its number."""
        before = len([event for event, _ in self.events if event == "said"])
        self.do("send", type=kind, body=body, how=how)
        number: int = self.heard("said", before + 1)[before]
        return number

    def chat(self, text: str, to: int, **how: Any) -> int:
        """Say a text to a player."""
        return self.send(CHAT, {"targetId": to, "text": text}, **how)

    def status(self) -> dict[str, Any]:
        """What the player knows of the connection now."""
        before = len([event for event, _ in self.events if event == "status"])
        self.do("status")
        status: dict[str, Any] = self.heard("status", before + 1)[before]
        return status


def _json(value: bytes) -> dict[str, str]:
    return {"bytes": base64.b64encode(value).decode()}


def _bytes(value: dict[str, Any]) -> Any:
    return base64.b64decode(value["bytes"]) if value.keys() == {"bytes"} else value
