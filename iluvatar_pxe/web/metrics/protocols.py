"""What the servers of each protocol did."""

from collections.abc import Iterator, Mapping
from typing import Any

from prometheus_client.metrics_core import Metric

from iluvatar_pxe.meters import ProtocolMeter
from iluvatar_pxe.web.metrics.families import counter, gauge, histogram


def protocol_families(protocols: Mapping[str, ProtocolMeter]) -> Iterator[Metric]:
    """Return requests, faults, bytes, latency and transfers by protocol; Git's are also among HTTP's."""
    meters = sorted(protocols.items())
    label = ["protocol"]
    yield counter("requests", "Requests received.", label, (([p], one.requests) for p, one in meters))
    yield counter(
        "request_faults",
        "Requests that were not served, by reason; for HTTP and Git the status.",
        ["protocol", "reason"],
        (([p, reason], number) for p, one in meters for reason, number in sorted(one.faults.items())),
    )
    yield counter("received_bytes", "Bytes of requests.", label, (([p], one.received) for p, one in meters))
    yield counter("sent_bytes", "Bytes of answers.", label, (([p], one.sent) for p, one in meters))
    yield histogram(
        "request_duration_seconds",
        "Time from a request to the end of its answer; for DNS without answers that lay ready.",
        label,
        (([p], one.seconds) for p, one in meters),
    )
    yield from _transfers([(p, one) for p, one in meters if p in {"http", "tftp"}])


def _transfers(meters: list[tuple[str, ProtocolMeter]]) -> Iterator[Metric]:
    yield counter(
        "transfers",
        "Transfers of boot files that ended, by outcome.",
        ["protocol", "outcome"],
        (([p, outcome], number) for p, one in meters for outcome, number in sorted(one.transfers.items())),
    )
    yield gauge(
        "transfers_in_progress",
        "Transfers of boot files under way.",
        ["protocol"],
        (([p], one.running) for p, one in meters),
    )


def dns_families(statistics: Mapping[str, Any]) -> Iterator[Metric]:
    """Return what ``DnsServer.statistics`` says."""
    yield counter(
        "dns_answers",
        "DNS answers, by where they came from.",
        ["origin"],
        (([origin], number) for origin, number in sorted(statistics["answers"].items())),
    )
    remembered = statistics["remembered"]
    yield gauge("dns_cache_entries", "Answers of others that are kept.", [], [([], remembered["entries"])])
    yield gauge("dns_cache_bytes", "Size of those answers.", [], [([], remembered["octets"])])
