# SPDX-License-Identifier: BSD-3-Clause
"""What somebody without DPDK, or with one too old, is told by the build."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

APT_LINE = "libdpdk 22.11 or newer was not found; on Debian: apt-get install libdpdk-dev"


def configure(build: Path, packages: Path) -> subprocess.CompletedProcess[str]:
    """Configure the C side where pkg-config finds only `packages`."""
    meson = Path(sys.executable).with_name("meson")
    return subprocess.run(
        [str(meson), "setup", str(build), str(ROOT), "-Dpython=false", "-Dtests=false"],
        env={**os.environ, "PKG_CONFIG_LIBDIR": str(packages), "PKG_CONFIG_PATH": ""},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize("version", [None, "21.11.0"], ids=["missing", "too old"])
def test_build_without_a_usable_libdpdk_names_the_package_to_install(
    tmp_path: Path, version: str | None
) -> None:
    if version is not None:
        text = f"Name: DPDK\nDescription: none\nVersion: {version}\nLibs:\nCflags:\n"
        (tmp_path / "libdpdk.pc").write_text(text)

    result = configure(tmp_path / "build", tmp_path)

    assert result.returncode != 0
    assert f"ERROR: Problem encountered: {APT_LINE}\n" in result.stdout
