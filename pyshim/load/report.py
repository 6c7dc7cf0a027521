# SPDX-License-Identifier: BSD-3-Clause
"""What a load came to, as one JSON object; its JSON Schema is made from the same models."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field
from pydantic.json_schema import GenerateJsonSchema

from pyshim import __version__
from pyshim.host.machine import host_facts
from pyshim.load.result import Latency, Result
from pyshim.load.run import Load, Played
from pyshim.load.scenario import TYPES, Crowd, Device, Sockets, Target
from pyshim.load.world_report import (
    NetworkScenario,
    WorldReport,
    WorldScenario,
    network_scenario,
    world_report,
    world_scenario,
)


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class LatencyReport(_Part):
    """Round trips, from the time at which a message was due; null when nothing was acknowledged."""

    p50_s: float | None
    p95_s: float | None
    p99_s: float | None
    p99_9_s: float | None
    max_s: float | None
    mean_s: float | None


class TypeReport(_Part):
    """One message type's part."""

    sent: int
    acknowledged: int


class GeneratorReport(_Part):
    """What the generator says of itself."""

    ceiling_pps: float = Field(description="Messages per second that it could send if always busy.")
    busy: float = Field(description="Share of its time in which it had something to do.")
    worst_lag_s: float = Field(description="How late the latest message left, if more than 1 ms.")
    limited: bool = Field(description="Whether the figures say more about it than about the target.")
    limits: list[str] = Field(description="Why, a sentence each.")
    delays: list[str] = Field(
        description="Why its round trips include waiting of its own, though its rate was not limited."
    )


class SessionsReport(_Part):
    """How the players of profile session got their connections."""

    connected: int = Field(description="Players who had one when the step began: all.")
    connect_s: float = Field(description="That it took until all had one; 0 where all had one already.")
    handshakes: int = Field(description="Connections that were made, also during the step.")
    closed: int = Field(description="Connections, and attempts to get one, that ended.")


class RepliesReport(_Part):
    """What the game behind the gate said to players; a reply begins with the mark of the player's message."""

    heard: int = Field(description="Messages of the game's own types that came to players.")
    replies: int = Field(description="Of those, which begin as a message that the player had said.")
    latency: LatencyReport = Field(description="Of replies, from when that message was due.")


class UnsentReport(_Part):
    """Why messages were not sent; together they are not_sent."""

    queue_full: int = Field(description="The send queue of the device, or a socket's buffer, was full.")
    refused: int = Field(description="The kernel refused them: no way, a firewall, nobody listens.")
    not_connected: int = Field(description="Of profile session: the player had no connection.")
    held_back: int = Field(description="Of profile session: too much was unacknowledged.")


class StepReport(_Part):
    """One step: offered = sent + not_sent, and sent = acknowledged + lost."""

    players: int
    rate_pps: float | None = Field(description="Messages per second of each player; null with a window.")
    window: int = Field(description="Messages that may be unanswered at a time; 0: paced by rate_pps.")
    ramp: bool = Field(description="The rate grew linearly from 0 to rate_pps.")
    cut_short: bool = Field(description="It was interrupted: the figures are of the time until then.")
    seconds: float = Field(description="From the first message to the end of sending.")
    offered: int = Field(description="Messages that were due.")
    sent: int
    not_sent: int
    not_sent_by: UnsentReport
    refusals: int = Field(description="Datagrams that kernel, network or target said to have refused.")
    refused_by: str | None = Field(description="What refused the last of them; null: nothing did.")
    acknowledged: int = Field(description="Messages that were answered, each once.")
    lost: int = Field(description="Sent and not answered by the end of the drain.")
    duplicated: int = Field(description="Answers to a message that had been answered.")
    reordered: int = Field(description="Answers that came after that to a later message of the player.")
    invalid: int = Field(description="Datagrams from the target that answer nothing that was sent.")
    stray: int = Field(description="Answers to an earlier step, and frames that are none of ours.")
    late: int = Field(description="Messages that left more than 1 ms after their time.")
    loss_ratio: float = Field(description="lost / sent.")
    offered_pps: float
    sent_pps: float
    acknowledged_pps: float
    sent_bytes: int = Field(description="Of UDP payload.")
    latency: LatencyReport
    sessions: SessionsReport | None = Field(description="Of profile session; null of profile plain.")
    game: RepliesReport | None = Field(description="Of profile session; null of profile plain.")
    world: WorldReport | None = Field(description="Of players who play one; else null.")
    by_type: dict[str, TypeReport]
    generator: GeneratorReport
    limited_by: Literal["generator", "target", "none"]


class ViaReport(_Part):
    """The way to the target."""

    transport: Literal["sockets", "dpdk"]
    addresses: list[str]
    cpu: int | None
    device: str | None
    mac: str | None
    target_mac: str | None
    memory_mib: int | None
    huge_pages: bool | None


class ScenarioReport(_Part):
    """What was played."""

    mix: dict[str, int]
    motion: Literal["waypoint", "crowd"]
    arena_m: float
    chat_bytes: int
    game_type: int
    game_bytes: int
    seed: int
    first_player_id: int
    drain_s: float
    world: WorldScenario | None
    network: NetworkScenario | None = Field(description="How it was impaired; null: not by us.")


class HostReport(_Part):
    """The machine that played, and the versions on it; null: not to be found out."""

    cpu: str
    cpus: int | None
    cpus_allowed: str
    cpus_isolated: str
    governor: str | None
    hypervisor: bool
    huge_pages: bool
    kernel: str
    python: str
    dpdk: str | None
    pollgate: str


class LoadReport(_Part):
    """What `pollgate load --json` prints."""

    load: Literal["rate", "steps", "ladder", "window"]
    version: str
    host: HostReport
    target: str
    via: ViaReport
    scenario: ScenarioReport
    steps: list[StepReport]


def load_report(load: Load, played: list[Played]) -> LoadReport:
    """The report of a whole load as one value."""
    return LoadReport(
        load=load.name,
        version=__version__,
        host=HostReport.model_validate(host_facts()),
        target=str(load.target),
        via=_via(load.via, load.target),
        scenario=_scenario(load),
        steps=[_step(each, load) for each in played],
    )


def as_json(load: Load, played: list[Played]) -> str:
    """One JSON object."""
    return load_report(load, played).model_dump_json(indent=2)


def _via(via: Sockets | Device, target: Target) -> ViaReport:
    over = via if isinstance(via, Device) else None
    return ViaReport(
        transport="dpdk" if over else "sockets",
        addresses=[str(address) for address in via.addresses],
        cpu=via.cpu,
        device=over.device if over else None,
        mac=over.mac if over else None,
        target_mac=target.mac,
        memory_mib=over.memory_mib if over else None,
        huge_pages=over.huge_pages if over else None,
    )


def _scenario(load: Load) -> ScenarioReport:
    crowd: Crowd = load.crowd
    return ScenarioReport(
        mix={name: dict(crowd.mix).get(name, 0) for name in TYPES},
        motion=crowd.motion,
        arena_m=crowd.arena_m,
        chat_bytes=crowd.chat_bytes,
        game_type=crowd.game_type,
        game_bytes=crowd.game_bytes,
        seed=crowd.seed,
        first_player_id=crowd.first_player_id,
        drain_s=load.drain_s,
        world=world_scenario(crowd.world) if crowd.world else None,
        network=network_scenario(crowd.impairment) if crowd.impairment else None,
    )


def _step(played: Played, load: Load) -> StepReport:
    sessions = bool(load.tickets)
    result, round_ = played.result, played.round
    return StepReport(
        players=round_.trial.players,
        rate_pps=round_.rate_pps,
        window=round_.trial.window,
        ramp=round_.ramp,
        cut_short=result.cut_short,
        seconds=result.elapsed_s,
        offered=result.offered,
        sent=result.sent,
        not_sent=result.not_sent,
        not_sent_by=UnsentReport(**result.unsent),
        refusals=result.refusals,
        refused_by=result.refused_by,
        acknowledged=result.acknowledged,
        lost=result.lost,
        duplicated=result.duplicated,
        reordered=result.reordered,
        invalid=result.invalid,
        stray=result.stray,
        late=result.late,
        loss_ratio=result.loss_ratio,
        offered_pps=result.offered_pps,
        sent_pps=result.sent_pps,
        acknowledged_pps=result.acknowledged_pps,
        sent_bytes=result.sent_bytes,
        latency=_latency(result.latency),
        sessions=_sessions(result) if sessions else None,
        game=_replies(result) if sessions else None,
        world=world_report(
            result.world, result.unseen, load.crowd.world, round_.trial.players, result.elapsed_s
        )
        if load.crowd.world
        else None,
        by_type=_by_type(result),
        generator=_generator(result),
        limited_by=result.limited_by,
    )


def _sessions(result: Result) -> SessionsReport:
    return SessionsReport(
        connected=result.connected,
        connect_s=result.connect_s,
        handshakes=result.handshakes,
        closed=result.closed,
    )


def _replies(result: Result) -> RepliesReport:
    return RepliesReport(heard=result.heard, replies=result.replies, latency=_latency(result.replied))


def _latency(latency: Latency) -> LatencyReport:
    return LatencyReport(
        p50_s=latency.p50_s,
        p95_s=latency.p95_s,
        p99_s=latency.p99_s,
        p99_9_s=latency.p99_9_s,
        max_s=latency.max_s,
        mean_s=latency.mean_s,
    )


def _by_type(result: Result) -> dict[str, TypeReport]:
    return {
        name: TypeReport(sent=result.sent_of_type[name], acknowledged=result.acknowledged_of_type[name])
        for name in TYPES
    }


def _generator(result: Result) -> GeneratorReport:
    return GeneratorReport(
        ceiling_pps=result.ceiling_pps,
        busy=result.busy,
        worst_lag_s=result.worst_lag_s,
        limited=result.limited_by_generator,
        limits=list(result.limits),
        delays=list(result.delays),
    )


class _WithoutGeneratedTitles(GenerateJsonSchema):
    """Titles made from names say nothing new."""

    def field_title_should_be_set(self, schema: Any) -> bool:
        return False


def schema() -> dict[str, Any]:
    """The JSON Schema of what as_json() gives."""
    made = LoadReport.model_json_schema(mode="serialization", schema_generator=_WithoutGeneratedTitles)
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **made, "title": "pollgate load"}
