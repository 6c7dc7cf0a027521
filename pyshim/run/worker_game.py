# SPDX-License-Identifier: BSD-3-Clause
"""What a worker process does about game processes, for the supervisor that they are attached to."""

from __future__ import annotations

import os
from contextlib import suppress

from pyshim.dataplane import Gateway
from pyshim.errors import InternalError, PollgateError
from pyshim.run import control


def obey(channel: control.Channel, gateway: Gateway, order: control.GameOrder) -> None:
    """Do what the supervisor wants, and say so where it waits for that."""
    match order:
        case control.GameRings():
            channel.send(control.GameMapped(order.process, order.files, _map(gateway, order)))
        case control.GamePresence(process, present, wants_moves):
            # Of rings that could not be mapped the supervisor knows, or will in a moment.
            with suppress(InternalError):
                gateway.game_presence(process, present=present, wants_moves=wants_moves)
        case control.GameDetach(process):
            gateway.game_detach(process)


def report_broken(channel: control.Channel, gateway: Gateway) -> None:
    """Say which processes the workers have given up."""
    while (broken := gateway.game_broken()) is not None:
        channel.send(control.GameBroken(*broken))


def _map(gateway: Gateway, rings: control.GameRings) -> str:
    """Map the rings of every worker, or of none; returns why not."""
    try:
        for worker, fds in enumerate(rings.by_worker):
            gateway.game_attach(
                rings.process, worker, fds, present=rings.present, wants_moves=rings.wants_moves
            )
    except PollgateError as problem:
        gateway.game_detach(rings.process)
        return str(problem) or type(problem).__name__
    finally:
        for fd in rings.fds:
            os.close(fd)
    return ""
