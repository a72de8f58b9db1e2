"""What people may do to machines, on a real inventory."""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from support.fleets import fleet_of

from iluvatar_pxe.admin.edits import Wanted, released
from iluvatar_pxe.admin.operations import Operations
from iluvatar_pxe.errors import InventoryError, OperationError, UnknownMachineError
from iluvatar_pxe.fleet.lookup import find_machine
from iluvatar_pxe.inventory.inventory import Inventory
from iluvatar_pxe.machines.boots import Happening, Stage
from iluvatar_pxe.machines.model import Machine
from iluvatar_pxe.machines.sighting import Firmware, Sighting
from iluvatar_pxe.machines.states import Attempts, Directive, Intent, LayerName, Phase, Role
from iluvatar_pxe.provisioning.countdowns import AT_THE_SCREEN

LISTED, FREE, OTHER = "52:54:00:00:00:01", "52:54:00:00:00:02", "52:54:00:00:00:03"
RULES = """
rules:
  - {match: {board: [tv, printer]}, intent: local}
  - {match: {board: "[x-z]"}, intent: hold}
  - {match: {board: camera}, intent: ignore}
  - {match: {board: b*}, layer: arda}
"""
FLEET = fleet_of(
    ("listed-01", LISTED, "layer: arda\nchain: hold\nintent: hold\n"), fleet=RULES, ainur="servers: 3\n"
)
ARDA = Wanted(layer=LayerName.ARDA)


class Counter:
    """Operations on an inventory of three machines, of which a file lists the first."""

    def __init__(self, inventory: Inventory) -> None:
        self.inventory = inventory
        self.fleet = FLEET
        self.operations = Operations(inventory, lambda: self.fleet)

    def machine(self, mac: str) -> Machine:
        machine = self.inventory.snapshot.machine(mac)
        assert machine
        return machine

    async def edit(self, mac: str, **changes: Any) -> None:
        await self.inventory.change(
            self.machine(mac).id, lambda one: replace(one, **changes), Happening.CHANGED, "test", "test"
        )


@pytest.fixture
async def counter(tmp_path: Path) -> AsyncIterator[Counter]:
    inventory = Inventory(f"sqlite:///{tmp_path / 'inventory.db'}")
    await inventory.open()
    for mac in (LISTED, FREE, OTHER):
        inventory.observe(Sighting(mac=mac, firmware=Firmware.UEFI_PXE), Stage.SCRIPT)
    yield Counter(inventory)
    await inventory.close()


async def test_a_machine_is_given_a_place_and_another(counter: Counter) -> None:
    answer = await counter.operations.set(FREE, "root", ARDA, None, None)
    assert answer["message"] == "arda-01 is controlplane of arda, assigned, intent boot"
    wanted = Wanted(name="big", role=Role.WORKER)
    answer = await counter.operations.set("arda-01", "root", wanted, Phase.JOINED, Intent.LOCAL)
    assert answer["message"] == "big is worker of arda, joined, intent local"
    machine = counter.machine(FREE)
    assert machine.assignment
    assert (machine.assignment.name, machine.assignment.rule) == ("big", "set by root")
    assert (machine.phase, machine.directive) == (Phase.JOINED, Directive(Intent.LOCAL, "root"))
    assert answer["machine"]["name"] == "big"


@pytest.mark.parametrize(
    ("mac", "wanted", "intent", "error"),
    [
        (
            LISTED,
            ARDA,
            None,
            "listed-01: machines/listed-01.yaml lists it, and the fleet beats what is set here; change that file",
        ),
        (
            LISTED,
            Wanted(),
            Intent.BOOT,
            "listed-01: machines/listed-01.yaml says intent hold, and the fleet beats what is set here; change that file",
        ),
        (
            FREE,
            Wanted(name="x"),
            None,
            "52:54:00:00:00:02: it has no layer yet; add --layer ainur or --layer arda",
        ),
        (
            FREE,
            Wanted(layer=LayerName.ARDA, role=Role.AGENT),
            None,
            "agent: no role of layer arda, whose machines are controlplane or worker; give one of these",
        ),
        (
            FREE,
            Wanted(layer=LayerName.ARDA, name="listed-01"),
            None,
            "listed-01: machines/listed-01.yaml has this name; choose another",
        ),
        (
            FREE,
            Wanted(layer=LayerName.ARDA, name="git"),
            None,
            "git: a name of the daemon's own in DNS; choose another",
        ),
        (
            FREE,
            Wanted(layer=LayerName.ARDA, name="taken"),
            None,
            "taken: the machine 52:54:00:00:00:03 has this name; choose another",
        ),
        (
            FREE,
            Wanted(layer=LayerName.ARDA, role=Role.CONTROLPLANE),
            None,
            "arda has 1 control plane already, and layers/arda.yaml says controlPlanes: 1; raise that, or set another machine's role first",
        ),
    ],
)
async def test_a_place_that_it_cannot_have(
    counter: Counter, mac: str, wanted: Wanted, intent: Intent | None, error: str
) -> None:
    await counter.operations.set(OTHER, "root", Wanted(layer=LayerName.ARDA, name="taken"), None, None)
    before = counter.machine(mac)
    with pytest.raises(OperationError) as caught:
        await counter.operations.set(mac, "root", wanted, None, intent)
    assert str(caught.value) == error
    assert counter.machine(mac) == before


async def test_a_layer_that_the_fleet_does_not_have(counter: Counter) -> None:
    counter.fleet = fleet_of()
    with pytest.raises(OperationError) as caught:
        await counter.operations.set(FREE, "root", Wanted(layer=LayerName.AINUR), None, None)
    assert str(caught.value) == "ainur: the fleet has no layers/ainur.yaml; create it"


async def test_no_more_leaders_than_the_layer_declares(counter: Counter) -> None:
    lines = "layer: ainur\nrole: server\nchain: hold\n"
    cards = ("52:54:00:00:00:08", "52:54:00:00:00:09")
    listed = [(f"listed-{number}", mac, lines) for number, mac in enumerate(cards)]
    counter.fleet = fleet_of(*listed, ainur="servers: 3\n")
    leading, following = (Wanted(layer=LayerName.AINUR, role=role) for role in (Role.SERVER, Role.AGENT))
    for _ in range(2):
        answer = await counter.operations.set(FREE, "root", leading, None, None)
        assert answer["machine"]["role"] == "server", "it may stay what it is"
    await counter.operations.set(OTHER, "root", following, None, None)
    with pytest.raises(OperationError) as caught:
        await counter.operations.set(OTHER, "root", Wanted(role=Role.SERVER), None, None)
    assert str(caught.value) == (
        "ainur has 3 servers already, and layers/ainur.yaml says servers: 3; "
        "raise that, or set another machine's role first"
    )
    await counter.operations.set(FREE, "root", following, None, None)
    await counter.operations.set(OTHER, "root", leading, None, None)


@pytest.mark.parametrize("phase", [Phase.INSTALLING, Phase.JOINED])
@pytest.mark.parametrize("wanted", [Wanted(role=Role.WORKER), Wanted(layer=LayerName.AINUR)])
async def test_an_installed_machine_keeps_its_role(counter: Counter, phase: Phase, wanted: Wanted) -> None:
    await counter.operations.set(FREE, "root", ARDA, phase, None)
    before = counter.machine(FREE)
    with pytest.raises(OperationError) as caught:
        await counter.operations.set("arda-01", "root", wanted, None, None)
    remedy = "first: iluvatar-pxe machines reinstall arda-01"
    assert str(caught.value) == f"arda-01: its role is installed on its disk; {remedy}"
    assert counter.machine(FREE) == before

    same = Wanted(name="big", layer=LayerName.ARDA, role=Role.CONTROLPLANE)
    assert (await counter.operations.set("arda-01", "root", same, None, None))["machine"]["name"] == "big"
    await counter.operations.reinstall("big", "root")
    answer = await counter.operations.set("big", "root", wanted, None, None)
    assert answer["machine"]["role"] != "controlplane"


async def test_the_phase_of_a_listed_machine_is_not_the_fleets(counter: Counter) -> None:
    await counter.operations.set(LISTED, "root", Wanted(), Phase.JOINED, None)
    assert counter.machine(LISTED).phase is Phase.JOINED


async def test_hold_and_release(counter: Counter) -> None:
    answer = await counter.operations.hold(FREE, "root", "fan")
    assert answer["message"] == f"{FREE} is held from its next boot on"
    assert counter.machine(FREE).directive == Directive(Intent.HOLD, "root", "fan")
    assert (await counter.operations.release(FREE, "root"))["message"] == f"{FREE} is released"
    assert counter.machine(FREE).directive == Directive()
    assert (await counter.operations.release(FREE, "root"))["message"] == f"{FREE}: nothing to release"


async def test_a_file_holds_what_was_released(counter: Counter) -> None:
    answer = await counter.operations.release(LISTED, "root")
    why = "but machines/listed-01.yaml says intent hold; change that file"
    assert answer["message"] == f"listed-01: nothing to release, {why}"


NOW = datetime(2026, 11, 22, tzinfo=UTC)
PLAIN = Machine(
    id=UUID(int=1),
    macs=(FREE,),
    generation=1,
    reached=Stage.SCRIPT,
    furthest=Stage.SCRIPT,
    first_seen=NOW,
    last_seen=NOW,
    firmware=Firmware.UEFI_PXE,
    serial="1",
    uuid=UUID(int=7),
    manufacturer="Dell",
    product="7050",
    board="b",
)


@pytest.mark.parametrize(
    ("changes", "afterwards"),
    [
        ({}, {}),
        ({"directive": Directive(Intent.HOLD, "a")}, {}),
        ({"directive": Directive(Intent.LOCAL, AT_THE_SCREEN)}, {}),
        ({"directive": Directive(Intent.IGNORE, "a")}, {}),
        ({"directive": Directive(Intent.REINSTALL, "a")}, {"directive": Directive(Intent.REINSTALL, "a")}),
        ({"phase": Phase.FAILED, "attempts": Attempts("talos", Stage.CONFIG, (NOW,), 1)}, {}),
        ({"phase": Phase.JOINED}, {"phase": Phase.JOINED}),
        (
            {"conflict": "two"},
            {"uuid": None, "serial": "", "manufacturer": "", "product": ""},
        ),
    ],
)
def test_what_release_clears(changes: dict[str, object], afterwards: dict[str, object]) -> None:
    assert released(replace(PLAIN, **changes)) == replace(PLAIN, **afterwards)  # type: ignore[arg-type]


async def test_reinstall(counter: Counter) -> None:
    await counter.operations.set(FREE, "root", ARDA, Phase.JOINED, None)
    answer = await counter.operations.reinstall("arda-01", "root")
    assert answer["message"] == "arda-01 is installed again at its next boot"
    assert counter.machine(FREE).directive == Directive(Intent.REINSTALL, "root")
    assert (await counter.operations.release("arda-01", "root"))["message"] == "arda-01: nothing to release"


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({}, "it has no place in the fleet yet; list it, or set its layer"),
        ({"conflict": "two at once"}, f"two at once; first: iluvatar-pxe machines release {FREE}"),
        (
            {"phase": Phase.FAILED},
            f"it booted again and again and came no further; first: iluvatar-pxe machines release {FREE}",
        ),
    ],
)
async def test_what_cannot_be_installed_again(
    counter: Counter, changes: dict[str, object], error: str
) -> None:
    await counter.edit(FREE, **changes)
    with pytest.raises(OperationError) as caught:
        await counter.operations.reinstall(FREE, "root")
    assert str(caught.value) == f"{FREE}: {error}"


async def test_merge_split_and_forget(counter: Counter) -> None:
    await counter.edit(FREE, first_seen=counter.machine(OTHER).first_seen - timedelta(hours=1))
    answer = await counter.operations.merge(FREE, OTHER, "root")
    assert answer["message"] == f"{FREE} has {FREE}, {OTHER} now"
    with pytest.raises(OperationError, match="are one machine already, with"):
        await counter.operations.merge(FREE, OTHER, "root")
    with pytest.raises(OperationError, match=f"has no card {LISTED}; it has {FREE}, {OTHER}"):
        await counter.operations.split(FREE, LISTED, "root")
    answer = await counter.operations.split(FREE, OTHER, "root")
    assert answer["message"] == f"{FREE} has {FREE} now, and {OTHER} is a machine of its own"
    assert (await counter.operations.forget(OTHER, "root"))["message"] == f"{OTHER} is forgotten"
    assert counter.inventory.snapshot.machine(OTHER) is None


async def test_the_window_and_who_stands_before_it(counter: Counter) -> None:
    seen = counter.machine(OTHER).last_seen
    await counter.edit(FREE, board="box", last_seen=seen - timedelta(hours=1))
    await counter.edit(OTHER, board="box")
    answer = await counter.operations.open_window(60, "root")
    assert answer["message"] == "the enrolment window is open"
    assert (answer["open"], answer["opened_by"], answer["mode"]) == (True, "root", "window")
    assert 0 < answer["remaining"] <= 60
    assert [one["macs"] for one in answer["waiting"]] == [[OTHER], [FREE]], "the one seen last first"
    await counter.edit(FREE, directive=Directive(Intent.LOCAL, AT_THE_SCREEN, "a key"))
    await counter.edit(OTHER, directive=Directive(Intent.HOLD, "root"))
    answer = await counter.operations.close_window("root")
    assert (answer["open"], answer["remaining"], answer["opened_by"]) == (False, 0, None)
    assert (answer["waiting"], [one["macs"] for one in answer["refused"]]) == ([], [[FREE]])


@pytest.mark.parametrize(
    ("board", "waits"), [("box", True), ("TV", False), ("y", False), ("camera", False), ("", False)]
)
async def test_only_those_wait_whom_a_rule_gives_a_layer(
    counter: Counter, board: str, *, waits: bool
) -> None:
    await counter.edit(FREE, board=board)
    assert [one["macs"] for one in counter.operations.enrolment()["waiting"]] == [[FREE]] * waits


async def test_nothing_is_changed_while_the_database_is_away(tmp_path: Path) -> None:
    (tmp_path / "inventory.db").write_bytes(b"nonsense" * 1000)
    inventory = Inventory(f"sqlite:///{tmp_path / 'inventory.db'}")
    await inventory.open()
    machine = inventory.observe(Sighting(mac=FREE, firmware=Firmware.UEFI_PXE), Stage.SCRIPT)
    operations = Operations(inventory, lambda: FLEET)
    for work in (operations.hold(FREE, "root", ""), operations.forget(FREE, "root")):
        with pytest.raises(InventoryError, match="it is damaged or not a database"):
            await work
    for look in (operations.upgrade, operations.enrolment):
        with pytest.raises(InventoryError, match="it is damaged or not a database"):
            look()
    assert inventory.snapshot.machine(FREE) == machine
    answer = await operations.set_aside()
    assert answer["message"].startswith(f"a new database is in use; the old one is {tmp_path}/inventory.db.")
    assert inventory.health is None
    assert (await operations.hold(FREE, "root", ""))["machine"]["intent"] == "hold"
    await inventory.close()


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
    await counter.operations.set(FREE, "root", Wanted(layer=LayerName.ARDA, name="mine"), None, None)
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
            "two: 2 machines go by that; say which by its MAC: 52:54:00:00:00:01, 52:54:00:00:00:09",
        ),
        (
            "nobody",
            FLEET,
            "nobody: no machine has this name, MAC or id; `iluvatar-pxe machines list --all` shows them",
        ),
        (
            "000",
            FLEET,
            "000: no machine has this name, MAC or id; `iluvatar-pxe machines list --all` shows them",
        ),
    ):
        with pytest.raises(UnknownMachineError) as caught:
            find_machine(text, snapshot, fleet)
        assert str(caught.value) == error
    with pytest.raises(
        UnknownMachineError, match=r"machines/unseen.yaml lists it, but it was not seen yet; switch it on"
    ):
        find_machine("unseen", counter.inventory.snapshot, cards)
