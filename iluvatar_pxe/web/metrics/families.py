"""Short ways to the families of ``prometheus_client``. All names begin with ``iluvatar_pxe_``."""

from collections.abc import Iterable, Sequence
from itertools import accumulate

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.metrics_core import Metric

from iluvatar_pxe.meters import Histogram

PREFIX = "iluvatar_pxe_"
Sample = tuple[Sequence[str], float]
"""Values of the labels, and the number."""


def gauge(name: str, text: str, labels: Sequence[str], samples: Iterable[Sample]) -> Metric:
    """Return what goes up and down."""
    family = GaugeMetricFamily(PREFIX + name, text, labels=labels)
    for values, number in samples:
        family.add_metric(values, number)
    return family


def counter(name: str, text: str, labels: Sequence[str], samples: Iterable[Sample]) -> Metric:
    """Return what only goes up; ``name`` is without ``_total``."""
    family = CounterMetricFamily(PREFIX + name, text, labels=labels)
    for values, number in samples:
        family.add_metric(values, number)
    return family


def histogram(
    name: str, text: str, labels: Sequence[str], samples: Iterable[tuple[Sequence[str], Histogram]]
) -> Metric:
    """Return distributions."""
    family = HistogramMetricFamily(PREFIX + name, text, labels=labels)
    for values, one in samples:
        bounds = [*(str(bound) for bound in one.bounds), "+Inf"]
        family.add_metric(values, list(zip(bounds, map(float, accumulate(one.counts)), strict=True)), one.sum)
    return family
