# SPDX-License-Identifier: BSD-3-Clause
"""The installed client library builds wherever a game is built."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.client.installed import EXAMPLES, LIBRARIES, Installed, check

COMPILERS = [name for name in ("gcc", "clang") if shutil.which(name)]


@pytest.mark.parametrize("compiler", COMPILERS)
@pytest.mark.parametrize("standard", ["-std=c11", "-std=gnu17"])
@pytest.mark.parametrize("optimisation", ["-O0", "-O2"])
def test_single_file_compiles_without_a_warning(
    installed: Installed, compiler: str, standard: str, optimisation: str
) -> None:
    installed.compile(compiler, installed.source, "client.o", standard, optimisation, "-c")


def test_single_file_compiles_without_sockets(installed: Installed) -> None:
    made = installed.compile("gcc", installed.source, "bare.o", "-std=c11", "-DPGC_NO_SOCKET", "-c")
    symbols = check(["nm", "--undefined-only", made])
    assert "pgc_poll" not in check(["nm", made])
    assert not {"socket", "recv", "send", "getaddrinfo", "poll"} & set(symbols.split())


def test_single_file_shows_no_name_but_its_own(installed: Installed) -> None:
    made = installed.compile("gcc", installed.source, "client.o", "-std=c11", "-c")
    names = [line.split()[-1] for line in check(["nm", "-g", "--defined-only", made]).splitlines()]
    assert names
    assert all(name.startswith("pgc_") for name in names)


def test_single_file_needs_neither_dpdk_nor_ipsec_mb(installed: Installed) -> None:
    text = installed.source.read_text()
    assert "rte_" not in text
    assert "ipsec" not in text.lower()


def test_header_can_be_read_by_cpp(installed: Installed) -> None:
    source = installed.directory / "game.cpp"
    source.write_text(
        "#include <pollgate_client.h>\n"
        "int main()\n{\n"
        "\tpgc_options options;\n\tpgc_event event;\n"
        "\tpgc_options_init(&options);\n\toptions.session = 1;\n"
        "\tpgc_client *client = pgc_new(&options);\n"
        "\tif (!client || pgc_next_event(client, &event))\n\t\treturn 1;\n"
        "\tpgc_free(client);\n\treturn 0;\n}\n"
    )
    made = installed.directory / "game"
    flags = installed.pkg_config("--cflags", "--libs", "pollgate-client")
    check(["g++", "-std=c++11", "-Wall", "-Wextra", "-Wpedantic", "-Werror", source, "-o", made, *flags])
    environment = {"LD_LIBRARY_PATH": str(installed.prefix / "lib")}
    subprocess.run([made], env=environment, timeout=60, check=True)


@pytest.mark.parametrize("static", [False, True])
def test_example_builds_as_its_first_lines_say(installed: Installed, static: bool) -> None:
    name = "static" if static else "shared"
    flags = installed.pkg_config("--cflags", "--libs", *(["--static"] if static else []), "pollgate-client")
    made = installed.directory / f"player-{name}"
    if static:  # the archive rather than the shared library beside it
        flags = [
            str(installed.prefix / "lib" / "libpollgate-client.a") if f == "-lpollgate-client" else f
            for f in flags
        ]
        flags += installed.pkg_config("--libs", *LIBRARIES)
    check(["gcc", "-Wall", "-Wextra", "-Werror", EXAMPLES / "player.c", *flags, "-lm", "-o", made])
    environment = {"LD_LIBRARY_PATH": str(installed.prefix / "lib")}
    done = subprocess.run([made], env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 2
    assert "usage: player" in done.stderr


README = Path(__file__).parents[2] / "client" / "README.md"
GAME = """\
#include <pollgate_client.h>
#include <string.h>
extern volatile bool playing;
extern uint32_t session;
extern uint8_t key[PGC_KEY_BYTES];
extern float position[3], velocity[3];
void handle(const struct pgc_event *event);
void play(void);
void play(void)
{
%s
}
"""


def game_in_readme() -> str:
    (block,) = re.findall(r"^```c\n(.*?)^```$", README.read_text(), re.MULTILINE | re.DOTALL)
    return str(block)


def game_in_header(installed: Installed) -> str:
    comment = installed.header.read_text().partition(" */")[0]
    lines = [line.removeprefix(" *") for line in comment.splitlines() if line.startswith(" *     ")]
    text = "struct pgc_event event;\n" + "\n".join(lines)
    return text.replace("ticket.session", "session").replace("ticket.key", "key")


@pytest.mark.parametrize("where", ["README", "header"])
def test_the_game_in_the_documents_compiles_as_it_stands(installed: Installed, where: str) -> None:
    source = installed.directory / f"{where}.c"
    source.write_text(GAME % (game_in_readme() if where == "README" else game_in_header(installed)))
    installed.compile("gcc", source, f"{where}.o", "-std=c11", "-c")
