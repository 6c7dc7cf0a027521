# SPDX-License-Identifier: BSD-3-Clause
"""The appliance's figures for Prometheus: which metrics exist, how they are written and how they are served.

Every metric is one row of `families.FAMILIES`; the scrape, the JSON summary and `METRICS.md` follow from it.
"""

from pyshim.metrics.families import FAMILIES, values
from pyshim.metrics.family import Family
from pyshim.metrics.server import MetricsServer

__all__ = ["FAMILIES", "Family", "MetricsServer", "values"]
