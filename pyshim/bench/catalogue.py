# SPDX-License-Identifier: BSD-3-Clause
"""Every benchmark there is: one line here makes a command."""

from __future__ import annotations

from pyshim.bench.description import Bench, Extra, whole_numbers
from pyshim.bench.forward import forward
from pyshim.bench.scaling import scaling
from pyshim.bench.sessions import SESSIONS, SESSIONS_MAX, sessions

BENCHES = (
    Bench(
        name="forward",
        measures="MOVE to MOVE_ACK with everything on, against dpdk-testpmd on the same device.",
        rows=forward,
    ),
    Bench(
        name="sessions",
        measures="What a larger table costs: N sessions against 1,000 in a capture of as many frames.",
        rows=sessions,
        x_axis="sessions",
        extras=(
            Extra(
                name="sessions",
                default=",".join(map(str, SESSIONS)),
                metavar="N,...",
                help="How many sessions, one row each.",
                parse=whole_numbers(1000, SESSIONS_MAX),
            ),
        ),
    ),
    Bench(
        name="scaling",
        measures="1 to n workers against one, as far as there are CPUs.",
        rows=scaling,
        x_axis="workers",
    ),
)
