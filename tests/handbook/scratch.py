# SPDX-License-Identifier: BSD-3-Clause
"""A recipe of CONTRIBUTING.md, followed on a copy of the sources.

The recipe's own text is what is done: where a step says

    1. `dpdk_app/stats/counters.def`, above `// Time, in TSC cycles`:

       ```c
       TRANSMIT(…)
       ```

the block goes above (or `below`, or `instead of`) the one line of that file which contains that text. Of
`FILE`, a new file: the block is all of it, and of `FILE`, a copy of `OTHER`, the other file is. A step that
says `.venv/bin/python -m MODULE` is run. So a recipe that leaves a file out does not work, and one that
names too many is too long for its test.
"""

from __future__ import annotations

import filecmp
import os
import re
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
HANDBOOK = ROOT / "CONTRIBUTING.md"
COPIED = (
    "CONTRIBUTING.md",
    "client",
    "configs",
    "dpdk_app",
    "game",
    "meson.build",
    "pyproject.toml",
    "pyshim",
    "rooms.toml",
    "tests",
    "wireshark",
)
_OF_CLIENT = {"sources": "--source", "shared_sources": "--shared"}
NOT_COPIED = shutil.ignore_patterns("corpus", "__pycache__", "*.so")
BOUND_S = 300

_STEP = re.compile(
    r"`(?P<file>[\w./-]+)`,\s+(?P<place>above|below|instead\s+of)\s+`(?P<anchor>[^`]+)`:\n\n"
    r"(?P<indent> *)```\w*\n(?P<text>.*?)^(?P=indent)```$"
    r"|`(?P<new>[\w./-]+)`,\s+a\s+new\s+file:\n\n"
    r"(?P<its_indent> *)```\w*\n(?P<all>.*?)^(?P=its_indent)```$"
    r"|`(?P<copy>[\w./-]+)`,\s+a\s+copy\s+of\s+`(?P<other>[\w./-]+)`"
    r"|`\.venv/bin/python\s+-m\s+(?P<module>[\w.]+)`",
    re.MULTILINE | re.DOTALL,
)


@dataclass(frozen=True, slots=True)
class Edit:
    """Lines that are put into a file."""

    file: str  # below the root
    place: str  # "above", "below" or "instead of"; "new": all of a file; "copy": of another
    anchor: str  # what the line contains that the place is told by; of a copy, the other file
    text: str


@dataclass(frozen=True, slots=True)
class Recipe:
    """What a section of the handbook says that is to be done."""

    title: str
    text: str
    steps: tuple[Edit | str, ...]  # edits, and modules to run, in the order of the text

    @property
    def files(self) -> tuple[str, ...]:
        """What is edited by hand, each file once, in order."""
        return tuple(dict.fromkeys(step.file for step in self.steps if isinstance(step, Edit)))


def recipe(title: str, handbook: str | None = None) -> Recipe:
    """The section `### To add a TITLE`, also of another text than CONTRIBUTING.md's."""
    document = HANDBOOK.read_text() if handbook is None else handbook
    found = re.search(rf"^### To add an? {title}\n(.*?)(?=^##|\Z)", document, re.MULTILINE | re.DOTALL)
    assert found, f"the handbook has no recipe for: {title}"
    return Recipe(title, found[1], tuple(_steps(found[1])))


def _steps(text: str) -> Iterator[Edit | str]:
    for found in _STEP.finditer(text):
        if module := found["module"]:
            yield str(module)
        elif found["new"]:
            all_of_it = re.sub(f"^{found['its_indent']}", "", found["all"], flags=re.MULTILINE)
            yield Edit(found["new"], "new", "", all_of_it)
        elif found["copy"]:
            yield Edit(found["copy"], "copy", found["other"], "")
        else:
            place = " ".join(found["place"].split())
            text = re.sub(f"^{found['indent']}", "", found["text"], flags=re.MULTILINE)
            yield Edit(found["file"], place, found["anchor"], text)


class Scratch:
    """A copy of the sources, which nobody installs: what runs in it imports what is there."""

    def __init__(self, path: Path) -> None:
        """Copy what there is into `path`, an empty folder."""
        self.path = path
        self.original = path.with_name(f"{path.name}-before")
        for name in COPIED:
            if (ROOT / name).is_dir():
                shutil.copytree(ROOT / name, path / name, ignore=NOT_COPIED)
            else:
                shutil.copy(ROOT / name, path / name)
        shutil.copytree(path, self.original)

    def follow(self, it: Recipe) -> None:
        """Do what a recipe says, in its order."""
        for step in it.steps:
            if isinstance(step, Edit):
                self.edit(step)
            else:
                self.python("-m", step)

    def edit(self, edit: Edit) -> None:
        """Put lines in their place, which there must be once; or make a file, which there must not be."""
        file = self.path / edit.file
        if edit.place in ("new", "copy"):
            assert not file.exists(), f"{edit.file}: is there already"
            file.write_text(edit.text if edit.place == "new" else (self.path / edit.anchor).read_text())
            return
        lines = file.read_text().splitlines(keepends=True)
        at = [number for number, line in enumerate(lines) if edit.anchor in line]
        assert len(at) == 1, f"{edit.file}: `{edit.anchor}` is in {len(at)} lines, not in one"
        first = at[0] + (edit.place == "below")
        end = at[0] + (edit.place != "above")
        lines[first:end] = edit.text.splitlines(keepends=True)
        file.write_text("".join(lines))

    def changed(self) -> set[str]:
        """The sources that are not what they were, or are new, or gone, by their names below the root."""
        before, now = (set(_sources_of(root)) for root in (self.original, self.path))
        both = [name for name in before & now if not self._is_as_it_was(name)]
        return {*(before ^ now), *both}

    def _is_as_it_was(self, name: str) -> bool:
        return filecmp.cmp(self.original / name, self.path / name, shallow=False)

    def python(self, *arguments: str, text: str | None = None) -> str:
        """What a Python program of the copy prints; `text` is what it reads."""
        environment = {**os.environ, "PYTHONPATH": str(self.path), "PYTHONDONTWRITEBYTECODE": "1"}
        return run([sys.executable, *arguments], self.path, environment, text)

    def build_core(self) -> None:
        """Compile the data plane without devices, the extension without them, and the tests' library.

        What runs in the copy then has `pyshim._native`, with it `pyshim.dataplane`; and `tests.native`, with
        it the tests' CoreGateway.
        """
        self.python("tests/native/build.py", "_pollgate_test.c")
        ends = {
            "pyshim/_native/_pollgate": ["_pollgate.c"],
            "_pollgate_test": ["_pollgate_test.c", "dpdk_app/tests/core.c"],
        }
        without = {"bench", "lifecycle", "load", "recording", "world"}
        self._build(self._sources("core_sources ="), [], ends, [], without)

    def build_all(self) -> None:
        """Compile the whole data plane and the extension: `python -m pyshim` then runs gateways."""
        sources = [*self._sources("core_sources ="), *self._sources("'pollgate',")]
        dpdk, libraries = (
            run(["pkg-config", what, "libdpdk"], self.path).split() for what in ("--cflags", "--libs")
        )
        self.make_client("pollgate_client.c")
        sources.append("pollgate_client.c")
        ends = {"pyshim/_native/_pollgate": ["_pollgate.c"]}
        flags = [*dpdk, "-Iclient", "-DPGC_NO_SOCKET"]
        self._build(sources, flags, ends, [*libraries, "-luring", "-lseccomp", "-lcrypto"], set())

    def make_client(self, file: str) -> None:
        """The C client as one file: the players of `pollgate load`."""
        build = "client/one_file/meson.build"
        arguments = []
        for what, option in _OF_CLIENT.items():
            for name in self._listed(build, rf"^client_{what} = files\((.*?)^\)"):
                arguments += [option, os.path.normpath(f"client/one_file/{name}")]
        include = [
            word for room in ("client", "dpdk_app", "dpdk_app/include") for word in ("--include", room)
        ]
        self.python(
            "client/amalgamate.py",
            *(*arguments, *include, "--public", "pollgate_client.h", "--output", file),
        )

    def _build(
        self,
        sources: Iterable[str],
        more_flags: list[str],
        ends: dict[str, list[str]],
        more_libraries: list[str],
        without: set[str],
    ) -> None:
        self.python("-c", _EXTENSION, *without)
        folder = self.path / "objects"
        folder.mkdir()
        include = [f"-I{sysconfig.get_path('include')}", "-Idpdk_app", "-Idpdk_app/include"]
        flags = ["-std=gnu17", "-D_GNU_SOURCE", "-O0", "-w", "-fPIC", *include, *more_flags, "-c"]
        jobs = []
        levels = self._listed("dpdk_app/meson.build", r"^hot_args = \[(.*?)\]")
        for source in sources:
            jobs.append(["cc", *flags, source, "-o", str(folder / f"{source.replace('/', '-')}.o")])
        for isa in ("v2", "v3", "v4"):
            for hot in self._listed("dpdk_app/meson.build", r"^hot_sources = files\((.*?)\)$"):
                special = [f"-march=x86-64-{isa}", *levels, f"-DISA={isa}", f"dpdk_app/{hot}"]
                jobs.append(["cc", *flags, *special, "-o", str(folder / f"{Path(hot).stem}-{isa}.o")])
        with ThreadPoolExecutor(2) as pool:
            list(pool.map(lambda job: run(job, self.path), jobs))
        objects = [str(file) for file in folder.iterdir()]
        shared = ["cc", *flags[:-1], "-shared"]
        libraries = ["-lIPSec_MB", "-lsodium", "-ldeflate", "-lm", *more_libraries]
        for name, own in ends.items():
            out = f"{name}{sysconfig.get_config_var('EXT_SUFFIX')}"
            run([*shared, "-o", out, *own, *objects, *libraries], self.path)

    def _sources(self, what: str) -> Iterator[str]:
        listed = self._listed("dpdk_app/meson.build", rf"^ *{what}\s+files\((.*?)^ *\)")
        return (f"dpdk_app/{name}" for name in listed)

    def _listed(self, build: str, what: str) -> list[str]:
        """The words of a list in a file of meson's."""
        found = re.search(what, (self.path / build).read_text(), re.MULTILINE | re.DOTALL)
        assert found, f"{build} has no list like: {what}"
        return re.findall(r"'([^']+)'", found[1])


def _sources_of(root: Path) -> Iterator[str]:
    """The files of what is copied, by their names below the root; not what is made of them."""
    for name in COPIED:
        for file in (root / name).rglob("*") if (root / name).is_dir() else [root / name]:
            if file.is_file() and file.suffix != ".so" and "__pycache__" not in file.parts:
                yield file.relative_to(root).as_posix()


# What the whole library and its devices are needed for is left out of the declarations.
_EXTENSION = """
import sys
from cffi import FFI
from pyshim._native import build
maker = FFI()
without = set(sys.argv[1:])
maker.cdef("\\n".join(build.declarations(topic) for topic in build.TOPICS if topic not in without))
maker.set_source("pyshim._native._pollgate", build.HEADERS)
maker.emit_c_code("_pollgate.c")
"""


def run(
    command: list[str], folder: Path, environment: dict[str, str] | None = None, text: str | None = None
) -> str:
    """What a command prints. It must succeed."""
    done = subprocess.run(
        command,
        cwd=folder,
        env=environment,
        input=text,
        capture_output=True,
        text=True,
        timeout=BOUND_S,
        check=False,
    )
    assert done.returncode == 0, f"{' '.join(command)}\n{done.stderr}{done.stdout}"
    return done.stdout
