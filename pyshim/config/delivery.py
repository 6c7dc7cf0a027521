# SPDX-License-Identifier: BSD-3-Clause
"""Messages of the session profile: batching, acknowledgement, repetition, compression and rate limits."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeAlias

from pydantic import Field, create_model

from pyshim import messages
from pyshim.config.defined import defined
from pyshim.config.former import former
from pyshim.config.section import Section

CompressFrom: TypeAlias = Annotated[int, Field(ge=1, le=65_536)] | Literal["never"]
_Rate: TypeAlias = Annotated[int, Field(ge=0, le=10_000_000)]
_Burst: TypeAlias = Annotated[int, Field(ge=1, le=1_000_000)]


def _by_type(name: str, keys: Iterator[tuple[str, object, int, str]]) -> type[Section]:
    """A section with a key for each type."""
    fields: dict[str, Any] = {
        key: (kind, Field(default=default, description=meaning)) for key, kind, default, meaning in keys
    }
    return create_model(name, __base__=Section, __module__=__name__, **fields)


if TYPE_CHECKING:
    _Compress: TypeAlias = Section
    _Rates: TypeAlias = Section
    _Bursts: TypeAlias = Section
else:
    _Compress = _by_type(
        "_Compress", ((one.name, CompressFrom, one.from_bytes, one.meaning) for one in messages.COMPRESSED)
    )
    _Rates = _by_type("_Rates", ((one.name, _Rate, one.pps, one.meaning) for one in messages.REQUESTS))
    _Bursts = _by_type("_Bursts", ((one.name, _Burst, one.burst, one.meaning) for one in messages.REQUESTS))


class CompressConfig(_Compress):
    """From which length messages of a type are compressed. Movement never is."""


class MessageRatesConfig(_Rates):
    """Messages per second that a session may send, by type; 0 is no limit."""


class MessageBurstsConfig(_Bursts):
    """Messages that a session may send at once before the rate applies, by type."""


@defined("delivery")
class DeliveryConfig(Section):
    """Messages of the session profile, on every listener that has it. All but memory_mib and
    compression_level reload live.
    """

    memory_mib: int = Field(default=...)  # declared because Python reads it: see `defined`

    resends: int | None = former(
        "Does nothing: a reliable message is sent again for as long as the connection lasts, see "
        "sessions.idle_timeout_s.",
        ge=1,
        le=7,
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
