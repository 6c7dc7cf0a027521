# SPDX-License-Identifier: BSD-3-Clause
"""What a studio does with the installed library: compile a game server, and link it."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from tests.client.installed import check

EXAMPLES = Path(__file__).parents[2] / "game" / "examples"


@dataclass(frozen=True)
class Installed:
    """The files below a prefix, and a directory for what is made of them."""

    prefix: Path
    directory: Path

    @property
    def header(self) -> Path:
        return self.prefix / "include" / "pollgate_game.h"

    @property
    def source(self) -> Path:
        return self.prefix / "share" / "pollgate-game" / "pollgate_game.c"

    def pkg_config(self, *arguments: str) -> list[str]:
        """What pkg-config says, as words."""
        path = {"PKG_CONFIG_PATH": str(self.prefix / "lib" / "pkgconfig")}
        return check(["pkg-config", *arguments, "pollgate-game"], env=os.environ | path).split()

    def compile(self, compiler: str, source: Path, out: str, *flags: str) -> Path:
        """Compile one file with every warning an error."""
        made = self.directory / out
        check([compiler, "-Wall", "-Wextra", "-Werror", "-I", self.header.parent, *flags, source, "-o", made])
        return made
