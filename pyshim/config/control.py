# SPDX-License-Identifier: BSD-3-Clause
"""The control API, which issues sessions: its address, and who may send requests to it."""

from __future__ import annotations

from typing import Annotated, TypeAlias

from pydantic import AfterValidator, Field, PlainSerializer, PlainValidator

from pyshim.config import values
from pyshim.config.section import Section, sentence, text_schema

ControlAddress: TypeAlias = Annotated[
    values.Endpoint | values.UnixSocket,
    PlainValidator(sentence(values.parse_control_address)),
    PlainSerializer(str, return_type=str),
    text_schema(
        "unix:/path, or host:port such as 127.0.0.1:9465",
        r"^(unix:.+|.+:[0-9]{1,5})$",
    ),
]
GatewayAddress: TypeAlias = Annotated[
    values.Endpoint,
    PlainValidator(sentence(values.parse_gateway_address)),
    PlainSerializer(str, return_type=str),
    text_schema("host:port such as game.example.org:8080", r"^.+:[0-9]{1,5}$"),
]
FileName: TypeAlias = Annotated[
    str, AfterValidator(sentence(values.parse_file_name)), text_schema("a file name", r"^[^\u0000]+$")
]


class TlsConfig(Section):
    """The certificate and key by which clients recognise the control API."""

    certificate: FileName = Field(description="PEM file of the certificate and those that it was issued by.")
    key: FileName = Field(description="PEM file of its private key.")


class ControlConfig(Section):
    """The API that issues, lists and revokes sessions of profile session."""

    listen: ControlAddress | None = Field(
        default=None,
        description="unix:/path, or host:port or [IPv6]:port with port 0 for any free one, printed at "
        "start; null is unix:/run/pollgate/FILE_PREFIX.sock, for users other than root in $XDG_RUNTIME_DIR "
        "instead of /run.",
    )
    token_file: FileName | None = Field(
        default=None,
        description="File with the bearer token that requests must carry. With host:port it is required; a "
        "unix "
        "socket is open to those whom its file permissions let in, and with a token only to those of them "
        "who have it.",
    )
    tls: TlsConfig | None = Field(
        default=None, description="Certificate and key; required where listen is not a loopback address."
    )
    advertise: GatewayAddress | None = Field(
        default=None,
        description="host:port that players are told to connect to; null is the first address of the first "
        "port, with "
        "the UDP port of the first listener of profile session.",
    )
