# SPDX-License-Identifier: BSD-3-Clause
"""The users that this host knows, and what this process is by its own program's file."""

from __future__ import annotations

import grp
import os
import pwd
import re
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from pyshim.confinement import ServiceUser
from pyshim.host.facts import Accounts

if TYPE_CHECKING:
    from pyshim.config.game import GameConfig


def gather_user(name: str | None) -> ServiceUser | None:
    """The user of that name; None when none is asked for, or there is none."""
    if name is None:
        return None
    try:
        entry = pwd.getpwnam(name)
    except KeyError:
        return None
    return ServiceUser(entry.pw_name, entry.pw_uid, entry.pw_gid)


def gather_accounts(game: GameConfig) -> Accounts:
    """The users and groups that the section `game` names."""
    users, groups = {}, {}
    for name in filter(None, (*(game.users or ()), game.owner)):
        with suppress(KeyError):
            users[name] = pwd.getpwnam(name).pw_uid
    if game.group is not None:
        with suppress(KeyError):
            groups[game.group] = grp.getgrnam(game.group).gr_gid
    return Accounts(os.geteuid(), users, groups)


def has_file_capabilities(root: Path = Path("/")) -> bool:
    """Whether this process has capabilities of its program's file, which no child has under no_new_privs."""
    found = dict(re.findall(r"^(\w+):\s*(\w+)", (root / "proc/self/status").read_text(), re.MULTILINE))
    return found["Uid"] != "0" and bool(int(found["CapPrm"], 16) & ~int(found["CapAmb"], 16))
