# SPDX-License-Identifier: BSD-3-Clause
"""Every benchmark there is: one line here makes a command."""

from __future__ import annotations

from pyshim.bench.attack import attack
from pyshim.bench.bus import bus
from pyshim.bench.description import Bench, Extra, number, one_of, whole_number, whole_numbers, words_of
from pyshim.bench.engines import engines
from pyshim.bench.forward import forward
from pyshim.bench.game import game
from pyshim.bench.ndr import ndr
from pyshim.bench.players import players
from pyshim.bench.rig.opponent import parse_netcode, parse_traditional
from pyshim.bench.scaling import scaling
from pyshim.bench.sessions import SESSIONS, SESSIONS_MAX, sessions
from pyshim.bench.sessions_sealed import CONNECTED, CONNECTED_MAX, PARTS, sessions_sealed
from pyshim.bench.world import NAMES as WORLDS
from pyshim.bench.world import world

_PLAYERS = Extra(
    name="players",
    default="512",
    metavar="N",
    help="How many players there are.",
    parse=whole_number(1, 50_000),
)

BENCHES = (
    Bench(
        name="forward",
        measures="MOVE to MOVE_ACK with everything on, against dpdk-testpmd on the same device; sealed, "
        "against the cryptography alone.",
        rows=forward,
        extras=(
            Extra(
                name="pages",
                default="ordinary",
                metavar="ordinary|huge|both",
                help="Pages of both sides' packet buffers; huge ones must have been reserved, and make rows "
                "of their own, plain-512-huge and so on. On ordinary ones testpmd's buffers get in each "
                "other's way in the cache, and pollgate's do not.",
                parse=one_of("ordinary", "huge", "both"),
            ),
        ),
    ),
    Bench(
        name="attack",
        measures="What sessions keep while forged packets come for them, against what a wire can bring.",
        rows=attack,
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
        name="sessions-sealed",
        measures="CPU time per sealed message on kernel sockets, beside ENet, netcode and a bare echo; "
        "connections per CPU second, storms; memory and cost with up to a million connected.",
        rows=sessions_sealed,
        extras=(
            Extra(
                name="engines",
                default="epoll,io_uring",
                metavar="ENGINE,...",
                help="Which engines play beside the others: epoll, io_uring.",
                parse=words_of("epoll", "io_uring"),
            ),
            Extra(
                name="connected",
                default=",".join(map(str, CONNECTED)),
                metavar="N,...",
                help="How many are connected while 500 play, one row each.",
                parse=whole_numbers(1000, CONNECTED_MAX),
            ),
            Extra(
                name="parts",
                default=",".join(PARTS),
                metavar="PART,...",
                help="What to measure: contest, connecting, crowds.",
                parse=words_of(*PARTS),
            ),
            Extra(
                name="netcode",
                default="",
                metavar="DIRECTORY",
                help="The source of netcode's reference implementation, which plays, too.",
                parse=parse_netcode,
            ),
        ),
    ),
    Bench(
        name="scaling",
        measures="1 to n workers against one, as far as there are CPUs.",
        rows=scaling,
        x_axis="workers",
    ),
    Bench(
        name="engines",
        measures="Packets per second per core of every way to serve them, against a traditional game server.",
        rows=engines,
        in_rounds=True,
        extras=(
            _PLAYERS,
            Extra(
                name="rate",
                default="50000",
                metavar="N",
                help="Messages per second of all players in the paced trial, for latency.",
                parse=whole_number(100, 10_000_000),
            ),
            Extra(
                name="steer",
                default="",
                metavar="",
                help="Steer what the kernel receives to the receiver's CPU, at an interrupt per packet.",
                parse=bool,
                flag=True,
            ),
            Extra(
                name="traditional",
                default="",
                metavar="FILE",
                help="The traditional server, compiled; without it, one is compiled here.",
                parse=parse_traditional,
            ),
        ),
    ),
    Bench(
        name="bus",
        measures="A ring of the game bus between two processes, one way and messages a second, beside a bare "
        "cache line, a unix datagram socket, iceoryx and iceoryx2's Python wheel.",
        rows=bus,
        in_rounds=True,
    ),
    Bench(
        name="game",
        measures="Sealed messages that a worker forwards to a game process, against those that go to nobody; "
        "how long the process's answer takes, against an acknowledgement.",
        rows=game,
    ),
    Bench(
        name="world",
        measures="A worker whose players all move and see each other: share of a core, cycles by stage, "
        "bytes, and how late what is seen is; all that some of them decode is checked. And who is near whom, "
        "beside brute force, a plain grid and scipy's k-d tree.",
        rows=world,
        extras=(
            Extra(
                name="rows",
                default=",".join(WORLDS),
                metavar="ROW,...",
                help=f"Which worlds: {', '.join(WORLDS)}.",
                parse=words_of(*WORLDS),
            ),
        ),
    ),
    Bench(
        name="players",
        measures="5,000 players at 60 Hz, and half a million and a million messages per second, over memif.",
        rows=players,
        extras=(
            Extra(
                name="ladder",
                default="",
                metavar="",
                help="All steps from 100 players at 10 Hz to 5,000 at 60 Hz, and not only the last.",
                parse=bool,
                flag=True,
            ),
        ),
    ),
    Bench(
        name="ndr",
        measures="The highest rates without loss (NDR) and with 0.5 % of it (PDR), over memif, by MLRsearch.",
        rows=ndr,
        in_rounds=True,
        extras=(
            _PLAYERS,
            Extra(
                name="width",
                default="0.005",
                metavar="RATIO",
                help="How close the rates lie between which the answer is, relative to the higher one.",
                parse=number(0, 0.5),
            ),
            Extra(
                name="limit",
                default="45",
                metavar="SECONDS",
                help="The search ends after this time, as far as it has come.",
                parse=number(0, 86_400),
            ),
        ),
    ),
)
