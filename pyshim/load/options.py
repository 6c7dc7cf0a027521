# SPDX-License-Identifier: BSD-3-Clause
"""What the options of `pollgate load` ask for, checked."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from pyshim.config import load_config
from pyshim.config.located import located
from pyshim.errors import UsageError
from pyshim.issuing.client import Client
from pyshim.load.run import Name, Round, paced_rounds
from pyshim.load.scenario import LADDER, Crowd, Device, Mix, Sockets, Step, Target, Trial, parse_steps
from pyshim.load.targets import is_address, local_addresses, own_addresses, parse_target, resolve
from pyshim.load.tickets import Ticket, issue_tickets, read_tickets
from pyshim.load.world import Impairment, Walking, World, world_of

DEFAULT_PLAYERS, _DEFAULT_RATE_PPS, _DEFAULT_SECONDS = 100, 10.0, 10.0


@dataclass(frozen=True, slots=True)
class Pace:
    """How much is asked for, as the options say it; None: not given."""

    players: int | None
    rate_pps: float | None
    seconds: float | None
    window: int | None
    ladder: bool
    steps: str | None
    step_seconds: float | None
    ramp_s: float | None
    drain_s: float


@dataclass(frozen=True, slots=True)
class Network:
    """How it is impaired, as the options say it: shares in per cent."""

    loss: float
    duplicate: float
    reorder: float
    reorder_ms: int
    rebind_s: float


@dataclass(frozen=True, slots=True)
class Way:
    """How the target is reached, as the options say it."""

    addresses: tuple[str, ...]
    cpu: int | None
    device: str | None
    mac: str | None
    target_mac: str | None
    memory_mib: int | None
    huge_pages: bool


@dataclass(frozen=True, slots=True)
class Rules:
    """Whose world is played, as the options say it: a gateway's configuration, or none."""

    issue: Path | None  # its players are of profile session
    plain: Path | None  # of profile plain


def world_asked(name: str, rules: Rules, pace: Pace, walking: Walking) -> World:
    """The world that is played, from the gateway's configuration.

    Raises:
        PollgateError: it cannot be read, has no such world, or the options do not go with a world.
    """
    if rules.issue is not None and rules.plain is not None:
        raise UsageError("--issue and --rules exclude each other; give one of them")
    config = rules.issue or rules.plain
    if config is None:
        raise UsageError(
            "--world needs --issue, or --rules for players of profile plain: the world's rules are those of "
            "the gateway's configuration"
        )
    for option, given in (
        ("--ladder", pace.ladder),
        ("--steps", pace.steps),
        ("--window", pace.window),
        ("--ramp", pace.ramp_s),
    ):
        if given:
            raise UsageError(
                f"{option} does not go with --world, which is one step at one rate; leave it out"
            )
    players = DEFAULT_PLAYERS if pace.players is None else pace.players
    with located(config):
        return world_of(load_config(config), name, players, walking)


def plain_mix(mix: Mix | None) -> Mix:
    """What players of profile plain say in a world.

    Raises:
        UsageError: it is what others had to hear.
    """
    if mix is None:
        return (("move", 1),)
    if words := [name for name, weight in mix if weight and name not in ("move", "heartbeat")]:
        raise UsageError(
            f"--mix: {words[0]} does not go with --rules: players of profile plain hear nothing of each "
            "other; give move and heartbeat"
        )
    return mix


def impairment_asked(network: Network, *, ticketed: bool, asks: bool) -> Impairment | None:
    """What becomes of datagrams; None: nothing.

    Args:
        ticketed: whether players have tickets.
        asks: they have none, and ask what they see in a world.

    Raises:
        UsageError: it does not go with such players, or it is too much.
    """
    asked = Impairment(
        network.loss / 100,
        network.duplicate / 100,
        network.reorder / 100,
        network.reorder_ms,
        round(network.rebind_s * 1000),
    )
    if asks and (asked.duplicate or asked.move_ms):
        raise UsageError(
            "--duplicate and --rebind do not go with --rules: a gateway knows players of profile plain by "
            "their addresses, and takes what comes twice twice"
        )
    if asked.any and not (ticketed or asks):
        raise UsageError(
            "--loss, --duplicate, --reorder and --rebind need --tickets or --issue: nothing of profile "
            "plain is repeated"
        )
    return asked if asked.any else None


def tickets_asked(file: Path | None, config: Path | None, crowd: Crowd) -> tuple[Ticket, ...]:
    """One for each player, or none.

    Raises:
        PollgateError: they cannot be read, or are not issued.
    """
    if file is not None and config is not None:
        raise UsageError("--tickets and --issue exclude each other; give one of them")
    if file is not None:
        found = read_tickets(file)
        if len(found) < crowd.players:
            raise UsageError(
                f"--tickets: {file} has {len(found):,} tickets for {crowd.players:,} players; each needs one"
            )
        return found[: crowd.players]
    if config is None:
        return ()
    with located(config), Client(load_config(config)) as client:
        return issue_tickets(client, range(crowd.first_player_id, crowd.first_player_id + crowd.players))


def with_storms(rounds: tuple[Round, ...], *, there: bool) -> tuple[Round, ...]:
    """Before each, all connect anew.

    Raises:
        UsageError: players have no tickets.
    """
    if not there:
        raise UsageError("--storm needs --tickets or --issue: players of profile plain have no connections")
    return tuple(replace(each, trial=replace(each.trial, storm=True)) for each in rounds)


def rounds_asked(pace: Pace) -> tuple[Name, tuple[Round, ...]]:
    """What is played, in order.

    Raises:
        UsageError: options that exclude each other.
    """
    single = {
        "--players": pace.players,
        "--rate": pace.rate_pps,
        "--seconds": pace.seconds,
        "--window": pace.window,
    }
    given = [option for option, value in single.items() if value is not None]
    if pace.ladder and pace.steps is not None:
        raise UsageError("--ladder and --steps exclude each other; give one of them")
    if pace.ladder or pace.steps is not None:
        which = "--ladder" if pace.ladder else "--steps"
        if given:
            instead = "use --step-seconds" if given[0] == "--seconds" else "leave it out"
            raise UsageError(f"{given[0]} does not go with {which}; {instead}")
        chosen: tuple[Step, ...] = LADDER if pace.steps is None else parse_steps(pace.steps)
        each_s = _seconds("--step-seconds", pace.step_seconds)
        name: Name = "ladder" if pace.ladder else "steps"
        return name, paced_rounds(chosen, each_s, _ramp(pace.ramp_s), pace.drain_s)
    if pace.step_seconds is not None:
        raise UsageError("--step-seconds needs --ladder or --steps; use --seconds")
    players = DEFAULT_PLAYERS if pace.players is None else pace.players
    seconds = _seconds("--seconds", pace.seconds)
    if pace.window is not None:
        if pace.rate_pps is not None or pace.ramp_s is not None:
            other = "--rate" if pace.rate_pps is not None else "--ramp"
            raise UsageError(
                f"{other} does not go with --window, which has the target set the pace; choose one"
            )
        if pace.window < 1:
            raise UsageError(f"--window: found {pace.window}, allowed: 1 or more")
        trial = Trial(players, seconds, window=pace.window, drain_s=pace.drain_s)
        return "window", (Round(trial, None),)
    rate_pps = _DEFAULT_RATE_PPS if pace.rate_pps is None else pace.rate_pps
    return "rate", paced_rounds((Step(players, rate_pps),), seconds, _ramp(pace.ramp_s), pace.drain_s)


def _ramp(value: float | None) -> float:
    return 0.0 if value is None else _seconds("--ramp", value)


def _seconds(option: str, value: float | None) -> float:
    if value is not None and not 0 < value < float("inf"):
        raise UsageError(f"{option}: {value:g} is not a number of seconds greater than 0")
    return _DEFAULT_SECONDS if value is None else value


def way_there(target: str, way: Way) -> tuple[Target, Sockets | Device]:
    """The target's address, and how it is reached.

    Raises:
        PollgateError: it is none, or cannot be reached so.
    """
    endpoint = parse_target(target)
    via = _via(way)
    versions = {address.version for address in via.addresses}
    # A name is looked up for the kind of address that it is played from; an address is what it is.
    version = versions.pop() if len(versions) == 1 and not is_address(endpoint.host) else None
    return resolve(endpoint, version=version, mac=way.target_mac), via


def _via(way: Way) -> Sockets | Device:
    if way.device is None:
        of_device = {
            "--mac": way.mac is not None,
            "--target-mac": way.target_mac is not None,
            "--memory": way.memory_mib is not None,
            "--huge-pages": way.huge_pages,
        }
        if given := [option for option, there in of_device.items() if there]:
            raise UsageError(f"{given[0]} needs --device; over sockets the kernel sees to that")
        return Sockets(local_addresses(way.addresses), way.cpu)
    return Device(
        way.device,
        own_addresses(way.addresses),
        mac=way.mac,
        cpu=way.cpu,
        huge_pages=way.huge_pages,
        **({} if way.memory_mib is None else {"memory_mib": way.memory_mib}),
    )
