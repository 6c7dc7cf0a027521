# SPDX-License-Identifier: BSD-3-Clause
"""The lists of the data plane are in the client's one file as a compiler has them in the gateway."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parents[2]
FOLDERS = [ROOT / "dpdk_app", ROOT / "dpdk_app" / "include"]


@pytest.fixture(scope="module")
def amalgamate() -> ModuleType:
    """The script, which is no part of any package."""
    path = ROOT / "client" / "amalgamate.py"
    spec = importlib.util.spec_from_file_location("amalgamate", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["amalgamate"] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


def expanded(amalgamate: ModuleType, folder: Path, text: str) -> list[str]:
    """The lines of `text` with its lists in it."""
    return [
        line.strip() for line in amalgamate.expand_lists(text, [folder], set()).splitlines() if line.strip()
    ]


def test_an_entry_becomes_what_the_macro_above_the_list_says(amalgamate: ModuleType, tmp_path: Path) -> None:
    (tmp_path / "one.def").write_text("ENTRY(A, a) // a comment\nENTRY(B, b)\n")
    text = '#define ENTRY(NAME, name) X_##NAME = #name,\n#include "one.def"\n'
    assert expanded(amalgamate, tmp_path, text) == ['X_A = "a",', 'X_B = "b",']


def test_a_macro_may_be_another_ones_name_or_take_any_arguments(
    amalgamate: ModuleType, tmp_path: Path
) -> None:
    (tmp_path / "one.def").write_text('ENTRY(a, [2], "said, (and) done",\n\t1)\n')
    text = (
        "#define NUMBER(field, length, ...) uint64_t field length;\n\nstruct x {\n"
        '#define ENTRY NUMBER\n#include "one.def"\n};\n#undef NUMBER\n'
    )
    assert expanded(amalgamate, tmp_path, text)[1:] == [
        "struct x {",
        "uint64_t a [2];",
        "};",
        "#undef NUMBER",
    ]


def test_a_list_without_macros_is_what_it_says(amalgamate: ModuleType, tmp_path: Path) -> None:
    (tmp_path / "one.def").write_text("// of numbers\n0, 8,\n7,\n")
    text = '#define ROOM 3\n\nstatic const int lengths[ROOM] = {\n#include "one.def"\n};\n'
    found = expanded(amalgamate, tmp_path, text)
    assert found == ["#define ROOM 3", "static const int lengths[ROOM] = {", "0, 8,", "7,", "};"]


def test_a_macro_may_be_of_another_header(amalgamate: ModuleType, tmp_path: Path) -> None:
    (tmp_path / "kinds.h").write_text(
        "#define NUMBER_(kind) kind\n#define NUMBER(kind, name) NUMBER_(kind) name;\n"
    )
    (tmp_path / "one.def").write_text("ENTRY(int, a)\n")
    text = '#include "kinds.h"\n\n#define ENTRY NUMBER\n#include "one.def"\n'
    assert expanded(amalgamate, tmp_path, text) == ['#include "kinds.h"', "int a;"]


def test_a_list_that_was_read_is_what_the_file_depends_on(amalgamate: ModuleType, tmp_path: Path) -> None:
    (tmp_path / "one.def").write_text("ENTRY(A)\n")
    seen: set[Path] = set()
    amalgamate.expand_lists('#define ENTRY(NAME) NAME,\n#include "one.def"\n', [tmp_path], seen)
    assert seen == {(tmp_path / "one.def").resolve()}


def test_a_list_that_is_not_there_is_an_error_that_names_it(amalgamate: ModuleType, tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match=rf"no file two\.def in {tmp_path}"):
        amalgamate.expand_lists('#define ENTRY(NAME) NAME,\n#include "two.def"\n', [tmp_path], set())


def test_what_the_compiler_cannot_expand_is_an_error_that_names_the_list(
    amalgamate: ModuleType, tmp_path: Path
) -> None:
    (tmp_path / "one.def").write_text("ENTRY(A\n")
    with pytest.raises(SystemExit, match=r"cannot expand \S+/one\.def: "):
        amalgamate.expand_lists('#define ENTRY(NAME) NAME,\n#include "one.def"\n', [tmp_path], set())


def compiled(source: Path, folders: list[Path]) -> str:
    """What pgc_print() of a file prints."""
    program = source.with_suffix("")
    main = source.with_name("main.c")
    main.write_text("void pgc_print(void);\nint main(void)\n{\n\tpgc_print();\n\treturn 0;\n}\n")
    options = ["-std=c17", "-Wall", "-Wextra", "-Werror", *(f"-I{folder}" for folder in folders)]
    subprocess.run(["cc", *options, str(source), str(main), "-o", str(program)], check=True, timeout=60)
    return subprocess.run([program], capture_output=True, text=True, check=True, timeout=60).stdout


def test_what_the_one_file_has_of_the_lists_is_what_the_gateway_has(
    amalgamate: ModuleType, tmp_path: Path
) -> None:
    numbers = [
        "PG_MESSAGES",
        "PG_DROPS",
        "PG_REQUESTS",
        "PG_EVENTS",
        "PG_EVENT_BULK",
        "PG_EVENT_GAME",
        "PG_COMPRESSIBLE",
        "PG_LOSSES",
    ]
    numbers += [
        "PG_CLOSE_REASONS",
        "PG_DENIALS",
        "PG_STATS_ENTRIES",
        "SESSION_INVENTORY",
        "SESSION_BULK_EVENT",
        "SESSION_GAME_LAST",
    ]
    numbers += ["sizeof(struct pg_plan)", "sizeof(struct pg_policy)", "sizeof(struct delivery_rules)"]
    numbers += [f"sizeof(struct pg_{name}_stats)" for name in ("message", "worker", "port", "pool")]
    source = tmp_path / "lists.c"
    source.write_text(
        '#include "pollgate.h"\n#include "wire/session.h"\n#include "delivery/context.h"\n\n'
        '#include "none.h"\n#include <stdio.h>\n\n'
        "void pgc_print(void)\n{\n"
        + "".join(f'\tprintf("%s: %zu\\n", "{number}", (size_t)({number}));\n' for number in numbers)
        + "}\n"
    )
    (tmp_path / "none.h").write_text("")
    reader = amalgamate.Reader([tmp_path, *FOLDERS], "none.h")
    reader.read(source, whole=True)
    one = tmp_path / "one_file.c"
    one.write_text(amalgamate.amalgamate(reader))
    assert compiled(one, [tmp_path]) == compiled(source, [tmp_path, *FOLDERS])
    assert {path.name for path in reader.lists} >= {
        "messages.def",
        "reasons.def",
        "closed.def",
        "counters.def",
    }
