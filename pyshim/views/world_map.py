# SPDX-License-Identifier: BSD-3-Clause
"""A world as a picture: how many are where, whom a player sees, and what it costs. Needs matplotlib."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Circle

_INCHES = (12.0, 9.0)
_DPI = 100
_WORDS = "pollgate map"


def draw(world: Mapping[str, Any], before: Mapping[str, Any], seconds: float) -> Figure:
    """The picture of what `GET /v1/world/NAME` answered, with rates since the answer `before` it."""
    with mpl.rc_context({"svg.hashsalt": _WORDS, "font.size": 9}):
        figure = Figure(figsize=_INCHES, dpi=_DPI, layout="constrained")
        player = world.get("player")
        boxes: Sequence[Axes] = figure.subplots(2, 2).flatten().tolist()
        _draw_heat(boxes[0], world)
        _draw_sight(boxes[1], world, player)
        _draw_histogram(boxes[2], world, before)
        _draw_rates(boxes[3], world, before, seconds)
        figure.suptitle(f"world {world['name']}, tick {world['tick']}: {world['shown']} entities")
    return figure


def save(figure: Figure, path: Path) -> None:
    """As SVG or PNG, by the name's ending; the same figure gives the same file.

    Raises:
        OSError: it cannot be written.
    """
    kind = path.suffix.lower().removeprefix(".")
    metadata = {"Date": None} if kind == "svg" else {"Software": None}
    with mpl.rc_context({"svg.hashsalt": _WORDS}):
        figure.savefig(path, format=kind, metadata=metadata)


def _draw_heat(box: Axes, world: Mapping[str, Any]) -> None:
    (low_x, low_y, _), (high_x, high_y, _) = world["bounds_m"]
    cell_m = world["heat"]["cell_m"]
    cells = world["heat"]["cells"]
    columns = max(1, -int(-(high_x - low_x) // cell_m))
    rows = max(1, -int(-(high_y - low_y) // cell_m))
    counts = [[0] * columns for _ in range(rows)]
    for x, y, count in cells:
        counts[min(y, rows - 1)][min(x, columns - 1)] += count
    most = max((count for *_, count in cells), default=1)
    extent = (low_x, low_x + columns * cell_m, low_y, low_y + rows * cell_m)
    image = box.imshow(counts, origin="lower", extent=extent, cmap="magma", vmin=0, vmax=most)
    box.figure.colorbar(image, ax=box, label=f"entities in {cell_m:.3g} m x {cell_m:.3g} m")
    box.set(title="who is where", xlabel="x (m)", ylabel="y (m)")


def _draw_sight(box: Axes, world: Mapping[str, Any], player: Mapping[str, Any] | None) -> None:
    if player is None or player["position"] is None:
        box.set_axis_off()
        box.text(0.5, 0.5, "--player ID shows whom a player sees", ha="center", transform=box.transAxes)
        return
    x, y, _ = player["position"]
    for radius, style in ((world["radius_m"], "-"), (world["leave_radius_m"], ":")):
        box.add_patch(Circle((x, y), radius, fill=False, linestyle=style))
    for kind, is_player in (("players", True), ("of the game", False)):
        seen = [one["position"] for one in player["sees"] if one["player"] is is_player]
        if seen:
            box.scatter([at[0] for at in seen], [at[1] for at in seen], s=14, label=kind)
    box.scatter([x], [y], marker="*", s=90, color="black", label=f"player {player['player_id']}")
    box.set(
        title=f"sees {len(player['sees'])} of at most {world['neighbours']}", xlabel="x (m)", ylabel="y (m)"
    )
    box.set_aspect("equal", adjustable="datalim")
    box.legend(loc="upper right")


def _draw_histogram(box: Axes, world: Mapping[str, Any], before: Mapping[str, Any]) -> None:
    """How long ticks took, between the two answers."""
    now, then = world["counted"].get("tick_duration"), before["counted"].get("tick_duration")
    if not isinstance(now, Mapping) or not isinstance(then, Mapping):
        box.set_axis_off()
        return
    since = {bound: count - then.get(bound, 0) for bound, count in now.items()}
    slowest = max((place for place, count in enumerate(since.values()) if count > 0), default=0)
    shown = list(since.items())[: slowest + 1]
    box.bar([_milliseconds(bound) for bound, _ in shown], [count for _, count in shown])
    box.tick_params(axis="x", rotation=45)
    box.set(title="ticks by how long they took at most (ms)", ylabel="ticks")


def _milliseconds(bound_s: str) -> str:
    """A bound as Prometheus writes it, for people."""
    return "longer" if bound_s == "+Inf" else f"{float(bound_s) * 1000:g}"


_RATES = (
    ("states", "states/s"),
    ("state_bytes", "bytes of states/s"),
    ("told", "entities told/s"),
    ("told_in_full", "in full/s"),
    ("glimpses", "glimpses/s"),
    ("overruns", "overruns/s"),
    ("shed", "states shed/s"),
)


def _draw_rates(box: Axes, world: Mapping[str, Any], before: Mapping[str, Any], seconds: float) -> None:
    """In words: what differs by a factor of a million has no common axis."""
    now, then = world["counted"], before["counted"]

    def rate(name: str) -> float:
        return float(now.get(name, 0) - then.get(name, 0)) / seconds

    lines = [f"{rate(name):14,.0f}  {text}" for name, text in _RATES if name in now]
    states = rate("states")
    if states > 0:
        lines += [
            f"{rate('state_bytes') / states:14,.1f}  bytes a state",
            f"{rate('state_bytes') / states * world['tick_hz'] * 8 / 1000:14,.1f}  kbit/s a player",
            f"{rate('told') / states:14,.1f}  entities a state",
        ]
    box.set_axis_off()
    box.set_title(f"in {seconds:.1f} s")
    box.text(0.02, 0.95, "\n".join(lines), va="top", family="monospace", transform=box.transAxes)
