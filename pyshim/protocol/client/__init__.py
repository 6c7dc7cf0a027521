# SPDX-License-Identifier: BSD-3-Clause
"""The Python client of the `session` profile: what a game imports. ../README.md is the ten-minute guide."""

from pyshim.protocol.client.errors import (
    BadTicketError,
    Closed,
    Denied,
    Expired,
    NotConnectedError,
    QueueFull,
    Revoked,
    TimedOut,
    Undelivered,
)
from pyshim.protocol.client.events import (
    Attack,
    Bulk,
    Chat,
    Connected,
    Correction,
    Disconnected,
    Ending,
    Event,
    GameMessage,
    Inventory,
    Judged,
    Judgement,
    Lost,
    Message,
    Refused,
    Skill,
    WhyRefused,
)
from pyshim.protocol.client.game import Client, Receipt
from pyshim.protocol.client.outgoing import Priority
from pyshim.protocol.client.settings import Settings
from pyshim.protocol.client.ticket import Ticket
from pyshim.protocol.world.view import Entered, EntityState, GlimpseSeen, Left, Seen, ViewSettings

__all__ = [
    "Attack",
    "BadTicketError",
    "Bulk",
    "Chat",
    "Client",
    "Closed",
    "Connected",
    "Correction",
    "Denied",
    "Disconnected",
    "Ending",
    "Entered",
    "EntityState",
    "Event",
    "Expired",
    "GameMessage",
    "GlimpseSeen",
    "Inventory",
    "Judged",
    "Judgement",
    "Left",
    "Lost",
    "Message",
    "NotConnectedError",
    "Priority",
    "QueueFull",
    "Receipt",
    "Refused",
    "Revoked",
    "Seen",
    "Settings",
    "Skill",
    "Ticket",
    "TimedOut",
    "Undelivered",
    "ViewSettings",
    "WhyRefused",
]
