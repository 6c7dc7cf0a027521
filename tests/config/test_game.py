# SPDX-License-Identifier: BSD-3-Clause
"""The section `game`: what it may say, and the sentence for what it may not."""

# ruff: noqa: E501  (an exact sentence stays on one line, where a search finds it)

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from pyshim.config import Config, load_config, restart_needed
from pyshim.errors import ConfigError

HEAD = """engine: epoll
ports: [{name: game0, address: [127.0.0.1/8]}]
listen:
  - {port: 8080}
  - {port: 8081, profile: session}
"""
GAME = "game:\n  listen: unix:/run/game.sock\n"
TYPES = "attack, chat, skill, bulk, game, a number from 64 to 199, or a range such as 64-79"


def load(tmp_path: Path, text: str) -> Config:
    file = tmp_path / "gate.yaml"
    file.write_text(HEAD + text)
    return load_config(file)


def refused(tmp_path: Path, text: str) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        load(tmp_path, text)
    return [line.removeprefix(f"{tmp_path}/gate.yaml:") for line in caught.value.problems]


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        ("  permissions: 660", 'found 660, allowed: three octal digits in quotes such as "0660"'),
        ('  permissions: "999"', 'found "999", allowed: three octal digits in quotes, such as "0660"'),
        ("  processes: 33", "found 33, allowed: a whole number from 1 to 32"),
        ("  huge_pages: true", "found true, allowed: auto or never"),
        ("  ring_kib: 2", "found 2, allowed: a whole number from 4 to 1048576"),
        ("  ring_kib: 1000", "found 1000, allowed: a power of two from 4 to 1048576, such as 512 or 1024"),
        ("  users: [root, Nobody]", 'found "Nobody", allowed: a user\'s name such as pollgate'),
        ("  routes: [{to: a b}]", 'found "a b", allowed: the name of a game process, 1 to 31 letters'),
        ("  routes: [{to: [a, b, a]}]", 'found "a" for the second time; name each once'),
        (
            "  routes: [{to: [a, b, c, d, e, f, g, h, i]}]",
            "found a list of 9 entries, allowed: the name of a game process such as arena or a list of 1 to 8",
        ),
        (
            "  routes: [{to: a, listen: [9]}]",
            "found 9, and no entry of listen has this port; of profile session and netcode: 8081",
        ),
        (
            "  routes: [{to: a, listen: [8080]}]",
            "found 8080, which has profile plain, whose players no game hears; of profile session and netcode: 8081",
        ),
        (
            "  routes: [{to: a, types: [move]}]",
            f'found "move", which the gateway itself answers, allowed: {TYPES}',
        ),
        ("  routes: [{to: a, types: [200]}]", 'found "200", allowed: numbers from 64 to 199'),
        ("  routes: [{to: a, types: [70-65]}]", 'found "70-65", allowed: numbers from 64 to 199'),
        ("  routes: [{to: a, types: [true]}]", f"found true, allowed: {TYPES}"),
    ],
)
def test_a_wrong_value_is_told_with_its_line(tmp_path: Path, line: str, sentence: str) -> None:
    found = refused(tmp_path, GAME + line + "\n")
    assert len(found) == 1
    assert found[0].startswith("8: game.")
    assert sentence in found[0]


def test_a_socket_is_a_unix_socket_of_a_path_that_the_kernel_takes(tmp_path: Path) -> None:
    (found,) = refused(tmp_path, "game:\n  listen: 127.0.0.1:9000\n")
    assert found.startswith('7: game.listen: found "127.0.0.1:9000", allowed: unix:/path, such as')
    (found,) = refused(tmp_path, f"game:\n  listen: unix:/{'x' * 107}\n")
    assert found.endswith("a path of 108 bytes; the kernel takes 107 for a socket")
    assert load(tmp_path, f"game:\n  listen: unix:/{'x' * 106}\n").game.listen is not None


def test_more_names_than_processes_are_refused_at_the_first_too_many(tmp_path: Path) -> None:
    (found,) = refused(tmp_path, GAME + "  processes: 2\n  routes:\n    - {to: [a, b]}\n    - {to: c}\n")
    assert found == (
        '11: game.routes[1].to: "c" is one name more than game.processes: 2 allows; name fewer, or write 3 there'
    )


def test_a_game_without_a_socket_or_without_players_is_refused(tmp_path: Path) -> None:
    (found,) = refused(tmp_path, "game:\n  routes: [{to: a}]\n")
    assert found.startswith("7: game.listen: missing; game processes attach to a socket")
    plain = HEAD.replace(", profile: session", "")
    (tmp_path / "gate.yaml").write_text(plain + GAME)
    with pytest.raises(
        ConfigError, match=r"game\.listen: no entry of listen has profile: session or netcode"
    ):
        load_config(tmp_path / "gate.yaml")


def test_control_and_game_need_a_socket_each(tmp_path: Path) -> None:
    (found,) = refused(tmp_path, "control: {listen: unix:/run/game.sock}\n" + GAME)
    assert "game.listen: control.listen is the same" in found


def test_one_type_needs_no_list(tmp_path: Path) -> None:
    config = load(tmp_path, GAME + "  routes: [{to: a, types: 70}, {to: b, types: chat}]\n")
    assert [route.numbers for route in config.game.routes] == [(70,), (3,)]


def test_types_are_names_numbers_and_ranges(tmp_path: Path) -> None:
    config = load(tmp_path, GAME + "  routes: [{to: a, types: [chat, 70, 198-199]}, {to: b}]\n")
    assert config.game.routes[0].numbers == (3, 70, 198, 199)
    assert config.game.routes[1].numbers == (2, 3, 5, 7, *range(64, 200))
    assert Config.model_validate(config.model_dump(mode="json", exclude_unset=True)) == config


@pytest.mark.parametrize(
    ("key", "value", "keys"),
    [
        ("routes", [{"to": "b"}], []),
        ("read_budget_us", 50, []),
        ("processes", 3, ["game.processes"]),
        ("ring_kib", 4, ["game.ring_kib"]),
        ("huge_pages", "never", ["game.huge_pages"]),
        ("users", ["root"], ["game.users"]),
        ("listen", "unix:/other", ["game.listen"]),
    ],
)
def test_routes_reload_live_and_the_rest_does_not(
    tmp_path: Path, key: str, value: Any, keys: list[str]
) -> None:
    before = load(tmp_path, GAME + "  routes: [{to: a}]\n")
    written = before.model_dump(mode="json", exclude_unset=True)
    written["game"][key] = value
    assert restart_needed(before, Config.model_validate(written)) == keys
