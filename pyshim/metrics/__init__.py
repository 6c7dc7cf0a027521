# SPDX-License-Identifier: BSD-3-Clause
"""The appliance's figures for Prometheus: which metrics exist, and how they are written.

Every metric is one row of `families.FAMILIES`, those of the data plane from `stats/counters.def`; the scrape,
the JSON summary and `METRICS.md` follow from it.
"""

from pyshim.metrics.collector import SnapshotCollector
from pyshim.metrics.families import FAMILIES, values
from pyshim.metrics.family import Family

__all__ = ["FAMILIES", "Family", "SnapshotCollector", "values"]
