# SPDX-License-Identifier: BSD-3-Clause
"""How messages of the session profile travel: together, acknowledged, repeated, compressed; and how many."""

from __future__ import annotations

from typing import Annotated, Literal, TypeAlias

from pydantic import Field

from pyshim.config.defined import defined
from pyshim.config.section import Section

CompressFrom: TypeAlias = Annotated[int, Field(ge=1, le=65_536)] | Literal["never"]
_Rate: TypeAlias = Annotated[int, Field(ge=0, le=10_000_000)]
_Burst: TypeAlias = Annotated[int, Field(ge=1, le=1_000_000)]


class CompressConfig(Section):
    """From which length messages of a type are compressed. Movement never is."""

    chat: CompressFrom = Field(default=32, description="Bytes of a chat message, or never.")
    inventory: CompressFrom = Field(default=100, description="Bytes of an inventory, or never.")
    bulk: CompressFrom = Field(default=100, description="Bytes of bulk data, or never.")


class MessageRatesConfig(Section):
    """Messages per second that a session may send, by type; 0 is no limit."""

    move: _Rate = Field(default=128, description="Movements.")
    attack: _Rate = Field(default=32, description="Attacks.")
    chat: _Rate = Field(default=8, description="Chat messages.")
    heartbeat: _Rate = Field(default=8, description="Heartbeats.")
    skill: _Rate = Field(default=32, description="Skills.")
    bulk: _Rate = Field(
        default=16,
        description="Bulk data: one message, however many datagrams it takes; a compressed one counts once "
        "more for every 1,400 bytes that it expands to.",
    )


class MessageBurstsConfig(Section):
    """Messages that a session may send at once before the rate applies, by type."""

    move: _Burst = Field(default=256, description="Movements.")
    attack: _Burst = Field(default=64, description="Attacks.")
    chat: _Burst = Field(default=32, description="Chat messages.")
    heartbeat: _Burst = Field(default=16, description="Heartbeats.")
    skill: _Burst = Field(default=64, description="Skills.")
    bulk: _Burst = Field(default=64, description="Bulk data, of up to 64 KiB each.")


@defined("delivery")
class DeliveryConfig(Section):
    """Messages of the session profile, on every listener that has it. All but memory_mib and
    compression_level reload live.
    """

    memory_mib: int = Field(default=...)  # that Python asks for: settings.def has the rest

    compress: CompressConfig = Field(
        default=CompressConfig(), description="Types of message that are compressed, where it saves a tenth."
    )
    messages_pps: MessageRatesConfig = Field(
        default=MessageRatesConfig(), description="Limit per second and session, by type of message."
    )
    messages_burst: MessageBurstsConfig = Field(
        default=MessageBurstsConfig(),
        description="What may come at once before that limit, by type of message.",
    )
