"""Who may join, who waits for it and who was refused, on a real inventory."""

from datetime import timedelta

import pytest
from admin.samples import FREE, OTHER, Counter

from iluvatar_pxe.admin.enrolment import CloseWindow, OpenWindow, ShowEnrolment
from iluvatar_pxe.machines.states import Directive, Intent
from iluvatar_pxe.provisioning.countdowns import AT_THE_SCREEN


async def test_the_window_and_who_stands_before_it(counter: Counter) -> None:
    seen = counter.machine(OTHER).last_seen
    await counter.edit(FREE, board="box", last_seen=seen - timedelta(hours=1))
    await counter.edit(OTHER, board="box")
    answer = await counter.ask(OpenWindow(seconds=60))
    assert answer["message"] == "the enrolment window is open"
    assert (answer["open"], answer["opened_by"], answer["mode"]) == (True, "root", "window")
    assert 0 < answer["remaining"] <= 60
    assert [one["macs"] for one in answer["waiting"]] == [[OTHER], [FREE]], "the one seen last first"
    await counter.edit(FREE, directive=Directive(Intent.LOCAL, AT_THE_SCREEN, "a key"))
    await counter.edit(OTHER, directive=Directive(Intent.HOLD, "root"))
    answer = await counter.ask(CloseWindow())
    assert (answer["open"], answer["remaining"], answer["opened_by"]) == (False, 0, None)
    assert (answer["waiting"], [one["macs"] for one in answer["refused"]]) == ([], [[FREE]])


@pytest.mark.parametrize(
    ("board", "waits"), [("box", True), ("TV", False), ("y", False), ("camera", False), ("", False)]
)
async def test_only_those_wait_whom_a_rule_gives_a_layer(
    counter: Counter, board: str, *, waits: bool
) -> None:
    await counter.edit(FREE, board=board)
    answer = await counter.ask(ShowEnrolment())
    assert [one["macs"] for one in answer["waiting"]] == [[FREE]] * waits
