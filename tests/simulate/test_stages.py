"""Times of stages, and what is made of those of many machines."""

import pytest

from iluvatar_pxe.errors import SimulateError
from iluvatar_pxe.simulate.stages import Stages, percentile


def test_stages_are_timed_and_those_of_one_name_added_up() -> None:
    now = iter([0.0, 1.0, 1.0, 1.5, 2.0, 4.0])
    stages = Stages(lambda: next(now))
    for name in ("offer", "script", "offer"):
        with stages.stage(name) as stage:
            stage.detail = "x"
    assert stages.by_name() == {"offer": 3000.0, "script": 500.0}
    assert stages.milliseconds == 4000.0, "what is between two stages counts"
    assert [stage.detail for stage in stages.done] == ["x"] * 3


def test_a_stage_that_fails_is_remembered_until_the_next() -> None:
    stages = Stages(lambda: 0.0)
    with pytest.raises(SimulateError), stages.stage("offer"):
        raise SimulateError("no")
    assert (stages.failed, stages.done) == ("offer", [])
    with stages.stage("lease"):
        pass
    assert stages.failed == ""


def test_what_failed_and_was_tried_again_took_its_time() -> None:
    now = iter([0.0, 5.0, 5.0, 6.0])
    stages = Stages(lambda: next(now))
    with pytest.raises(SimulateError), stages.stage("offer"):
        raise SimulateError("no")
    with stages.stage("offer"):
        pass
    assert (stages.milliseconds, stages.by_name()) == (6000.0, {"offer": 1000.0})


@pytest.mark.parametrize(
    ("values", "percent", "expected"),
    [([7.0], 50, 7.0), ([1.0, 2.0], 50, 1.0), ([1.0, 2.0], 51, 2.0), (list(range(1, 201)), 99, 198), (list(range(1, 201)), 100, 200)],
)  # fmt: skip
def test_percentiles_are_values_that_occurred(values: list[float], percent: int, expected: float) -> None:
    assert percentile(values[::-1], percent) == expected
