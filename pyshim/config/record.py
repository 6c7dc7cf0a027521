# SPDX-License-Identifier: BSD-3-Clause
"""The recording: what workers did to the worlds in the last seconds, kept in memory and written to a file."""

from __future__ import annotations

from pydantic import Field

from pyshim.config.control import FileName
from pyshim.config.section import Section

MEMORY_MIB_MIN = 16


class RecordConfig(Section):
    """What became of all worlds, so that `pollgate replay` can do it again."""

    path: FileName | None = Field(
        default=None,
        description="File that the recording is written to when the gateway ends or is asked (POST "
        "/v1/recording), and PATH.crash when a worker process dies; null records nothing.",
    )
    seconds: float = Field(
        default=30.0,
        ge=5,
        le=3600,
        description="How much of it a file has at most, in seconds, if the "
        "memory holds so much; some seconds before that, too.",
    )
    memory_mib: int = Field(
        default=256,
        ge=MEMORY_MIB_MIN,
        le=65_536,
        description="Memory that it is kept in, of all workers together, in MiB: 32 bytes for each movement.",
    )
