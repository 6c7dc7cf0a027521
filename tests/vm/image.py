# SPDX-License-Identifier: BSD-3-Clause
"""What the virtual machine is made of: the guest's disks, its kernel, and qemu.

The guest is a Debian of this host's own release, so that what was built here runs there. Its packages
are only unpacked, as no script of theirs is needed; that makes it in a minute. It is kept below `build/vm`
under a digest of its recipe: this file, and the names of the packages. What is tested is another disk.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import importlib.metadata
import json
import lzma
import os
import platform
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.container.images import MIRROR, ROOT, run
from tests.network.tagged import TAP

CACHE = ROOT / "build" / "vm"
SOURCE = Path(__file__).read_text()  # how it is made is part of what it is kept under
TOOLS = ("debootstrap", "mke2fs", "qemu-system-x86_64")
GUEST_PACKAGES = (
    *("linux-image-amd64", "kmod", "busybox-static"),  # the cloud kernel has no IOMMU
    *("python3", "iproute2", "pciutils", "procps", "dpdk", "ethtool"),  # dpdk: dpdk-devbind.py
)
# What DPDK loads by name when it starts: drivers of the cards that qemu has, their buses, the buffer pools.
PLUGINS = re.compile(r"librte-(net-(e1000|virtio|vmxnet3|af-packet)|bus-(pci|vdev)|mempool-ring)-?\d+")
BOOT_MODULES = ("virtio_pci", "virtio_blk", "crc32c_generic", "ext4")  # what it takes to reach the first disk

NEWER_QEMU_SUITE = "trixie"
IGB_SINCE = 8  # the first qemu that emulates an Intel 82576


@dataclass(frozen=True, slots=True)
class Guest:
    """The files of a Debian that can be booted."""

    kernel: Path
    initrd: Path
    root: Path  # an ext4 file system


@dataclass(frozen=True, slots=True)
class Qemu:
    """A qemu-system-x86_64, as the beginning of a command."""

    command: tuple[str, ...]
    version: int


def missing() -> str | None:
    """Why no machine can be run on this host, as a sentence; None when one can."""
    if os.geteuid() != 0:
        return "not root: a virtual machine's wire is a tap in a network namespace"
    if absent := [tool for tool in TOOLS if shutil.which(tool) is None]:
        return f"{', '.join(absent)} not installed: scripts/setup --test installs what virtual machines need"
    if not TAP.exists():
        return f"no {TAP}: a virtual machine's wire is a tap"
    if platform.machine() != "x86_64":
        return f"this is {platform.machine()}: the package that was built here runs in no x86-64 guest"
    return None


# ---------------------------------------------------------------- the guest


def guest() -> Guest:
    """The guest of this recipe; made unless it is there."""
    recipe = _recipe()
    with _kept("guest", recipe) as made:
        if not (made / "complete").exists():
            _make_guest(made, recipe["suite"], recipe["packages"])
            (made / "complete").touch()
        return Guest(made / "vmlinuz", made / "initrd", made / "root.ext4")


def _recipe() -> dict[str, object]:
    return {
        "recipe": SOURCE,
        "suite": platform.freedesktop_os_release()["VERSION_CODENAME"],
        "mirror": MIRROR,
        "packages": sorted({*GUEST_PACKAGES, *_plugins(), *_libraries()}),
    }


def _plugins() -> list[str]:
    """The installed packages of DPDK's drivers for the cards that qemu has."""
    names = run(("dpkg-query", "-W", "-f", "${Package}\n", "librte-*"), timeout_s=30).split()
    return [name for name in names if PLUGINS.fullmatch(name)]


def _libraries() -> set[str]:
    """The installed packages that own the libraries of the extension."""
    native = importlib.metadata.distribution("pollgate").locate_file("pyshim/_native")
    (extension,) = Path(str(native)).glob("_pollgate.*.so")
    found = re.findall(r"=> (/\S+)", run(("ldd", extension), timeout_s=30))
    # dpkg knows a file by the path under which it was packed, of which /lib is only another name.
    paths = {path for name in found for path in (str(Path(name).resolve()), str(Path(name).resolve())[4:])}
    owners = subprocess.run(("dpkg", "-S", *paths), capture_output=True, text=True, timeout=60, check=False)
    return {line.partition(":")[0] for line in owners.stdout.splitlines()}


def _make_guest(made: Path, suite: object, packages: object) -> None:
    root = made / "root"
    assert isinstance(suite, str)
    assert isinstance(packages, list)
    unpack(suite, packages, root)
    (version,) = (path.name for path in (root / "usr/lib/modules").iterdir())
    run(("chroot", root, "depmod", version), timeout_s=120)
    for name in ("passwd", "group"):
        shutil.copyfile(root / f"usr/share/base-passwd/{name}.master", root / "etc" / name)
    # Nobody's scripts did it: without, the guest would compile its standard library at each boot.
    library = f"/usr/lib/python3.{sys.version_info.minor}"  # of this release, as the package is
    run(("chroot", root, "python3", "-m", "compileall", "-q", library), timeout_s=300)
    (root / "usr/bin/which").symlink_to("which.debianutils")  # an alternative, which a script would choose
    _make_initrd(made, root, version)
    shutil.move(root / f"boot/vmlinuz-{version}", made / "vmlinuz")
    for name in ("boot", "usr/share/doc", "usr/share/man", "usr/share/locale"):
        shutil.rmtree(root / name, ignore_errors=True)
    (root / "package").mkdir()
    file_system(root, made / "root.ext4", spare_mib=128)
    shutil.rmtree(root)


INIT = """#!/bin/busybox sh
busybox mount -t devtmpfs devtmpfs /dev
for module in MODULES; do busybox insmod /modules/$module; done
until [ -b /dev/vda ] && [ -b /dev/vdb ]; do busybox usleep 20000; done
busybox mount -t ext4 /dev/vda /root
busybox mount -t ext4 -o ro /dev/vdb /root/package
busybox mount --move /dev /root/dev
exec busybox switch_root -c /dev/console /root /usr/bin/python3 /package/agent.py
"""


def _make_initrd(made: Path, root: Path, version: str) -> None:
    """A first root that does nothing but find the second one; Debian's own would start udev."""
    first = made / "first"
    modules = root / "usr/lib/modules" / version
    needs = {}
    for line in (modules / "modules.dep").read_text().splitlines():
        name, _, others = line.partition(":")
        needs[Path(name).name.partition(".")[0].replace("-", "_")] = (name, others.split())
    order: list[str] = []
    for module in BOOT_MODULES:
        if module not in needs:
            continue  # built in
        name, others = needs[module]
        order += [one for one in (*reversed(others), name) if one not in order]
    for name in ("bin", "dev", "root", "modules"):
        (first / name).mkdir(parents=True)
    shutil.copy(root / "usr/bin/busybox", first / "bin")
    for name in order:
        plain = (modules / name).read_bytes()
        if name.endswith(".xz"):
            plain = lzma.decompress(plain)
        (first / "modules" / Path(name).name.removesuffix(".xz")).write_bytes(plain)
    names = " ".join(Path(name).name.removesuffix(".xz") for name in order)
    (first / "init").write_text(INIT.replace("MODULES", names))
    (first / "init").chmod(0o755)
    cpio(first, made / "initrd")
    shutil.rmtree(first)


def cpio(tree: Path, archive: Path) -> None:
    """An archive that the kernel unpacks as its first root: the "newc" of cpio, which few hosts have."""

    def entry(number: int, name: str, mode: int, data: bytes) -> bytes:
        fields = (number, mode, 0, 0, 1, 0, len(data), 0, 0, 0, 0, len(name) + 1, 0)
        head = ("070701" + "".join(f"{field:08X}" for field in fields) + name).encode() + b"\0"
        return head + bytes(-len(head) % 4) + data + bytes(-len(data) % 4)

    with archive.open("wb") as out:
        for number, path in enumerate(sorted(tree.rglob("*"))):
            data = path.read_bytes() if path.is_file() else b""
            out.write(entry(number, str(path.relative_to(tree)), path.stat().st_mode, data))
        out.write(entry(0, "TRAILER!!!", 0, b""))


# ---------------------------------------------------------------- qemu


def qemu(at_least: int = 0) -> Qemu:
    """This host's qemu, or where that is older than asked, the one of a newer Debian."""
    here = shutil.which("qemu-system-x86_64")
    if here is not None and (version := _version((here,))) >= at_least:
        return Qemu((here,), version)
    with _kept("qemu", {"recipe": SOURCE, "suite": NEWER_QEMU_SUITE, "mirror": MIRROR}) as made:
        root = made / "root"
        if not (made / "complete").exists():
            unpack(NEWER_QEMU_SUITE, ["qemu-system-x86"], root)
            (made / "complete").touch()
    # No chroot: its loader, libraries and firmware are named, and it opens nothing else of its own.
    libraries = ":".join(str(root / "usr/lib/x86_64-linux-gnu" / part) for part in ("", "pulseaudio"))
    command = (
        *(str(root / "usr/lib64/ld-linux-x86-64.so.2"), "--library-path", libraries),
        str(root / "usr/bin/qemu-system-x86_64"),
    )
    firmware = [option for room in ("qemu", "seabios") for option in ("-L", str(root / "usr/share" / room))]
    return Qemu((*command, *firmware), _version(command))


def _version(command: Sequence[str]) -> int:
    said = run((*command, "--version"), timeout_s=60)
    found = re.search(r"version (\d+)\.", said)
    assert found is not None, said
    return int(found.group(1))


# ---------------------------------------------------------------- making file systems


@contextlib.contextmanager
def _kept(what: str, recipe: object) -> Iterator[Path]:
    """The directory of a recipe, held by this process alone; those of earlier recipes are removed."""
    digest = hashlib.sha256(json.dumps(recipe, sort_keys=True).encode()).hexdigest()[:16]
    CACHE.mkdir(parents=True, exist_ok=True)
    with (CACHE / f"{what}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        made = CACHE / f"{what}-{digest}"
        for other in CACHE.glob(f"{what}-*"):
            if other != made:
                shutil.rmtree(other)
        if made.exists() and not (made / "complete").exists():
            shutil.rmtree(made)  # of a run that was killed
        made.mkdir(exist_ok=True)
        yield made


def unpack(suite: str, packages: Sequence[str], root: Path) -> None:
    """Unpack Debian packages and what they depend on; none of their scripts runs."""
    run(
        (
            *("debootstrap", "--download-only", "--variant=minbase", f"--include={','.join(packages)}"),
            *(suite, root, MIRROR),
        ),
        timeout_s=900,
    )
    for name in ("bin", "sbin", "lib", "lib32", "lib64", "libx32"):
        (root / "usr" / name).mkdir(parents=True, exist_ok=True)
        (root / name).symlink_to(f"usr/{name}")
    for archive in sorted((root / "var/cache/apt/archives").glob("*.deb")):
        into = 'dpkg-deb --fsys-tarfile "$1" | tar -x --keep-directory-symlink -C "$2"'
        run(("bash", "-o", "pipefail", "-c", into, "bash", archive, root), timeout_s=300)
    shutil.rmtree(root / "var/cache/apt")
    run(("chroot", root, "ldconfig"), timeout_s=120)


def file_system(tree: Path, disk: Path, *, spare_mib: int) -> None:
    """Make a tree an ext4 file system, a sparse file."""
    used_mib = int(run(("du", "-s", "--block-size=1M", tree), timeout_s=60).split()[0])
    files = sum(1 for _ in tree.rglob("*"))
    run(
        (
            *("mke2fs", "-q", "-F", "-t", "ext4", "-O", "^has_journal", "-N", str(files + 4096), "-m", "0"),
            *("-d", tree, disk, f"{used_mib * 5 // 4 + spare_mib}M"),
        ),
        timeout_s=300,
    )
