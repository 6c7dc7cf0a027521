# SPDX-License-Identifier: BSD-3-Clause
"""What a game studio does with an installed client library: compile and link against it."""

from __future__ import annotations

import os
import shlex
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

LIBRARIES = ("libsodium", "libcrypto", "libdeflate")
EXAMPLES = Path(__file__).parents[2] / "client" / "examples"


def check(command: Sequence[str | Path], env: Mapping[str, str] | None = None) -> str:
    """Run to the end and succeed; what it wrote."""
    done = subprocess.run(
        [str(word) for word in command],
        env=env,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, f"{shlex.join(map(str, command))}:\n{done.stdout}"
    return done.stdout


@dataclass(frozen=True)
class Installed:
    """The files below a prefix, and a directory for what is made of them."""

    prefix: Path
    directory: Path

    @property
    def header(self) -> Path:
        return self.prefix / "include" / "pollgate_client.h"

    @property
    def source(self) -> Path:
        return self.prefix / "share" / "pollgate-client" / "pollgate_client.c"

    def pkg_config(self, *arguments: str) -> list[str]:
        """What pkg-config says, as words."""
        path = {"PKG_CONFIG_PATH": str(self.prefix / "lib" / "pkgconfig")}
        return check(["pkg-config", *arguments], env=os.environ | path).split()

    def compile(self, compiler: str, source: Path, out: str, *flags: str) -> Path:
        """Compile one file with every warning an error."""
        made = self.directory / out
        check([compiler, "-Wall", "-Wextra", "-Werror", "-I", self.header.parent, *flags, source, "-o", made])
        return made

    def build_player(self, out: str, *flags: str) -> Path:
        """The example, as C11, with the single file beside it."""
        made = self.directory / out
        command = [
            "gcc",
            "-std=c11",
            "-D_POSIX_C_SOURCE=200809L",
            "-O1",
            "-Wall",
            "-Wextra",
            "-Werror",
            *flags,
        ]
        files = [EXAMPLES / "player.c", self.source]
        libraries = self.pkg_config("--cflags", "--libs", *LIBRARIES)
        check([*command, "-I", self.header.parent, *files, "-o", made, *libraries, "-lm"])
        return made
