# SPDX-License-Identifier: BSD-3-Clause
"""The installed library builds wherever a game server is built, and brings nothing along."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

import pyshim
from tests.client.installed import check
from tests.game.installed import EXAMPLES, Installed

COMPILERS = [name for name in ("gcc", "clang") if shutil.which(name)]


@pytest.mark.parametrize("compiler", COMPILERS)
@pytest.mark.parametrize("standard", ["-std=c17", "-std=gnu17"])
@pytest.mark.parametrize("optimisation", ["-O0", "-O2"])
def test_single_file_compiles_without_a_warning(
    installed: Installed, compiler: str, standard: str, optimisation: str
) -> None:
    installed.compile(compiler, installed.source, "game.o", standard, optimisation, "-c")


def test_single_file_shows_no_name_but_its_own_and_needs_no_library(installed: Installed) -> None:
    made = installed.compile("gcc", installed.source, "game.o", "-std=c17", "-O2", "-c")
    defined = [line.split()[-1] for line in check(["nm", "-g", "--defined-only", made]).splitlines()]
    assert defined
    assert all(name.startswith("pgg_") for name in defined)
    assert "rte_" not in installed.source.read_text()
    linked = check(["ldd", installed.prefix / "lib" / "libpollgate-game.so"])
    assert set(re.findall(r"lib(\w+)[.-]", linked)) <= {"c", "m", "ld"}


def test_every_function_of_the_header_is_in_the_library(installed: Installed) -> None:
    declared = set(
        re.findall(r"\b(pgg_\w+)\(", re.sub(r"/\*.*?\*/", "", installed.header.read_text(), flags=re.S))
    )
    symbols = check(["nm", "-D", "--defined-only", installed.prefix / "lib" / "libpollgate-game.so"])
    assert declared == {line.split()[-1] for line in symbols.splitlines() if "pgg_" in line}


def test_the_header_has_the_version_of_the_project(installed: Installed) -> None:
    assert f'#define PGG_VERSION "{pyshim.__version__}"' in installed.header.read_text()
    assert check(["grep", "^Version:", installed.prefix / "lib/pkgconfig/pollgate-game.pc"]).split()[1] == (
        pyshim.__version__
    )


def test_header_can_be_read_by_cpp(installed: Installed) -> None:
    source = installed.directory / "game.cpp"
    source.write_text(
        "#include <pollgate_game.h>\n"
        "int main()\n{\n"
        "\tpgg_options options;\n\tpgg_error error;\n"
        '\tpgg_options_init(&options);\n\toptions.path = "/nowhere";\n\toptions.name = "cpp";\n'
        "\treturn pgg_open(&options, &error) == nullptr && error.result == PGG_SYSTEM ? 0 : 1;\n}\n"
    )
    made = installed.directory / "game"
    flags = installed.pkg_config("--cflags", "--libs")
    check(["g++", "-std=c++11", "-Wall", "-Wextra", "-Wpedantic", "-Werror", source, "-o", made, *flags])
    subprocess.run([made], env={"LD_LIBRARY_PATH": str(installed.prefix / "lib")}, timeout=60, check=True)


def test_the_game_in_the_header_compiles_as_it_stands(installed: Installed, tmp_path: Path) -> None:
    comment = installed.header.read_text().partition("*/")[0]
    lines = [line.removeprefix(" *") for line in comment.splitlines() if line.startswith(" *     ")]
    assert len(lines) > 10
    source = tmp_path / "header.c"
    body = "\n".join(lines)
    head = "#include <stdio.h>\n#include <pollgate_game.h>\nvoid serve(void);\n"
    source.write_text(f"{head}void serve(void)\n{{\n{body}\n}}\n")
    installed.compile("gcc", source, "header.o", "-std=c17", "-c")


def test_the_servers_in_the_readme_are_right(installed: Installed, tmp_path: Path) -> None:
    text = (EXAMPLES.parent / "README.md").read_text()
    (in_c,) = re.findall(r"^```c\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    source = tmp_path / "readme.c"
    head = "#include <stdio.h>\n#include <pollgate_game.h>\nvoid serve(void);\n"
    source.write_text(f"{head}void serve(void)\n{{\n{in_c}\n}}\n")
    installed.compile("gcc", source, "readme.o", "-std=c17", "-c")
    for in_python in re.findall(r"^```python\n(.*?)^```$", text, re.MULTILINE | re.DOTALL):
        compile(in_python, "README.md", "exec")
