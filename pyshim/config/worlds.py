# SPDX-License-Identifier: BSD-3-Clause
"""Worlds in which players see each other: how large, how often, how far, how exactly."""

from __future__ import annotations

from typing import Annotated, Literal, TypeAlias

from pydantic import AfterValidator, Field, PlainSerializer, PlainValidator, WithJsonSchema

from pyshim.config import values
from pyshim.config.defined import defined
from pyshim.config.section import Section, sentence, text_schema
from pyshim.config.world_values import BOUNDS_IN_WORDS, METRES_MAX, Bounds, Corner, parse_bounds

WORLDS_MAX = 32  # as PG_WORLDS_MAX of the data plane
TIERS_MAX = 3  # as PG_WORLD_TIERS_MAX

WorldName: TypeAlias = Annotated[
    str,
    AfterValidator(sentence(values.parse_name)),
    text_schema("a name such as meadow", r"^[a-z][a-z0-9_-]{0,30}$"),
]
_METRES = {"type": "number", "minimum": -METRES_MAX, "maximum": METRES_MAX}
_CORNER = {"type": "array", "items": _METRES, "minItems": 3, "maxItems": 3}
WorldBounds: TypeAlias = Annotated[
    Bounds,
    PlainValidator(parse_bounds),
    PlainSerializer(list, return_type=list[Corner]),
    WithJsonSchema(
        {"type": "array", "title": BOUNDS_IN_WORDS, "items": _CORNER, "minItems": 2, "maxItems": 2}
    ),
]


@defined("worlds.combat")
class CombatConfig(Section):
    """How attacks are judged: by where everybody was at the moment that the attacker saw."""


@defined("worlds.movement")
class MovementConfig(Section):
    """How patiently players' movements are taken: how late one may be, and what is shown of who is silent."""

    jitter_ms: int = Field(default=...)  # declared because Python reads it: see `defined`
    extrapolate_ms: int = Field(default=...)  # declared because Python reads it: see `defined`


class TierConfig(Section):
    """Who is far away is told of less often; clients go on with the velocity that they had."""

    from_m: Annotated[float, Field(ge=0.001, le=20_000)] = Field(
        description="Who is at least so far away, in metres, and nearer than the next tier begins."
    )
    every_ticks: Literal[2, 4, 8] = Field(description="Is told of at every so many ticks.")


@defined("worlds", behind=True)
class WorldConfig(Section):
    """A world of its own: who is in it sees nobody of another."""

    name: WorldName = Field(description="Name in listeners, metrics and messages; unique.")
    bounds: WorldBounds = Field(
        description="Two corners, [x, y, z] each in metres, the lowest first: whoever moves out of them is "
        "put back. No side is longer than 2097151 quantum_m."
    )
    combat: CombatConfig | None = Field(
        default=None,
        description="How attacks are judged; combat: {} is all of it as it stands. Without it they are not, "
        "and come to players as they are said.",
    )
    movement: MovementConfig = Field(default_factory=MovementConfig)
    tiers: tuple[TierConfig, ...] = Field(
        default=(),
        strict=False,
        max_length=TIERS_MAX,
        description="How often who is far away is told of, the nearest tier first, each less often than the "
        "one before; nearer than the first everybody is told of at every tick.",
        json_schema_extra={"minItems": 0},
    )
    radius_m: float = Field(default=...)  # declared because Python reads it: see `defined`
    leave_radius_m: float = Field(default=...)  # declared because Python reads it: see `defined`
    quantum_m: float = Field(default=...)  # declared because Python reads it: see `defined`
    tick_hz: int = Field(default=...)  # declared because Python reads it: see `defined`
    glimpses: int = Field(default=...)  # declared because Python reads it: see `defined`
    budget_kbps: int = Field(default=...)  # declared because Python reads it: see `defined`
    hysteresis: float = Field(default=...)  # declared because Python reads it: see `defined`
    hearers: int = Field(default=...)  # declared because Python reads it: see `defined`
    max_speed_mps: float = Field(default=...)  # declared because Python reads it: see `defined`
