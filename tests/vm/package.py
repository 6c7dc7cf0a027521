# SPDX-License-Identifier: BSD-3-Clause
"""What is tested, as a disk: what `pollgate run` needs of this virtual environment, and the agent."""

from __future__ import annotations

import contextlib
import importlib.metadata
import shutil
import sys
from pathlib import Path

from packaging.requirements import Requirement

from tests.vm.image import file_system


def package_disk(directory: Path) -> Path:
    """A file system with the agent and the part of this virtual environment that `pollgate run` needs."""
    tree = directory / "package"
    site = Path(str(importlib.metadata.distribution("pollgate").locate_file("")))
    environment = Path(sys.prefix)
    inside = tree / site.relative_to(environment)
    inside.mkdir(parents=True)
    shutil.copy2(Path(__file__).with_name("agent.py"), tree)
    shutil.copy2(environment / "pyvenv.cfg", tree)
    (tree / "bin").mkdir()
    for link in ("python", "python3", f"python3.{sys.version_info.minor}"):
        (tree / "bin" / link).symlink_to("/usr/bin/python3")
    shutil.copy2(environment / "bin" / "pollgate", tree / "bin")
    for name in _needed_distributions("pollgate", {}):
        for file in importlib.metadata.distribution(name).files or ():
            if ".." in file.parts:
                continue  # a command
            (inside / file).parent.mkdir(parents=True, exist_ok=True)
            with contextlib.suppress(FileNotFoundError):  # compiled by another interpreter
                shutil.copy2(site / file, inside / file)
    disk = directory / "package.ext4"
    file_system(tree, disk, spare_mib=8)
    shutil.rmtree(tree)
    return disk


def _needed_distributions(name: str, found: dict[str, None]) -> dict[str, None]:
    """The distribution and what it requires, without extras."""
    if name.lower() not in found:
        found[name.lower()] = None
        for line in importlib.metadata.requires(name) or ():
            requirement = Requirement(line)
            if requirement.marker is None or requirement.marker.evaluate({"extra": ""}):
                _needed_distributions(requirement.name, found)
    return found
