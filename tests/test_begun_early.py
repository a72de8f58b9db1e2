"""The processes that share the tests begin with the firmware and with what takes longest."""

import pytest
from support.begun_early import LONGEST, TESTS, begun_early


@pytest.mark.parametrize("name", LONGEST)
def test_a_file_that_takes_long_exists(name: str) -> None:
    assert (TESTS / name).is_file()


@pytest.mark.parametrize("processes", [2, 3, 4])
def test_each_process_begins_with_what_takes_long_and_no_test_is_lost(
    request: pytest.FixtureRequest, processes: int
) -> None:
    def item(file: str, number: int, *, firmware: bool = False) -> pytest.Item:
        made = pytest.Function.from_parent(
            request.node.parent, name=f"test_{file}_{number}", callobj=lambda: None
        )
        made.path = TESTS / file
        if firmware:
            made.add_marker(pytest.mark.firmware)
        return made

    quick = [item("boot/test_quick.py", number) for number in range(2 * len(LONGEST))]
    long = [item(file, number) for file in LONGEST for number in range(2)]
    firmware = [item("e2e/test_real.py", number, firmware=True) for number in range(3)]
    everything = [*quick[:20], *firmware, *reversed(long), *quick[20:]]
    order = begun_early(everything, processes)
    assert sorted(order, key=id) == sorted(everything, key=id)
    assert order[:3] == firmware
    start = 0
    for left in range(processes, 1, -1):
        start += (len(order) - start) // left
        assert order[start] in long
        assert order[start + 1].path == order[start].path
    assert [one for one in order if one in quick] == quick
