# SPDX-License-Identifier: BSD-3-Clause
"""The UDP ports: which profile each speaks, and the limits that follow from it."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import ConfigDict, Field, model_validator

from pyshim.config.defined import defined
from pyshim.config.section import Section

ADMISSION = {"plain": "open", "session": "issued"}  # of each profile; there is no other
_SESSION_LIMITS = {"source_pps": 500, "connections_pps": 20}  # where they differ from the plain profile's


@defined("listen.limits")
class LimitsConfig(Section):
    """Rate limits: of a source address, whatever its UDP port (IPv6: of its /64), and of a session."""


def _by_profile_schema(schema: dict[str, Any]) -> None:
    """For editors: the admission of each profile, and the defaults that only profile session has."""
    limits = {key: {"default": value} for key, value in _SESSION_LIMITS.items()}
    session = {"properties": {"profile": {"const": "session"}}, "required": ["profile"]}
    schema["if"] = session
    schema["then"] = {
        "properties": {
            "admission": {"const": "issued", "default": "issued"},
            "limits": {"properties": limits},
        }
    }
    schema["else"] = {"properties": {"admission": {"const": "open", "default": "open"}}}
    del schema["properties"]["admission"]["default"]


class ListenConfig(Section):
    """One UDP port that speaks one profile."""

    model_config = ConfigDict(json_schema_extra=_by_profile_schema)

    port: int = Field(ge=1, le=65_535, description="UDP port; unique.")
    profile: Literal["plain", "session"] = Field(
        default="plain",
        description="Protocol of this port. session: issued keys, encryption, reliable messages "
        "(dpdk_app/wire/PROTOCOL.md); plain is for laboratories and trusted networks.",
    )
    admission: Literal["open", "issued"] = Field(
        default="open",
        description="Who gets a session. open, of profile plain: the first valid message of an address "
        "makes one; "
        "issued, of profile session: who proves a key that the control API issued.",
    )
    limits: LimitsConfig = Field(
        default=LimitsConfig(), description="Rate limits per source and session. Reloads live."
    )

    @model_validator(mode="before")
    @classmethod
    def _defaults_by_profile(cls, written: Any) -> Any:
        if not isinstance(written, dict) or written.get("profile") != "session":
            return written
        limits = written.get("limits", {})
        if isinstance(limits, LimitsConfig):
            limits = limits.model_dump(exclude_unset=True)
        if isinstance(limits, dict):
            limits = _SESSION_LIMITS | limits
        return {"admission": ADMISSION["session"], **written, "limits": limits}
