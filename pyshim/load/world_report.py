# SPDX-License-Identifier: BSD-3-Clause
"""What players of a world saw and heard, as a part of the report, and as lines."""

from __future__ import annotations

from collections.abc import Iterator

from pydantic import BaseModel, ConfigDict, Field

from pyshim.load.result import Latency
from pyshim.load.world import Impairment, World
from pyshim.load.world_result import WorldCounts
from pyshim.views import units


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class EventsReport(_Part):
    """What players said to one another, and to everyone near."""

    said: int
    due: int = Field(description="Players who had to hear one of them, as far as it is known.")
    heard: int = Field(description="By players, also by those who might hear it.")
    lost: int = Field(description="Of those due; what the gateway said to have lost among them.")
    given_up: int = Field(description="Messages to players that the gateway said to have lost.")
    duplicated: int
    stray: int = Field(description="Heard by who was not meant.")
    disordered: int = Field(description="Heard before an earlier one of the same order.")
    doubtful: int = Field(description="Of which nobody knows whether the gateway took them.")


class UnseenReport(_Part):
    """For how long those in range of some of the players, who have no slot, were in no glimpse either."""

    count: int = Field(description="Times that it was looked for.")
    late: int = Field(description="Of them, longer than the specification allows.")
    p50_s: float | None
    p99_s: float | None
    max_s: float | None


class WorldReport(_Part):
    """What players of a world were told, and what the model of it says."""

    states: int = Field(description="WORLD_STATEs that came, or were in answers.")
    state_bytes: int
    bytes_per_player_s: float = Field(description="Of WORLD_STATEs, per second and player.")
    checked: int = Field(description="Places of somebody in a tick that players were told.")
    strangers: int = Field(description="Places of others: of game processes, and of other players.")
    unchecked: int = Field(description="Of a world that was over, or too many to judge.")
    wrong: int = Field(description="Where nobody was, or not as others were told.")
    aged: int = Field(description="Where they were over 20 ms before or after: a worker waited for its CPU.")
    skipped: int = Field(description="What could not be decoded: its baseline was lost.")
    entered: int
    left: int
    looks: int = Field(description="At all that a player saw and had to see.")
    due: int = Field(description="Others who had to be in sight at those.")
    missing: int
    beyond: int = Field(
        description="In sight, though beyond the leave radius; of players of profile plain, the radius."
    )
    corrections: int = Field(description="Players who were put back.")
    worlds: int = Field(description="That began: one, and one more after each crash of the gateway.")
    glimpses: int = Field(description="Of players without a slot, or with one, as players were shown them.")
    glimpses_unknown: int = Field(description="Of a number of which nobody knows whose it is.")
    glimpses_wrong: int = Field(description="Where nobody was.")
    glimpses_beyond: int = Field(description="Farther than the radius and a cell's diagonal.")
    unseen: UnseenReport
    events: EventsReport
    rebinds: int = Field(description="Times that a player went on from another port.")
    dropped: int = Field(description="Datagrams, by the network that was asked for.")
    doubled: int
    delayed: int
    faults: list[str] = Field(description="What was not as it should be, a sentence each.")
    warnings: list[str] = Field(description="What could not be judged, a sentence each.")


class WorldScenario(_Part):
    """The world that was played."""

    name: str
    walk: str
    ground_m: float
    speed_mps: float
    standing: float
    tick_hz: int


class NetworkScenario(_Part):
    """What became of datagrams in each direction; shares."""

    loss: float
    duplicate: float
    reorder: float
    reorder_ms: int
    rebind_s: float


def world_report(
    counts: WorldCounts, unseen: Latency, world: World, players: int, seconds: float
) -> WorldReport:
    """The report of one step."""
    same = {name: getattr(counts, name) for name in WorldReport.model_fields if hasattr(counts, name)}
    return WorldReport(
        **{
            **same,
            "bytes_per_player_s": counts.state_bytes / players / seconds if seconds else 0.0,
            "unseen": _unseen(counts, unseen),
            "events": _events(counts),
            "rebinds": counts.moved,
            "faults": list(counts.faults),
            "warnings": list(counts.warnings(world.tick_hz)),
        }
    )


def _unseen(counts: WorldCounts, times: Latency) -> UnseenReport:
    return UnseenReport(
        count=counts.unseen,
        late=counts.unseen_late,
        p50_s=times.p50_s,
        p99_s=times.p99_s,
        max_s=times.max_s,
    )


def _events(counts: WorldCounts) -> EventsReport:
    return EventsReport(**{name: getattr(counts, f"events_{name}") for name in EventsReport.model_fields})


def world_scenario(world: World) -> WorldScenario:
    """What was played."""
    return WorldScenario(**{name: getattr(world, name) for name in WorldScenario.model_fields})


def network_scenario(impairment: Impairment) -> NetworkScenario:
    """Over what."""
    return NetworkScenario(
        loss=impairment.loss,
        duplicate=impairment.duplicate,
        reorder=impairment.reorder,
        reorder_ms=impairment.reorder_ms,
        rebind_s=impairment.move_ms / 1000,
    )


def world_notes(
    counts: WorldCounts, unseen: Latency, world: World, players: int, seconds: float
) -> Iterator[tuple[str, str]]:
    """Lines below the table, each with its style."""
    count = units.count
    kbps = counts.state_bytes * 8 / 1000 / players / seconds if seconds else 0.0
    yield (
        f"world: {count(counts.checked)} places checked, {count(counts.wrong)} wrong, "
        f"{count(counts.aged)} aged, and {count(counts.strangers)} of strangers; "
        f"{count(counts.due)} had to be in sight, {count(counts.missing)} missing, {count(counts.beyond)} "
        f"beyond the leave radius; {count(counts.entered)} entered, {count(counts.left)} left; "
        f"{kbps:.0f} kbit/s of states a player",
        "",
    )
    if counts.glimpses:
        yield (
            f"glimpses: {count(counts.glimpses)} checked, {count(counts.glimpses_wrong)} wrong, "
            f"{count(counts.glimpses_beyond)} beyond the radius, "
            f"{count(counts.glimpses_unknown)} of unknown numbers; "
            f"who has no slot went unseen for {units.duration(unseen.p50_s)} at p50, "
            f"{units.duration(unseen.p99_s)} at p99, {units.duration(unseen.max_s)} at most; "
            f"{count(counts.unseen_late)} of {count(counts.unseen)} times for longer than may be",
            "",
        )
    yield (
        f"events: {count(counts.events_said)} said, {count(counts.events_due)} due, "
        f"{count(counts.events_heard)} heard, {count(counts.events_lost)} lost "
        f"({count(counts.events_given_up)} given up), {count(counts.events_duplicated)} twice, "
        f"{count(counts.events_stray)} stray, {count(counts.events_disordered)} out of order, "
        f"{count(counts.events_doubtful)} doubtful",
        "",
    )
    for fault in counts.faults:
        yield f"wrong: {fault}", "red"
    for warning in counts.warnings(world.tick_hz):
        yield f"world: {warning}", "yellow"
