"""Which machine a person means, among those of a real inventory."""

from uuid import UUID

import pytest
from admin.samples import FLEET, FREE, LISTED, OTHER, PLAIN, Counter
from support.fleets import fleet_of

from iluvatar_pxe.admin.machines import SetPlace
from iluvatar_pxe.errors import UnknownMachineError
from iluvatar_pxe.fleet.lookup import find_machine
from iluvatar_pxe.values import replace


@pytest.mark.parametrize(
    "spelling", [FREE, "52-54-00-00-00-02", "525400000002", "5254.0000.0002", " 52:54:00:00:00:02 "]
)
async def test_a_mac_in_any_spelling(counter: Counter, spelling: str) -> None:
    assert find_machine(spelling, counter.inventory.snapshot, FLEET).macs == (FREE,)


async def test_a_name_an_id_and_its_beginning(counter: Counter) -> None:
    machine = counter.machine(LISTED)
    for text in ("listed-01", "LISTED-01", str(machine.id), machine.id.hex, str(machine.id)[:14].upper()):
        assert find_machine(text, counter.inventory.snapshot, FLEET) == machine


async def test_a_name_that_the_fleet_gives_is_the_fleets(counter: Counter) -> None:
    await counter.ask(SetPlace(machine=FREE, layer="arda", name="mine"))
    theirs = fleet_of(("mine", OTHER, "layer: arda\nchain: hold\n"))
    assert find_machine("mine", counter.inventory.snapshot, theirs).macs == (OTHER,)


async def test_what_is_not_one_machine(counter: Counter) -> None:
    snapshot = counter.inventory.snapshot
    cards = fleet_of(
        ("two", LISTED, "layer: arda\nchain: hold\n"),
        ("unseen", "52:54:00:00:00:09", "layer: arda\nchain: hold\n"),
    )
    both = replace(cards, listed=(replace(cards.listed[0], name="two"), replace(cards.listed[1], name="two")))
    snapshot = snapshot.with_machine(replace(PLAIN, id=UUID(int=9), macs=("52:54:00:00:00:09",)))
    for text, fleet, error in (
        (
            "two",
            both,
            "two: 2 machines match; name one by its MAC: 52:54:00:00:00:01, 52:54:00:00:00:09",
        ),
        (
            "nobody",
            FLEET,
            "nobody: no machine has this name, MAC or ID; list them with `iluvatar-pxe machines list --all`",
        ),
        (
            "000",
            FLEET,
            "000: no machine has this name, MAC or ID; list them with `iluvatar-pxe machines list --all`",
        ),
    ):
        with pytest.raises(UnknownMachineError) as caught:
            find_machine(text, snapshot, fleet)
        assert str(caught.value) == error
    with pytest.raises(
        UnknownMachineError, match=r"machines/unseen.yaml lists it, but it has not been seen yet; power it on"
    ):
        find_machine("unseen", counter.inventory.snapshot, cards)
