# SPDX-License-Identifier: BSD-3-Clause
"""The names that a configuration has gateways listen at → addresses."""

from __future__ import annotations

from pyshim.config import Config
from pyshim.config.values import Endpoint
from pyshim.errors import UnavailableError
from pyshim.system.name_lookup import look_up


def resolved(config: Config) -> Config:
    """The configuration with the first address of each name to listen at in place of the name.

    Raises:
        UnavailableError: one does not resolve.
    """
    metrics, control = config.metrics.listen, config.control.listen
    if metrics is not None:
        metrics = _numeric("metrics.listen", metrics)
    if isinstance(control, Endpoint):
        control = _numeric("control.listen", control)
    return config.model_copy(
        update={
            "metrics": config.metrics.model_copy(update={"listen": metrics}),
            "control": config.control.model_copy(update={"listen": control}),
        }
    )


def _numeric(key: str, endpoint: Endpoint) -> Endpoint:
    try:
        address = look_up(*endpoint)[0][4]
    except (OSError, UnicodeError) as problem:
        why = getattr(problem, "strerror", None) or str(problem)
        raise UnavailableError(
            f"{key}: {endpoint} cannot be resolved ({why}); use an IP address of this host"
        ) from problem
    return Endpoint(str(address[0]), endpoint.port)
