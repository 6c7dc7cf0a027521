# SPDX-License-Identifier: BSD-3-Clause
"""What a game asks about who was where in a world."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, Final, NamedTuple

from pyshim._native._game import ffi, lib


class Search(NamedTuple):
    """At which moment, and who is meant, of a question."""

    when: tuple[int, int] | None = None  # tick, and 256ths of one behind it; None: as of the newest tick
    most: int = lib.PGG_FOUND_MAX  # answers, the nearest
    players: bool = True
    entities: bool = True
    but_player: int = 0  # who is not told of; 0: nobody is left out


SEARCH: Final = Search()


class Searching(ABC):
    """Questions of an attached process."""

    @abstractmethod
    def _attached(self) -> Any:
        """The process, as the library has it."""

    @abstractmethod
    def _said(self, result: int) -> int:
        """What the library answered, which is an error where it is negative."""

    def search_sphere(
        self,
        world: str,
        middle: Sequence[float],
        radius: float,
        how: Search = SEARCH,
        *,
        cookie: int = 0,
    ) -> None:
        """Who was in a sphere? `Found` follows with this cookie, the nearest of them first.

        Args:
            world: where
            middle: in the world, in m
            radius: in m
            how: at which moment, and who is meant
            cookie: any number; each is answered by the same worker, in order
        """
        self._search(world, lib.PGG_SPHERE, (middle, (0.0, 0.0, 0.0), radius), how, cookie)

    def search_ray(
        self,
        world: str,
        line: tuple[Sequence[float], Sequence[float], float],
        how: Search = SEARCH,
        *,
        cookie: int = 0,
    ) -> None:
        """Whose bodies were in the way of a ray? `Found` follows with this cookie, the first at first.

        Args:
            world: where; it has `combat`, which says how large a body is
            line: where it begins, in the world, its direction, of any length, and how far it goes, in m
            how: at which moment, and who is meant
            cookie: any number; each is answered by the same worker, in order
        """
        self._search(world, lib.PGG_RAY, line, how, cookie)

    def _search(
        self,
        world: str,
        kind: int,
        line: tuple[Sequence[float], Sequence[float], float],
        how: Search,
        cookie: int,
    ) -> None:
        search: Any = ffi.new("struct pgg_search *")
        search.kind, search.cookie = kind, cookie
        search.now = how.when is None
        if how.when is not None:
            search.tick, search.parts = how.when
        search.players, search.entities = how.players, how.entities
        search.most, search.but_player = how.most, how.but_player
        search.position, search.direction, search.reach = list(line[0]), list(line[1]), line[2]
        self._said(lib.pgg_search(self._attached(), world.encode(), search))
