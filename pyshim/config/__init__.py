# SPDX-License-Identifier: BSD-3-Clause
"""The configuration file: what it may say, and reading it with a line for every error."""

from pyshim.config.load import load_config
from pyshim.config.models import (
    Config,
    EalConfig,
    HostConfig,
    LimitsConfig,
    ListenConfig,
    LogConfig,
    MetricsConfig,
    PortConfig,
    SessionsConfig,
    SocketsConfig,
    WorkersConfig,
    export_schema,
)
from pyshim.config.reload import restart_needed
from pyshim.config.values import Endpoint

__all__ = [
    "Config",
    "EalConfig",
    "Endpoint",
    "HostConfig",
    "LimitsConfig",
    "ListenConfig",
    "LogConfig",
    "MetricsConfig",
    "PortConfig",
    "SessionsConfig",
    "SocketsConfig",
    "WorkersConfig",
    "export_schema",
    "load_config",
    "restart_needed",
]
