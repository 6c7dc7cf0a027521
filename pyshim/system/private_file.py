# SPDX-License-Identifier: BSD-3-Clause
"""A file that holds a secret: nobody but its owner can ever read it, and it is there whole or not at all."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TextIO

from pyshim.errors import UsageError
from pyshim.system.regular_file import kind_of

_ROOM_BYTES = 4096  # a secret is shorter


@contextmanager
def private_file(path: Path, option: str) -> Iterator[TextIO]:
    """Something to write to, which becomes the file at `path` when the block ends well.

    Made before the block begins, with room on its disk, so that no secret is asked for that cannot be kept. A
    file that was there is replaced, whatever its mode and wherever it led.

    Args:
        path: where it goes.
        option: that named it, for the sentence.

    Raises:
        UsageError: no file can be made there.
    """
    try:
        if (kind := kind_of(path)) not in (None, "a file"):
            raise UsageError(f"{option}: {path} is {kind}, no ordinary file; name one that may be written")
        descriptor, made = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)  # 0600
    except OSError as problem:
        raise UsageError(
            f"{option}: {path} cannot be written: {problem.strerror}; name one where you may write"
        ) from problem
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            os.posix_fallocate(descriptor, 0, _ROOM_BYTES)
            yield file
            file.truncate()
        Path(made).replace(path)
    except BaseException as problem:
        with suppress(FileNotFoundError):
            Path(made).unlink()
        if isinstance(problem, OSError):
            raise UsageError(f"{option}: {path} cannot be written: {problem.strerror}") from problem
        raise
