# SPDX-License-Identifier: BSD-3-Clause
"""Profile netcode: which protocol its clients speak, the key of their connect tokens, where they reach us."""

from __future__ import annotations

from typing import Annotated, TypeAlias

from pydantic import Field, PlainSerializer, PlainValidator

from pyshim.config import values
from pyshim.config.control import FileName
from pyshim.config.section import Section, sentence, text_schema

SERVERS_MAX = 32  # that a connect token can name

ServerAddress: TypeAlias = Annotated[
    values.Endpoint,
    PlainValidator(sentence(values.parse_server_address)),
    PlainSerializer(str, return_type=str),
    text_schema("address:port such as 203.0.113.9:8082", r"^.+:[0-9]{1,5}$"),
]


class NetcodeConfig(Section):
    """What clients of profile netcode and the gateway have to agree about."""

    protocol_id: int | None = Field(
        default=None,
        ge=0,
        le=2**64 - 1,
        description="The game's number, which its clients have built in; profile netcode needs it.",
    )
    private_key_file: FileName | None = Field(
        default=None,
        description="File with the key of 32 bytes that connect tokens are made with, as 64 hexadecimal "
        "digits or in base64; mode 0600. Profile netcode needs it.",
    )
    addresses: tuple[ServerAddress, ...] = Field(
        default=(),
        strict=False,
        max_length=SERVERS_MAX,
        description="address:port at which clients reach this gateway: a connect token must name one of "
        "them. None: every address of the ports, with the UDP ports of the listeners of profile netcode.",
    )
