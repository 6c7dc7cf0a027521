# SPDX-License-Identifier: BSD-3-Clause
"""The configuration file: what it may say, and reading it with a line for every error."""

from pyshim.config.control import ControlConfig, TlsConfig
from pyshim.config.delivery import (
    CompressConfig,
    DeliveryConfig,
    MessageBurstsConfig,
    MessageRatesConfig,
)
from pyshim.config.listen import LimitsConfig, ListenConfig
from pyshim.config.load import load_config
from pyshim.config.models import (
    Config,
    EalConfig,
    HostConfig,
    LogConfig,
    MetricsConfig,
    PortConfig,
    SessionsConfig,
    SocketsConfig,
    WorkersConfig,
    export_schema,
)
from pyshim.config.reload import restart_needed
from pyshim.config.values import Endpoint, UnixSocket

__all__ = [
    "CompressConfig",
    "Config",
    "ControlConfig",
    "DeliveryConfig",
    "EalConfig",
    "Endpoint",
    "HostConfig",
    "LimitsConfig",
    "ListenConfig",
    "LogConfig",
    "MessageBurstsConfig",
    "MessageRatesConfig",
    "MetricsConfig",
    "PortConfig",
    "SessionsConfig",
    "SocketsConfig",
    "TlsConfig",
    "UnixSocket",
    "WorkersConfig",
    "export_schema",
    "load_config",
    "restart_needed",
]
