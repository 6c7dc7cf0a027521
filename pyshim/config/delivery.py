# SPDX-License-Identifier: BSD-3-Clause
"""How messages of the session profile travel: together, acknowledged, repeated, compressed; and how many."""

from __future__ import annotations

from typing import Annotated, Literal, TypeAlias

from pydantic import Field

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


class DeliveryConfig(Section):
    """Messages of the session profile, on every listener that has it. All but memory_mib and
    compression_level reload live.
    """

    flush_ms: float = Field(
        default=5.0,
        ge=0,
        le=1000,
        description="Milliseconds that a message which is not urgent may wait for others to share its "
        "datagram.",
    )
    acknowledge_ms: float = Field(
        default=25.0,
        ge=0,
        le=25,
        description="Milliseconds after which messages are acknowledged by a datagram of its own, when "
        "none leaves "
        "before.",
    )
    resend_min_ms: float = Field(
        default=100.0,
        ge=10,
        le=10_000,
        description="Least time in milliseconds before a reliable message is sent again, however short the "
        "round "
        "trip.",
    )
    resends: int = Field(
        default=3,
        ge=1,
        le=7,
        description="Times that a reliable message is sent again before the connection is given up.",
    )
    queue_kib: int = Field(
        default=256,
        ge=64,
        le=65_536,
        description="Messages that may wait for one player, in KiB; a player who is slower than that loses "
        "some.",
    )
    memory_mib: int = Field(
        default=64,
        ge=1,
        le=65_536,
        description="Messages that may wait for all players together, in MiB, shared evenly by the workers.",
    )
    handshake_cpu: float = Field(
        default=0.2,
        ge=0.01,
        le=1,
        description="Share of a worker's time that handshakes may take; more of them are dropped.",
    )
    compression_level: int = Field(
        default=1,
        ge=1,
        le=12,
        description="Effort of the compressor (libdeflate): 1 is fast, 12 is thorough.",
    )
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
