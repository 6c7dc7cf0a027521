# SPDX-License-Identifier: BSD-3-Clause
"""Every failure that a user can meet, with the exit code it ends in.

The codes follow sysexits(3) and are a contract: 0 done, 1 what was looked at does not pass, 2 usage,
69 unavailable, 70 internal, 78 configuration.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum

RAISE_PROCESS_LIMIT = (
    "raise this user's limit of processes (`ulimit -u`; systemd: LimitNPROC= and TasksMax=; a container: "
    "pids.max)"
)
"""What to do when the kernel starts no further thread or process."""


class ExitCode(IntEnum):
    """What a shell sees."""

    DONE = 0
    FAILED = 1  # of a command that judges something: it does not pass
    USAGE = 2
    UNAVAILABLE = 69
    INTERNAL = 70
    CONFIG = 78


class PollgateError(Exception):
    """A failure with a message written for its reader: one sentence per line, no traceback needed."""

    exit_code: ExitCode = ExitCode.INTERNAL


class UsageError(PollgateError):
    """The command line asks for something that does not exist."""

    exit_code = ExitCode.USAGE


class UnavailableError(PollgateError):
    """A device, a huge page, a CPU, a socket or a permission is not there."""

    exit_code = ExitCode.UNAVAILABLE


class InternalError(PollgateError):
    """The appliance itself failed: a worker died too often, or a bug."""

    exit_code = ExitCode.INTERNAL


class ProblemsError(PollgateError):
    """Several problems found at once, each a finished line."""

    def __init__(self, problems: Sequence[str]) -> None:
        """Join the lines and count them."""
        self.problems = tuple(problems)
        count = len(self.problems)
        super().__init__("\n".join([*self.problems, f"{count} error{'s' if count != 1 else ''}"]))


class ConfigError(ProblemsError):
    """The configuration is wrong; every line is `file:line: key: what was found, what is allowed`."""

    exit_code = ExitCode.CONFIG


@dataclass(frozen=True, slots=True)
class Problem:
    """Why a configuration cannot be carried out on this host."""

    key: str  # the configuration key to change, such as ports[0].queues
    text: str  # what was found, what is allowed, what to do
    exit_code: ExitCode = ExitCode.CONFIG  # UNAVAILABLE: something of the host is missing

    def __str__(self) -> str:
        """The problem as one readable line."""
        return f"{self.key}: {self.text}"


class PlanError(ProblemsError):
    """The configuration is well formed but this host cannot do it; every line names the key to change.

    `details` has the same problems with their keys apart, for a caller that can say where a key stands.
    The exit code is that of the worst problem: CONFIG unless all that is wrong is that something of the
    host is missing, which is UNAVAILABLE.
    """

    def __init__(self, details: Sequence[Problem]) -> None:
        """Take the problems, at least one."""
        self.details = tuple(details)
        super().__init__([str(problem) for problem in self.details])
        missing_only = all(problem.exit_code is ExitCode.UNAVAILABLE for problem in self.details)
        self.exit_code = ExitCode.UNAVAILABLE if missing_only else ExitCode.CONFIG
