"""How machines' boots went. Those of simulated machines are marked, and no alert is about them."""

from collections.abc import Iterator

from prometheus_client.metrics_core import Metric

from iluvatar_pxe.machines.boots import Stage
from iluvatar_pxe.provisioning.boot_meter import BootMeter, BootMeters
from iluvatar_pxe.web.metrics.families import counter, histogram


def boot_families(boots: BootMeters) -> Iterator[Metric]:
    """Return boots by layer, chain and outcome, and how long their stages took."""
    both = (boots.real, boots.simulated)
    place = ["layer", "chain", "simulated"]
    yield counter(
        "boots_started",
        "Boots that were told what to boot, or began from a disk.",
        place,
        (([*key, _mark(one)], number) for one in both for key, number in sorted(one.started.items())),
    )
    yield counter(
        "boots",
        "Boots by what became of them.",
        ["layer", "chain", "outcome", "simulated"],
        (([*key, _mark(one)], number) for one in both for key, number in sorted(one.ended.items())),
    )
    yield histogram(
        "boot_stage_duration_seconds",
        "Time from the stage before to this one.",
        ["stage", "simulated"],
        (([stage.label, _mark(one)], one.stages[stage]) for one in both for stage in _stages(one)),
    )
    yield histogram(
        "boot_duration_seconds",
        "Time from a boot's first stage to its machine's being ready in its cluster.",
        place,
        (([*key, _mark(one)], times) for one in both for key, times in sorted(one.whole.items())),
    )


def _stages(meter: BootMeter) -> list[Stage]:
    """Return the stages to show: of real machines all but the first, so that a rate is known from the start."""
    return sorted(meter.stages) if meter.simulated else list(Stage)[1:]


def _mark(meter: BootMeter) -> str:
    return "true" if meter.simulated else "false"
