"""Machines by phase."""

from collections.abc import Iterator

from prometheus_client.metrics_core import Metric

from iluvatar_pxe.machines.states import Intent, Phase
from iluvatar_pxe.web.metrics.census import Census
from iluvatar_pxe.web.metrics.families import gauge


def machine_families(census: Census, layers: tuple[str, ...]) -> Iterator[Metric]:
    """Return how many machines there are, of each of the fleet's layers and of none."""
    counted = {(layer, phase): 0 for layer in ("", *layers) for phase in Phase} | census.machines
    yield gauge(
        "machines",
        "Machines that came further than DHCP, by layer and phase.",
        ["layer", "phase"],
        (([layer, phase.value], number) for (layer, phase), number in sorted(counted.items())),
    )
    yield gauge(
        "machines_passing",
        "Machines that only asked by DHCP, and that nobody has decided about.",
        [],
        [([], census.passing)],
    )
    yield gauge(
        "machine_intents",
        "Machines by what is wanted of them.",
        ["intent"],
        (([intent.value], census.intents[intent]) for intent in Intent),
    )
    yield gauge("machine_conflicts", "Machines whose identity is unclear.", [], [([], census.conflicts)])
    yield gauge(
        "machine_under_way_last_seen_timestamp_seconds",
        "When a machine that is not ready yet was last heard of; the 50 that are silent for longest.",
        ["machine", "layer", "phase"],
        (([one.name, one.layer, one.phase.value], one.last_seen.timestamp()) for one in census.under_way),
    )
