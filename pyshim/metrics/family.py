# SPDX-License-Identifier: BSD-3-Clause
"""What a metric is, and its two forms: Prometheus's own, and JSON."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import StrEnum
from itertools import accumulate

from prometheus_client.metrics_core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.utils import floatToGoString

from pyshim.stats import Histogram, Snapshot


class Kind(StrEnum):
    """The Prometheus type of a metric."""

    COUNTER = "counter"
    GAUGE = "gauge"
    HISTOGRAM = "histogram"


Scalar = int | float
Value = Scalar | Histogram
Sample = tuple[tuple[str, ...], Value]  # label values in the order of Family.labels


@dataclass(frozen=True, slots=True)
class Family:
    """One metric. `read` yields its samples; a histogram's are `Histogram`, all others numbers."""

    name: str
    kind: Kind
    labels: tuple[str, ...]
    unit: str
    meaning: str
    read: Callable[[Snapshot], Iterable[Sample]]


def cumulative(histogram: Histogram) -> list[tuple[str, int]]:
    """Buckets as Prometheus has them: (upper bound, observations up to it), ending with +Inf."""
    bounds = [_bound(bound) for bound in histogram.bounds]
    buckets = list(zip(bounds, accumulate(histogram.counts), strict=True))
    if not buckets or not math.isinf(histogram.bounds[-1]):
        # Nothing lies beyond a finite last bound: the data plane has no larger value to count.
        buckets.append(("+Inf", buckets[-1][1] if buckets else 0))
    return buckets


def per_bucket(histogram: Histogram) -> dict[str, int]:
    """How many observations are in which bucket, by its upper bound as Prometheus writes it."""
    return dict(zip(map(_bound, histogram.bounds), histogram.counts, strict=True))


def _bound(bound: float) -> str:
    text: str = floatToGoString(bound)  # type: ignore[no-untyped-call]
    return text


def exposition(family: Family, snapshot: Snapshot) -> Metric:
    """The metric in prometheus-client's terms, ready to be written in any of its formats."""
    match family.kind:
        case Kind.HISTOGRAM:
            histogram = HistogramMetricFamily(family.name, family.meaning, labels=family.labels)
            for labels, value in family.read(snapshot):
                assert isinstance(value, Histogram)
                histogram.add_metric(labels, cumulative(value), value.total)
            return histogram
        case Kind.COUNTER:
            counter = CounterMetricFamily(family.name, family.meaning, labels=family.labels)
            for labels, value in family.read(snapshot):
                assert not isinstance(value, Histogram)
                counter.add_metric(labels, value)
            return counter
        case Kind.GAUGE:
            gauge = GaugeMetricFamily(family.name, family.meaning, labels=family.labels)
            for labels, value in family.read(snapshot):
                assert not isinstance(value, Histogram)
                gauge.add_metric(labels, value)
            return gauge


def as_json(families: Iterable[Family], snapshot: Snapshot) -> dict[str, object]:
    """The metrics by name, in JSON's types: the shape that `METRICS.md` describes under "As JSON".

    A metric without labels is a number. One with labels is an object nested in the order of its labels.
    A histogram is `{"count", "sum", "buckets": {upper bound: observations up to it}}`. JSON has no infinity:
    it is null.
    """
    result: dict[str, object] = {}
    for family in families:
        for labels, value in family.read(snapshot):
            _put(result, (family.name, *labels), _json_value(value))
        result.setdefault(family.name, {})
    return result


def _put(tree: dict[str, object], path: tuple[str, ...], leaf: object) -> None:
    for step in path[:-1]:
        branch = tree.setdefault(step, {})
        assert isinstance(branch, dict)
        tree = branch
    tree[path[-1]] = leaf


def _json_value(value: Value) -> object:
    if isinstance(value, Histogram):
        return {"count": sum(value.counts), "sum": value.total, "buckets": dict(cumulative(value))}
    return value if math.isfinite(value) else None
