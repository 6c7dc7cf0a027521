# SPDX-License-Identifier: BSD-3-Clause
"""The client library as `meson install` leaves it, and what is built from that."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.client.c_client import Library
from tests.client.installed import Installed, check

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="session")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Installed:
    """The library, configured without the gateway as a game studio would, installed below a directory."""
    directory = tmp_path_factory.mktemp("client")
    build, prefix = directory / "build", directory / "prefix"
    environment = os.environ | {"CC": "gcc"}
    options = ["-Dpython=false", "-Dgateway=false", "-Dtests=false", f"--prefix={prefix}", "--libdir=lib"]
    check(["meson", "setup", build, ROOT, *options], env=environment)
    check(["meson", "install", "-C", build], env=environment)
    return Installed(prefix, directory)


@pytest.fixture(scope="session")
def library(installed: Installed) -> Library:
    """The shared library, loaded into this process."""
    return Library(installed.prefix / "lib" / "libpollgate-client.so", installed.header)


@pytest.fixture(scope="session")
def player(installed: Installed) -> Path:
    """The example player, built from the installed single file, with ASan and UBSan."""
    return installed.build_player("player", "-fsanitize=address,undefined", "-fno-sanitize-recover=all", "-g")


@pytest.fixture(scope="session", autouse=True)
def _tools() -> None:
    here = Path(sys.executable).parent  # where meson is, whether or not the environment is activated
    os.environ["PATH"] = f"{here}:{os.environ['PATH']}"
    missing = [tool for tool in ("gcc", "g++", "meson", "pkg-config") if shutil.which(tool) is None]
    assert not missing, f"scripts/setup --test installs {missing}"
    subprocess.run(["pkg-config", "--exists", "libsodium", "libcrypto", "libdeflate"], check=True, timeout=60)
