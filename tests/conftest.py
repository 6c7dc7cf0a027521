# SPDX-License-Identifier: BSD-3-Clause
"""What holds for every test: how long the machine takes says nothing about what is tested."""

from __future__ import annotations

from hypothesis import HealthCheck, settings

settings.register_profile("any machine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("any machine")
