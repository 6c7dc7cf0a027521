# SPDX-License-Identifier: BSD-3-Clause
"""Adds file and line to a failure that names a key of the configuration."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pyshim.config import Config, yaml_source
from pyshim.errors import ExitCode, PollgateError
from pyshim.system.regular_file import read_regular

_KEY = re.compile(r"(?P<key>[a-z_]+(?:\[\d+\])?(?:\.[a-z_]+(?:\[\d+\])?)*): ")
_KEY_PART = re.compile(r"[a-z_]+|\d+")


class _LocatedError(PollgateError):
    """A failure whose message names file and line; it keeps the exit code of the original failure."""

    def __init__(self, message: str, exit_code: ExitCode) -> None:
        super().__init__(message)
        self.exit_code = exit_code


@contextmanager
def located(config: Path) -> Iterator[None]:
    """Add file and line to every line of a failure that begins with a configuration key."""
    try:
        yield
    except PollgateError as error:
        raise _LocatedError(locate(str(error), config), error.exit_code) from error


def locate(message: str, config: Path) -> str:
    """`workers.cpus: …` → `gate.yaml:12: workers.cpus: …`, for every line that begins with a key.

    A key that is not written gets the line of the nearest enclosing key that is. A line without a known key
    stays as it is, and so do all lines when the file can no longer be read.
    """
    try:
        root = yaml_source.parse(read_regular(config).decode("utf-8-sig")).root
    except (OSError, ValueError):
        root = None
    if root is None:
        return message

    def with_place(line: str) -> str:
        match = _KEY.match(line)
        parts = _KEY_PART.findall(match["key"]) if match else []
        if not parts or parts[0] not in Config.model_fields:
            return line
        path = tuple(int(part) if part.isdecimal() else part for part in parts)
        return f"{config}:{yaml_source.line_of(root, path)}: {line}"

    return "\n".join(with_place(line) for line in message.splitlines())
