# SPDX-License-Identifier: BSD-3-Clause
"""Keys of `worlds` that contradict each other or the listeners.

Works on unvalidated data and skips what it cannot read, so that all errors are reported at once.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

from pyshim.config.clashes import Path, get, items
from pyshim.config.engines import Incompatibility
from pyshim.config.values import quoted
from pyshim.config.world_values import bounds_of
from pyshim.settings import Setting, in_section
from pyshim.velocities import velocity_parts

_QUANTA_MAX = (1 << 21) - 1  # of a side: WORLD_POSITION_BITS of the data plane
_RADIUS_QUANTA_MAX = (1 << 15) - 1  # WORLD_RADIUS_MAX of the data plane
_SPEED_UNITS_MAX = 32440  # what a velocity of 16 bits tells, less a margin
_SPEED_QUANTA_MIN = 16  # per second
_STATE_BYTES_MIN = 80  # of a state that tells anything
_SEEING = ("session", "plain")  # the profiles whose players are in worlds
_FOUNDING = "session"  # the profile whose part of the data plane worlds are
_SETTINGS = {one.name: one for one in in_section("worlds")}
_COMBAT_SETTINGS = {one.name: one for one in in_section("worlds.combat")}
_VIEW_TICKS = 2  # until a state leaves, and until the next one does: WORLD_VIEW_TICKS of the data plane
_AXES = "xyz"


def find_world_contradictions(config: object) -> Iterator[Incompatibility]:
    """All of them, in a configuration of plain dicts and lists, which has only the written keys."""
    names = []
    for world, path in items(get(config, "worlds"), ("worlds",)):
        names.append(get(world, "name"))
        yield from _of_radii(world, path)
        yield from _of_rates(world, path)
        yield from _of_bounds(world, path)
        yield from _of_combat(world, path)
        yield from _of_tiers(world, path)
    listeners = list(items(get(config, "listen"), ("listen",)))
    has_sessions = any(get(listener, "profile") == _FOUNDING for listener, _ in listeners)
    for listener, path in listeners:
        known = [name for name in names if isinstance(name, str)]
        yield from _of_listener(listener, path, known, has_sessions=has_sessions)
    if get(get(config, "record"), "path") is not None and not names:
        yield Incompatibility(("record", "path"), "there is no world to record; remove it, or add worlds")


def _of_radii(world: object, path: Path) -> Iterator[Incompatibility]:
    enter, leave = _number(world, "radius_m"), _number(world, "leave_radius_m")
    if enter is not None and leave is not None and leave <= enter:
        text = f"found {leave:g}, allowed with radius_m: {enter:g}: more than that, such as {enter * 1.125:g}"
        yield Incompatibility((*path, "leave_radius_m"), text)
    quantum = _number(world, "quantum_m")
    if leave is not None and quantum is not None and leave / quantum > _RADIUS_QUANTA_MAX:
        text = (
            f"found {leave:g}, which is more than {_RADIUS_QUANTA_MAX} times quantum_m: {quantum:g}; write "
            "less, or a larger quantum_m"
        )
        yield Incompatibility((*path, "leave_radius_m"), text)


def _of_rates(world: object, path: Path) -> Iterator[Incompatibility]:
    """What a state must have room for, and what a velocity can tell."""
    tick_hz, budget, quantum = (_number(world, key) for key in ("tick_hz", "budget_kbps", "quantum_m"))
    if tick_hz is None:
        return
    least = -(-int(tick_hz) * _STATE_BYTES_MIN * 8 // 1000)
    if budget is not None and budget < least:
        text = (
            f"found {budget:g}, allowed with tick_hz: {tick_hz:g}: {least} or more, which tells of one or two"
        )
        yield Incompatibility((*path, "budget_kbps"), text)
    yield from _of_motion(world, path)
    speed = _number(world, "max_speed_mps")
    if speed is None or quantum is None:
        return
    most = _SPEED_UNITS_MAX / velocity_parts(int(tick_hz)) * quantum * tick_hz
    if speed > most:
        text = (
            f"found {speed:g}, allowed with quantum_m: {quantum:g} and tick_hz: {tick_hz:g}: at most "
            f"{most:g}; write 0 for that"
        )
        yield Incompatibility((*path, "max_speed_mps"), text)


def _of_motion(world: object, path: Path) -> Iterator[Incompatibility]:
    """What is slower than positions are told could not move."""
    quantum = _number(world, "quantum_m")
    for key, quanta in (("max_speed_mps", _SPEED_QUANTA_MIN), ("max_acceleration_mps2", 1)):
        said = _number(world, key)
        if said is not None and quantum is not None and said < quanta * quantum:
            text = f"found {said:g}, allowed with quantum_m: {quantum:g}: {quanta * quantum:g} or more, or 0"
            yield Incompatibility((*path, key), text)


def _of_bounds(world: object, path: Path) -> Iterator[Incompatibility]:
    quantum = _number(world, "quantum_m")
    bounds = bounds_of(get(world, "bounds"))
    if bounds is None or quantum is None:
        return
    low, high = bounds
    for axis, least, most in zip(_AXES, low, high, strict=True):
        at = (*path, "bounds")
        if most == least:
            text = f"found {axis} from {least:g} to {most:g}; a world has room on each axis: write more"
            text += f" than {least:g}"
            yield Incompatibility(at, text)
        elif most < least:
            text = f"found {axis} from {least:g} to {most:g}; the lowest corner comes first: exchange them"
            yield Incompatibility(at, text)
        elif (most - least) / quantum > _QUANTA_MAX:
            text = (
                f"found {axis} from {least:g} to {most:g}, which are more than {_QUANTA_MAX} times "
                f"quantum_m: {quantum:g}; write a smaller world or a larger quantum_m"
            )
            yield Incompatibility(at, text)


def _of_combat(world: object, path: Path) -> Iterator[Incompatibility]:
    """What players see must be within the rewind, or nobody hits by it; and bodies are whole quanta."""
    combat, quantum, tick_hz = get(world, "combat"), _number(world, "quantum_m"), _number(world, "tick_hz")
    if not isinstance(combat, dict):
        return
    at = (*path, "combat")
    rewind, interpolation = (_combat_number(combat, key) for key in ("rewind_ms", "interpolation_ms"))
    if rewind is not None and interpolation is not None and tick_hz is not None:
        least = math.ceil(interpolation + _VIEW_TICKS * 1000 / tick_hz)
        if rewind < least:
            text = (
                f"found {rewind:g}, allowed with interpolation_ms: {interpolation:g} and "
                f"tick_hz: {tick_hz:g}: {least} or more"
            )
            yield Incompatibility((*at, "rewind_ms"), text)
    if quantum is None:
        return
    for key in ("reach_m", "body_radius_m"):
        said = _combat_number(combat, key)
        if said is not None and said < quantum:
            yield Incompatibility(
                (*at, key), f"found {said:g}, allowed with quantum_m: {quantum:g}: that or more"
            )
    for key in ("reach_m", "body_radius_m", "body_height_m", "eye_m"):
        said = _combat_number(combat, key)
        if said is not None and said > _QUANTA_MAX * quantum:
            text = (
                f"found {said:g}, which is more than {_QUANTA_MAX} times quantum_m: {quantum:g}; write less, "
                "or a larger quantum_m"
            )
            yield Incompatibility((*at, key), text)


def _of_tiers(world: object, path: Path) -> Iterator[Incompatibility]:
    """Each is farther, and less often, than the one before; and somebody can be there."""
    leave, far, often = _number(world, "leave_radius_m"), 0.0, 1.0
    for tier, at in items(get(world, "tiers"), (*path, "tiers")):
        from_m, every = get(tier, "from_m"), get(tier, "every_ticks")
        if isinstance(from_m, int | float):
            if leave is not None and from_m >= leave:
                text = f"found {from_m:g}, allowed with leave_radius_m: {leave:g}: less than that"
                yield Incompatibility((*at, "from_m"), text)
            if from_m <= far:
                text = f"found {from_m:g}, allowed: more than {far:g}, where the tier before it begins"
                yield Incompatibility((*at, "from_m"), text)
            far = from_m
        if isinstance(every, int):
            if every <= often and every in (2, 4, 8):
                text = f"found {every}, allowed: more than {often:g}, which the tier before it has"
                yield Incompatibility((*at, "every_ticks"), text)
            often = every


def _combat_number(combat: object, key: str) -> float | None:
    return _said(combat, _COMBAT_SETTINGS[key])


def _of_listener(
    listener: object, path: Path, names: list[str], *, has_sessions: bool
) -> Iterator[Incompatibility]:
    world, profile = get(listener, "world"), get(listener, "profile") or "plain"
    if not isinstance(world, str) or not isinstance(profile, str):
        return
    if profile not in _SEEING:
        text = f"profile {profile} has no worlds; remove it, or write profile: {_FOUNDING}"
        yield Incompatibility((*path, "world"), text)
    elif not has_sessions:
        text = f"profile {profile} has worlds only beside profile {_FOUNDING}; add a listener that speaks it"
        yield Incompatibility((*path, "world"), text)
    elif world not in names:
        allowed = ", ".join(names) or "none; add one to worlds"
        yield Incompatibility((*path, "world"), f"found {quoted(world)}, allowed: {allowed}")


def _number(world: object, key: str) -> float | None:
    found = _said(world, _SETTINGS[key])
    return found if found is not None and found > 0 else None


def _said(section: object, setting: Setting) -> float | None:
    """None: it is no number that the key can have, which is told already; nothing is reckoned with it."""
    found = get(section, setting.name)
    value = setting.default if found is None else found
    if not isinstance(value, int | float) or isinstance(value, bool):
        return None
    return value if setting.least <= value <= setting.most else None
