# SPDX-License-Identifier: BSD-3-Clause
"""How a recipe is read, and what an edit takes."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.handbook.scratch import Edit, Scratch, recipe

TEXT = """\
### To add a thing

1. First: `a/b.c`, above `int main`:

   ```c
   int thing;
   ```

2. And `a/b.c`, instead
   of `return 0`:

   ```c
     return thing;
   ```

3. `.venv/bin/python -m a.b` writes the rest.

### To add another

1. `c.py`, below `x`:

   ```py
   y
   ```
"""


def test_a_recipe_is_what_its_section_says_in_order() -> None:
    read = recipe("thing", TEXT)
    assert read.steps == (
        Edit("a/b.c", "above", "int main", "int thing;\n"),
        Edit("a/b.c", "instead of", "return 0", "  return thing;\n"),
        "a.b",
    )
    assert read.files == ("a/b.c",)


def test_a_recipe_that_is_not_there_is_said_by_its_name() -> None:
    with pytest.raises(AssertionError, match="no recipe for: door"):
        recipe("door", TEXT)


@pytest.fixture(scope="module")
def scratch(tmp_path_factory: pytest.TempPathFactory) -> Scratch:
    return Scratch(tmp_path_factory.mktemp("scratch"))


@pytest.mark.parametrize(
    ("place", "expected"),
    [("above", "one\nNEW\ntwo\n"), ("below", "one\ntwo\nNEW\n"), ("instead of", "one\nNEW\n")],
)
def test_lines_go_where_the_recipe_says(scratch: Scratch, place: str, expected: str) -> None:
    file = scratch.path / "rooms.toml"
    file.write_text("one\ntwo\n")
    scratch.edit(Edit("rooms.toml", place, "tw", "NEW\n"))
    assert file.read_text() == expected
    assert scratch.changed() == {"rooms.toml"}


@pytest.mark.parametrize("anchor", ["three", "o"])
def test_a_place_that_is_not_there_once_is_refused(scratch: Scratch, anchor: str) -> None:
    (scratch.path / "rooms.toml").write_text("one\ntwo\n")
    with pytest.raises(AssertionError, match="not in one"):
        scratch.edit(Edit("rooms.toml", "above", anchor, "NEW\n"))


def test_what_is_new_or_gone_is_changed_too_and_what_is_made_of_sources_is_not(tmp_path: Path) -> None:
    scratch = Scratch(tmp_path)
    assert scratch.changed() == set()
    (scratch.path / "pyshim/new.py").write_text("")
    (scratch.path / "pyshim/errors.py").unlink()
    (scratch.path / "pyshim/_native/made.so").write_text("")
    (scratch.path / "objects").mkdir()
    (scratch.path / "objects/made.o").write_text("")
    assert scratch.changed() == {"pyshim/new.py", "pyshim/errors.py"}
