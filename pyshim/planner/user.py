# SPDX-License-Identifier: BSD-3-Clause
"""Whether the worker process can become the user that the configuration names."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pyshim.errors import ExitCode, Problem

if TYPE_CHECKING:
    from pyshim.config.models import Config
    from pyshim.host import HostFacts


def check_user(config: Config, host: HostFacts, problems: list[Problem]) -> None:
    """Check workers.user; errors are appended to `problems`."""
    name = config.workers.user
    if name is None:
        return
    if host.user is None:
        problems.append(
            Problem(
                "workers.user",
                f"this host has no user {name}; make one: useradd --system --no-create-home {name}",
                ExitCode.UNAVAILABLE,
            )
        )
    elif host.user.uid == 0:
        problems.append(
            Problem(
                "workers.user",
                f"{name} is root, which the worker process should not stay; name a user without privileges, "
                "or remove the key",
                ExitCode.CONFIG,
            )
        )
    elif not host.privileges.set_user:
        problems.append(
            Problem(
                "workers.user",
                f"only root, or a process with CAP_SETUID and CAP_SETGID, can become {name}; start the "
                "gateway so, or remove the key and start it as that user",
                ExitCode.UNAVAILABLE,
            )
        )
