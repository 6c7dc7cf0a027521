# SPDX-License-Identifier: BSD-3-Clause
"""Figures as people read them: three significant digits and a unit that fits."""

from __future__ import annotations

ABSENT = "–"


def rate(per_second: float) -> str:
    """`812`, `4.21 k`, `12.3 M`: a count per second, at most six characters wide."""
    if per_second < 999.5:
        return _three_digits(per_second) if per_second % 1 else f"{per_second:.0f}"
    for divisor, suffix in ((1e3, "k"), (1e6, "M"), (1e9, "G")):
        if per_second < 999.5 * divisor:
            return f"{_three_digits(per_second / divisor)} {suffix}"
    return f"{_three_digits(per_second / 1e12)} T"


def count(value: int) -> str:
    """`1,234,567`: a total, exactly."""
    return f"{value:,}"


def share(value: float | None) -> str:
    """`97.3 %`."""
    return ABSENT if value is None else f"{value * 100:.1f} %"


def number(value: float | None) -> str:
    """`142`, `3.75`, `19,264`: three significant digits or all before the point; millions as in rate()."""
    if value is None:
        return ABSENT
    return _three_digits(value) if value < 999_999.5 else rate(value)


def duration(seconds: float | None) -> str:
    """`850 ns`, `3.1 µs`, `12.4 ms`, `2.0 s`: a latency."""
    if seconds is None:
        return ABSENT
    for limit, factor, unit in ((1e-6, 1e9, "ns"), (1e-3, 1e6, "µs"), (1.0, 1e3, "ms")):
        if seconds < limit:
            return f"{_three_digits(seconds * factor)} {unit}"
    return f"{_three_digits(seconds)} s"


def uptime(seconds: float) -> str:
    """`0:01:23`, `2 d 3:04:05`: how long something has run."""
    minutes, second = divmod(int(seconds), 60)
    hours, minute = divmod(minutes, 60)
    days, hour = divmod(hours, 24)
    clock = f"{hour}:{minute:02}:{second:02}"
    return f"{days} d {clock}" if days else clock


def _three_digits(value: float) -> str:
    if value >= 99.95:
        return f"{value:,.0f}"
    if value >= 9.995:
        return f"{value:.1f}"
    return f"{value:.2f}"
