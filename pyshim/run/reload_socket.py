# SPDX-License-Identifier: BSD-3-Clause
"""How `pollgate reload` finds the gateway of a configuration, asks it, and hears what came of it.

Every gateway listens at a local socket whose name follows from the path of its configuration, in a directory
that its user alone can have made. A connection is one question, the word `reload`, and one answer, in JSON.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import os
import selectors
import socket
import stat
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from pyshim.errors import ExitCode, PollgateError, UnavailableError
from pyshim.system.spare_descriptor import SpareDescriptor, is_scarce
from pyshim.system.unix_socket import listen_among_ours

ANSWER_LIMIT_S = 45.0  # a worker process that starts has 30 s, and the new configuration waits for it
ASKERS_MAX = 8
_QUESTION = b"reload\n"
_ANSWER_BYTES_MAX = 256 * 1024


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a reload."""

    code: int  # an ExitCode
    text: str


class ReloadRefusedError(PollgateError):
    """The old configuration stays."""

    def __init__(self, outcome: Outcome) -> None:
        """Take over the gateway's sentence and exit code."""
        super().__init__(outcome.text)
        self.exit_code = ExitCode(outcome.code)


# ---------------------------------------------------------------- where


def socket_name(config: Path) -> str:
    """The name of the reload socket: the same for everybody who names the same file, not what it links to.

    Raises:
        OSError: it is named from a working directory that is gone.
    """
    place = os.fsencode(Path(os.path.realpath(config.parent), config.name))
    label = config.stem[:32] if config.stem.isascii() and config.stem.isprintable() else "gate"
    return f"{label}-{hashlib.sha256(place).hexdigest()[:16]}.reload"


def _directories() -> Iterator[Path]:
    """Where this user's gateways may have their sockets, the best first."""
    of_user = os.environ.get("XDG_RUNTIME_DIR")
    if of_user and os.geteuid() != 0:
        yield Path(of_user) / "pollgate"
    yield Path("/run/pollgate")
    yield Path(f"/tmp/pollgate-{os.geteuid()}")  # only where it is ours alone


def _is_ours(directory: Path) -> bool:
    """Whether nobody else can have put something there; root may look into what is another user's own."""
    try:
        found = directory.lstat()
    except OSError:
        return False
    private = not found.st_mode & (stat.S_IWGRP | stat.S_IWOTH)
    trusted = found.st_uid == os.geteuid() or (os.geteuid() == 0 and directory == Path("/run/pollgate"))
    return stat.S_ISDIR(found.st_mode) and private and trusted


# ---------------------------------------------------------------- the gateway's side


@dataclass(eq=False)
class _Asker:
    connection: socket.socket
    asked: bool = False  # for the next reload
    waits: bool = False  # for the outcome of the one under way


class ReloadSocket:
    """Those who ask this gateway to reload. Never blocks; when `fileno` is readable, `heard` has work."""

    def __init__(self, config: Path) -> None:
        """Listen for the gateway of this configuration; where that is not possible, `unheard` says why."""
        self._selector = selectors.DefaultSelector()
        self._askers: list[_Asker] = []
        self._spare = SpareDescriptor("reload")
        self._path: Path | None = None
        self._listener: socket.socket | None = None
        self.unheard: str | None = None
        for directory in _directories():
            try:
                with contextlib.suppress(FileExistsError):
                    directory.mkdir(mode=0o755 if directory.parent == Path("/run") else 0o700)
                if not _is_ours(directory):
                    raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
                self._path = directory / socket_name(config)
                self._listener = listen_among_ours(self._path)
            except OSError as problem:
                self.unheard = f"{directory}: {problem.strerror or problem}"
                if problem.errno == errno.EADDRINUSE:
                    break  # another gateway of this configuration: its socket is not to be doubled
                continue
            self._listener.setblocking(False)
            self._selector.register(self._listener, selectors.EVENT_READ)
            self.unheard = None
            break

    def fileno(self) -> int:
        """For the supervisor's selector."""
        return self._selector.fileno()

    def heard(self) -> bool:
        """Take in what has come; whether somebody asks for a reload."""
        asked = False
        for key, _ in self._selector.select(0):
            if key.data is None:
                self._accept()
            else:
                asked = self._hear(key.data) or asked
        return asked

    def _accept(self) -> None:
        assert self._listener is not None
        try:
            connection, _ = self._listener.accept()
        except OSError as problem:  # it has gone already, or there is no descriptor left
            if is_scarce(problem):
                self._spare.refuse(self._listener, problem)
            return
        if len(self._askers) >= ASKERS_MAX:
            connection.close()
            return
        connection.setblocking(False)
        asker = _Asker(connection)
        self._askers.append(asker)
        self._selector.register(connection, selectors.EVENT_READ, asker)

    def _hear(self, asker: _Asker) -> bool:
        try:
            said = asker.connection.recv(len(_QUESTION))
        except BlockingIOError:
            return False
        except OSError:
            said = b""
        if said != _QUESTION:
            self._forget(asker)  # it has gone, or is no `pollgate reload`
            return False
        asker.asked = True
        return True

    def begin(self) -> None:
        """A reload begins: its outcome is for all who have asked so far, and not for those who ask later."""
        for asker in self._askers:
            asker.waits, asker.asked = asker.waits or asker.asked, False

    def answer(self, outcome: Outcome) -> None:
        """The outcome of the reload that began."""
        self._tell([asker for asker in self._askers if asker.waits], outcome)

    def _tell(self, askers: list[_Asker], outcome: Outcome) -> None:
        data = json.dumps(asdict(outcome)).encode()[:_ANSWER_BYTES_MAX]
        for asker in askers:
            with contextlib.suppress(OSError):  # it has gone; whole answers fit the socket's buffer
                asker.connection.send(data, socket.MSG_NOSIGNAL)
            self._forget(asker)

    def _forget(self, asker: _Asker) -> None:
        self._selector.unregister(asker.connection)
        asker.connection.close()
        self._askers.remove(asker)

    def close(self) -> None:
        """Nobody is heard any more; whoever still waits is told."""
        self._tell(
            list(self._askers), Outcome(ExitCode.UNAVAILABLE, "the gateway ends; nothing was reloaded")
        )
        if self._listener is not None and self._path is not None:
            self._listener.close()
            with contextlib.suppress(OSError):
                self._path.unlink()
        self._spare.close()
        self._selector.close()


# ---------------------------------------------------------------- the command's side


def ask_to_reload(config: Path, limit_s: float = ANSWER_LIMIT_S) -> str:
    """Have the gateway of this configuration read it again; what it says when the new one is in use.

    Raises:
        UnavailableError: none runs, or it did not answer.
        ReloadRefusedError: the old configuration stays.
    """
    with _connected(config) as connection:
        connection.settimeout(limit_s)
        try:
            connection.sendall(_QUESTION)
            data = b""
            while piece := connection.recv(65536):
                data += piece
            outcome = Outcome(**json.loads(data))
        except (OSError, ValueError, TypeError) as problem:
            why = f"within {limit_s:g} s" if isinstance(problem, TimeoutError) else f"({problem})"
            raise UnavailableError(
                f"the gateway of {config} did not say {why} whether it has reloaded; its log will"
            ) from problem
    if outcome.code != ExitCode.DONE:
        raise ReloadRefusedError(outcome)
    return outcome.text


def _connected(config: Path) -> socket.socket:
    try:
        name = socket_name(config)
    except OSError as problem:
        raise UnavailableError(
            f"{config} is not to be found: the working directory is gone ({problem.strerror}); cd to another"
        ) from problem
    for directory in _directories():
        if not _is_ours(directory):
            continue
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            connection.settimeout(5)
            connection.connect(str(directory / name))
        except OSError:
            connection.close()
        else:
            return connection
    places = " or ".join(str(directory / name) for directory in _directories())
    raise UnavailableError(
        f"no gateway that this user may ask runs with {config}: nobody listens at {places}; name the "
        "configuration as `run` was given it, be the user that the gateway has, or start it: `pollgate run`"
    )
