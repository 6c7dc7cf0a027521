# SPDX-License-Identifier: BSD-3-Clause
"""Builds container images without a daemon or a registry: buildah, on a base that debootstrap makes.

The base stands in for the official `debian:bookworm-slim` under its name. It also carries what this host is
configured with to reach Debian and PyPI (certificates, proxies, an index), so that nothing of it needs to be
in the Dockerfile. Images are kept in a storage of their own, `build/container`; the base is made once.
"""

from __future__ import annotations

import os
import resource
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
STORAGE = ROOT / "build" / "container"
BASE = "docker.io/library/debian:bookworm-slim"
MIRROR = os.environ.get("DEBIAN_MIRROR", "http://deb.debian.org/debian")
PIP_SETTINGS = ("index-url", "proxy", "trusted-host", "timeout")
ENOUGH = 4096  # descriptors of a process in a container, and processes


def missing() -> str | None:
    """Why images cannot be built on this host, as a sentence; None when they can."""
    absent = [tool for tool in ("buildah", "debootstrap") if shutil.which(tool) is None]
    if absent:
        return f"{' and '.join(absent)} not installed: scripts/setup --test installs what builds the image"
    if os.geteuid() != 0:
        return "not root: debootstrap and chroot isolation need it"
    return None


def run(command: Sequence[str | Path], timeout_s: float) -> str:
    """Run a command to its end; its standard output. A failure shows the end of what it said."""
    done = subprocess.run(command, capture_output=True, text=True, timeout=timeout_s, check=False)
    tail = "\n".join((done.stdout + done.stderr).splitlines()[-40:])
    assert done.returncode == 0, f"{' '.join(map(str, command))} ended with {done.returncode}:\n{tail}"
    return done.stdout


def buildah(*arguments: str | Path, timeout_s: float = 120) -> str:
    """Run buildah on our storage."""
    storage = ("--root", STORAGE / "storage", "--runroot", STORAGE / "run", "--storage-driver", "vfs")
    return run(("buildah", *storage, *arguments), timeout_s)


def low_limits() -> tuple[str, ...]:
    """Options that give a container no more than this process may give away.

    Newer versions raise two limits in every container, and fail where this host's hard limits are lower;
    older ones lower their own limit of processes first. Nothing here needs more than these.
    """
    limits = {"nofile": resource.RLIMIT_NOFILE, "nproc": resource.RLIMIT_NPROC}
    hard = {name: resource.getrlimit(limit)[1] for name, limit in limits.items()}
    given = {
        name: ENOUGH if most == resource.RLIM_INFINITY else min(most, ENOUGH) for name, most in hard.items()
    }
    return tuple(f"--ulimit={name}={most}:{most}" for name, most in given.items())


def ensure_base() -> None:
    """Make the base image unless it is there."""
    STORAGE.mkdir(parents=True, exist_ok=True)
    buildah("rm", "--all")  # what a killed run left
    if BASE in buildah("images", "--format", "{{.Name}}:{{.Tag}}"):
        return
    root = STORAGE / "bookworm"
    shutil.rmtree(root, ignore_errors=True)
    run(("debootstrap", "--variant=minbase", "bookworm", root, MIRROR), timeout_s=600)
    shutil.rmtree(root / "var/cache/apt/archives", ignore_errors=True)
    _carry_host_settings(root)
    try:
        with container("scratch") as name:
            buildah("copy", name, root, "/")
            buildah("config", "--cmd", "bash", name)
            buildah("commit", name, BASE)
    finally:
        shutil.rmtree(root)


def build(tag: str, dockerfile: Path) -> None:
    """Build the image as a user would, only with the base of `ensure_base` and no registry.

    Without cached layers: each would be a whole file system of its own in this storage.
    """
    buildah(
        *("bud", "--isolation", "chroot", "--pull-never", "--format", "docker", "--layers=false"),
        *(*low_limits(), "--tag", tag, "--file", dockerfile, ROOT),
        timeout_s=900,
    )
    buildah("rmi", "--prune")  # the image that had this tag before


@contextmanager
def container(tag: str) -> Iterator[str]:
    """A fresh container of the image; gone when the `with` block is left."""
    name = buildah("from", "--pull-never", *low_limits(), tag).strip()
    try:
        yield name
    finally:
        buildah("rm", name)


def run_in(name: str, *command: str, timeout_s: float = 60) -> str:
    """Run a command in a container, as the image's user and without a capability; its standard output."""
    isolation = ("--isolation", "chroot", "--cap-drop", "all")
    return buildah("run", *isolation, name, "--", *command, timeout_s=timeout_s)


def _carry_host_settings(root: Path) -> None:
    """Let apt and pip in the image reach what they reach on this host."""
    options = run(("apt-config", "dump"), timeout_s=60).splitlines()
    carried = [line for line in options if line.startswith(("Acquire::Check-", "Acquire::http"))]
    (root / "etc/apt/apt.conf.d/99host").write_text("".join(f"{line}\n" for line in carried))

    pip: dict[str, str] = {}
    for line in run((sys.executable, "-m", "pip", "config", "list"), timeout_s=30).splitlines():
        key, _, value = line.partition("=")
        pip[key.split(".", 1)[1].lstrip(".")] = value.strip("'")
    settings = {key: pip[key] for key in PIP_SETTINGS if key in pip}
    certificates = pip.get("cert") or os.environ.get("SSL_CERT_FILE")
    if certificates:
        shutil.copyfile(certificates, root / "etc/host-certificates.pem")
        settings["cert"] = "/etc/host-certificates.pem"
    lines = "".join(f"{key} = {value}\n" for key, value in settings.items())
    (root / "etc/pip.conf").write_text(f"[global]\n{lines}")
