# SPDX-License-Identifier: BSD-3-Clause
"""YAML as pollgate reads it: 1.2 scalars, a line for everything, bounds on everything."""

# ruff: noqa: E501  (a table row stays on one line)

from __future__ import annotations

import json
import math

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from pyshim.config.yaml_source import Document, line_of, parse, plain


def value(text: str) -> object:
    document = parse(text)
    assert document.problems == ()
    assert document.root is not None
    return plain(document.root)


def complaints(document: Document) -> list[tuple[int, str]]:
    return [(problem.line, problem.text) for problem in document.problems]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("0000:03:00.0", "0000:03:00.0"),
        ("01:00.0", "01:00.0"),
        ("52:54:00:12:34:56", "52:54:00:12:34:56"),
        ("1:20", "1:20"),
        ("on", "on"),
        ("yes", "yes"),
        ("No", "No"),
        ("true", True),
        ("False", False),
        ("1e6", 1e6),
        ("1.5E-3", 1.5e-3),
        (".5", 0.5),
        ("-7", -7),
        ("0", 0),
        ("0x1F", 31),
        ("0o17", 15),
        ("1_000", "1_000"),
        ("2026-11-21", "2026-11-21"),
        ("=", "="),
        ("-.inf", -math.inf),
        ('"010"', "010"),
        ("'true'", "true"),
        ("[~, null]", [None, None]),
    ],
)
def test_a_scalar_means_what_yaml_1_2_says(text: str, expected: object) -> None:
    found = value(text)
    assert found == expected
    assert type(found) is type(expected)


@pytest.mark.parametrize("text", ["010", "-010", "007", "00"])
def test_a_leading_zero_is_refused_and_never_octal(text: str) -> None:
    document = parse(f"a: {text}\n")
    assert document.root is not None
    assert plain(document.root) == {"a": None}
    number = int(text)
    assert complaints(document) == [
        (1, f'found {text}, a number with a leading zero; write {number}, or "{text}" if text is meant')
    ]


def test_the_loader_of_others_is_not_changed() -> None:
    parse("a: on\n")
    assert yaml.safe_load("a: on") == {"a": True}


def test_every_key_and_item_has_its_line() -> None:
    document = parse("a:\n  - x: 1\n    y: 2\n  -\n    z: [3,\n      4]\n")
    assert document.root is not None
    lines = {
        ("a",): 1,
        ("a", 0): 2,
        ("a", 0, "x"): 2,
        ("a", 0, "y"): 3,
        ("a", 1, "z"): 5,
        ("a", 1, "z", 0): 5,
        ("a", 1, "z", 1): 6,
        ("a", 0, "missing"): 2,
        ("missing",): 1,
    }
    assert {path: line_of(document.root, path) for path in lines} == lines


@pytest.mark.parametrize(
    ("text", "line", "complaint"),
    [
        ("a: 1\nb: 2\na: 3\n", 3, "key given twice, first on line 1; keep one"),
        ("a: &x [*x]\n", 1, "alias *x contains itself; write the value out"),
        ("a: *x\n", 1, "alias *x has no anchor &x before it"),
        ("a: 1\n<<: {b: 2}\n", 2, "merge keys (<<) are not supported; write the keys out"),
        ("a: !!python/object/apply:os.system [ls]\n", 1, "found a YAML tag (!...); tags are not supported, remove it"),
        ("a: !!str 1\n", 1, "found a YAML tag (!...); tags are not supported, remove it"),
        ("a: 1\n? [b]\n: 2\n", 2, "a key must be a plain word, without tag, anchor or nesting"),
        ("a: 1\n--- \nb: 1\n", 2, "a second document starts here; one file holds one document"),
        ("a: 1\nb:\n\t- c\n", 3, "not valid YAML: a tab; indent with spaces"),
        ("a: 1\nb: \x07\n", 2, "character U+0007 is not allowed in YAML"),
        ('a: 1\nb: "\\UFFFFFFFF"\n', 2, "not valid YAML: unreadable escape"),
        ("a: " + "9" * 5000, 1, "found a number of 5000 characters, allowed: 40"),
    ],
)  # fmt: skip
def test_what_is_refused_is_named_with_its_line(text: str, line: int, complaint: str) -> None:
    assert complaints(parse(text)) == [(line, complaint)]


def test_a_bracket_that_was_meant_as_text_suggests_quotes() -> None:
    [(line, complaint)] = complaints(parse("a: 1\nlisten: {b: [::1]:9464}\n"))
    assert line == 2
    assert complaint.startswith("not valid YAML: ")
    assert "quote a value that starts with [" in complaint


@pytest.mark.parametrize("opening", ["[", "{a: ", "- ", "? ", "{<<: ", "{[a]: ", "{? {"])
def test_deep_nesting_is_refused(opening: str) -> None:
    assert complaints(parse(opening * 100_000))[-1] == (1, "nested deeper than 32 levels")


def test_nesting_through_aliases_is_refused() -> None:
    text = "a: &a0 [1]\n" + "".join(f"b{n}: &a{n} [[[[*a{n - 1}]]]]\n" for n in range(1, 12))
    assert complaints(parse(text)) == [(9, "nested deeper than 32 levels")]


def test_aliases_that_expand_without_bound_are_refused() -> None:
    text = "a: &a0 [1, 2]\n" + "".join(
        f"b{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 20)
    )
    assert complaints(parse(text)) == [(5, "more than 10000 values in one file, aliases expanded")]


def test_a_long_list_is_refused() -> None:
    [(_, complaint)] = complaints(parse("- 1\n" * 100_000))
    assert complaint == "more than 10000 values in one file, aliases expanded"


LATIN = st.text(
    st.characters(categories=["L", "N", "P", "S", "Zs"], min_codepoint=32, max_codepoint=0x2FF), max_size=20
)
JSON = st.recursive(
    st.booleans() | st.integers(-(2**63), 2**63) | st.floats(allow_nan=False, allow_infinity=False) | LATIN,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(LATIN, inner, max_size=4),
    max_leaves=20,
)


@given(JSON)
def test_json_is_read_as_json(tree: object) -> None:
    assert value(json.dumps(tree, ensure_ascii=False)) == tree


@given(st.text() | st.text(alphabet="[]{}:,-?&*!|>'\"%@`# \n\t0a~<\\", max_size=60))
def test_no_text_makes_the_parser_raise(text: str) -> None:
    document = parse(text)
    assert all(problem.line >= 1 for problem in document.problems)
