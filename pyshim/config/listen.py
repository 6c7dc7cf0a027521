# SPDX-License-Identifier: BSD-3-Clause
"""The UDP ports: which profile each speaks, and the limits that follow from it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from pydantic import ConfigDict, Field, model_validator

from pyshim.config.defined import defined
from pyshim.config.section import Section

Admission = Literal["open", "issued"]
ProfileName = Literal["plain", "session", "netcode"]
_DEFAULT: ProfileName = "plain"


@dataclass(frozen=True, slots=True)
class Profile:
    """What the configuration knows of a profile."""

    admission: Admission  # "issued": limits of connections and of sessions apply, too
    limits: Mapping[str, int] = field(default_factory=dict)  # defaults that differ from LimitsConfig's
    sessions: bool = False  # they are issued one by one, and have numbers and keys of their own


PROFILES: dict[str, Profile] = {  # those of dpdk_app/wire/profiles.def; there is no other
    "plain": Profile("open"),
    "session": Profile("issued", limits={"source_pps": 500, "connections_pps": 100}, sessions=True),
    "netcode": Profile("issued", limits={"source_pps": 500, "connections_pps": 20}),
}


@defined("listen.limits")
class LimitsConfig(Section):
    """Rate limits: per source address, whatever its UDP port (per /64 with IPv6), and per session."""


def _by_profile_schema(schema: dict[str, Any]) -> None:
    """For editors: the admission of each profile, and the defaults that only this profile has."""
    rest = _profile_schema(PROFILES[_DEFAULT])
    for name, profile in PROFILES.items():
        if name != _DEFAULT:
            is_it = {"properties": {"profile": {"const": name}}, "required": ["profile"]}
            rest = {"if": is_it, "then": _profile_schema(profile), "else": rest}
    schema |= rest
    del schema["properties"]["admission"]["default"]


def _profile_schema(profile: Profile) -> dict[str, Any]:
    properties: dict[str, Any] = {
        "admission": {"const": profile.admission, "default": profile.admission},
    }
    if profile.limits:
        limits = {key: {"default": value} for key, value in profile.limits.items()}
        properties["limits"] = {"properties": limits}
    return {"properties": properties}


class ListenConfig(Section):
    """One UDP port that speaks one profile."""

    model_config = ConfigDict(json_schema_extra=_by_profile_schema)

    port: int = Field(ge=1, le=65_535, description="UDP port; unique.")
    profile: ProfileName = Field(
        default=_DEFAULT,
        description="Protocol of this port. session: issued keys, encryption, reliable messages "
        "(dpdk_app/wire/PROTOCOL.md); netcode: netcode 1.02 (dpdk_app/wire/NETCODE.md); plain "
        "is for laboratories and trusted networks.",
    )
    admission: Admission = Field(
        default="open",
        description="Who gets a session. open, of profile plain: the first valid message of an address "
        "makes one; "
        "issued, of profiles session and netcode: who proves a key that the control API issued.",
    )
    world: str | None = Field(
        default=None,
        description="Of worlds: in which players are who connect here, of profile session, or of profile "
        "plain beside a listener of profile session. null: in none.",
    )
    limits: LimitsConfig = Field(
        default=LimitsConfig(), description="Rate limits per source and session. Reloads live."
    )

    @model_validator(mode="before")
    @classmethod
    def _defaults_by_profile(cls, written: Any) -> Any:
        name = written.get("profile") if isinstance(written, dict) else None
        profile = PROFILES.get(name) if isinstance(name, str) else None
        if profile is None or name == _DEFAULT:
            return written
        limits = written.get("limits", {})
        if isinstance(limits, LimitsConfig):
            limits = limits.model_dump(exclude_unset=True)
        if isinstance(limits, dict):
            limits = {**profile.limits, **limits}
        return {"admission": profile.admission, **written, "limits": limits}

    @property
    def is_issued(self) -> bool:
        """Whether its sessions are issued by the control API."""
        return PROFILES[self.profile].sessions
