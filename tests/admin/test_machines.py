"""What people may do to a machine, on a real inventory."""

from datetime import timedelta
from ipaddress import IPv4Address
from typing import Any

import pytest
from admin.samples import FREE, LISTED, NOW, OTHER, PLAIN, Counter
from support.fleets import ARDA as MADE
from support.fleets import fleet_of

from iluvatar_pxe.admin.edits import released
from iluvatar_pxe.admin.machines import Forget, Hold, Merge, Reinstall, Release, SetPlace, Split
from iluvatar_pxe.errors import OperationError
from iluvatar_pxe.fleet.daemon_files import ClusterFile
from iluvatar_pxe.machines.boots import Stage
from iluvatar_pxe.machines.inspection import Content, Disk, Inspection
from iluvatar_pxe.machines.states import Attempts, Directive, Intent, Phase, Role, Wipe
from iluvatar_pxe.provisioning.countdowns import AT_THE_SCREEN
from iluvatar_pxe.values import replace

ARDA: dict[str, Any] = {"layer": "arda"}


async def test_a_machine_is_given_a_place_and_another(counter: Counter) -> None:
    answer = await counter.ask(SetPlace(machine=FREE, **ARDA))
    assert answer["message"] == "arda-01 is controlplane of arda, assigned, intent boot"
    answer = await counter.ask(
        SetPlace(machine="arda-01", name="big", role=Role.WORKER, phase=Phase.JOINED, intent=Intent.LOCAL)
    )
    assert answer["message"] == "big is worker of arda, joined, intent local"
    machine = counter.machine(FREE)
    assert machine.assignment
    assert (machine.assignment.name, machine.assignment.rule) == ("big", "set by root")
    assert (machine.phase, machine.directive) == (Phase.JOINED, Directive(Intent.LOCAL, "root"))
    assert answer["machine"]["name"] == "big"


@pytest.mark.parametrize(
    ("mac", "wanted", "error"),
    [
        (
            LISTED,
            ARDA,
            "listed-01: machines/listed-01.yaml lists it and takes precedence; change that file",
        ),
        (
            LISTED,
            {"intent": Intent.BOOT},
            "listed-01: machines/listed-01.yaml says intent hold and takes precedence; change that file",
        ),
        (
            FREE,
            {"name": "x"},
            "52:54:00:00:00:02: it has no layer yet; add --layer ainur or --layer arda",
        ),
        (
            FREE,
            ARDA | {"role": Role.AGENT},
            "agent: not a role of layer arda; use controlplane or worker",
        ),
        (
            FREE,
            ARDA | {"name": "listed-01"},
            "listed-01: machines/listed-01.yaml has this name; choose another",
        ),
        (
            FREE,
            ARDA | {"name": "git"},
            "git: reserved as the daemon's own DNS name; choose another",
        ),
        (
            FREE,
            ARDA | {"name": "taken"},
            "taken: the machine 52:54:00:00:00:03 has this name; choose another",
        ),
        (
            FREE,
            ARDA | {"role": Role.CONTROLPLANE},
            "arda already has 1 control plane, and layers/arda.yaml says controlPlanes: 1; raise it, or change another machine's role first",
        ),
    ],
)
async def test_a_place_that_it_cannot_have(
    counter: Counter, mac: str, wanted: dict[str, Any], error: str
) -> None:
    await counter.ask(SetPlace(machine=OTHER, name="taken", **ARDA))
    before = counter.machine(mac)
    with pytest.raises(OperationError) as caught:
        await counter.ask(SetPlace(machine=mac, **wanted))
    assert str(caught.value) == error
    assert counter.machine(mac) == before


async def test_a_layer_that_the_fleet_does_not_have(counter: Counter) -> None:
    counter.fleet = fleet_of()
    with pytest.raises(OperationError) as caught:
        await counter.ask(SetPlace(machine=FREE, layer="ainur"))
    assert str(caught.value) == "ainur: the fleet has no layers/ainur.yaml; create it; the fleet has arda"


async def test_no_more_leaders_than_the_layer_declares(counter: Counter) -> None:
    lines = "layer: ainur\nrole: server\nchain: hold\n"
    cards = ("52:54:00:00:00:08", "52:54:00:00:00:09")
    listed = [(f"listed-{number}", mac, lines) for number, mac in enumerate(cards)]
    counter.fleet = fleet_of(*listed, ainur="servers: 3\n")
    ainur = {"layer": "ainur"}
    leading, following = ({**ainur, "role": role} for role in (Role.SERVER, Role.AGENT))
    for _ in range(2):
        answer = await counter.ask(SetPlace(machine=FREE, **leading))
        assert answer["machine"]["role"] == "server", "it may stay what it is"
    await counter.ask(SetPlace(machine=OTHER, **following))
    with pytest.raises(OperationError) as caught:
        await counter.ask(SetPlace(machine=OTHER, role=Role.SERVER))
    assert str(caught.value) == (
        "ainur already has 3 servers, and layers/ainur.yaml says servers: 3; "
        "raise it, or change another machine's role first"
    )
    await counter.ask(SetPlace(machine=FREE, **following))
    await counter.ask(SetPlace(machine=OTHER, **leading))


@pytest.mark.parametrize("phase", [Phase.INSTALLING, Phase.JOINED])
@pytest.mark.parametrize("wanted", [{"role": Role.WORKER}, {"layer": "ainur"}])
async def test_an_installed_machine_keeps_its_role(
    counter: Counter, phase: Phase, wanted: dict[str, Any]
) -> None:
    await counter.ask(SetPlace(machine=FREE, phase=phase, **ARDA))
    before = counter.machine(FREE)
    with pytest.raises(OperationError) as caught:
        await counter.ask(SetPlace(machine="arda-01", **wanted))
    remedy = "first: iluvatar-pxe machines reinstall arda-01"
    assert str(caught.value) == f"arda-01: its current role is installed on its disk; {remedy}"
    assert counter.machine(FREE) == before

    same = SetPlace(machine="arda-01", name="big", role=Role.CONTROLPLANE, **ARDA)
    assert (await counter.ask(same))["machine"]["name"] == "big"
    await counter.ask(Reinstall(machine="big"))
    answer = await counter.ask(SetPlace(machine="big", **wanted))
    assert answer["machine"]["role"] != "controlplane"


async def test_the_phase_of_a_listed_machine_is_not_the_fleets(counter: Counter) -> None:
    await counter.ask(SetPlace(machine=LISTED, phase=Phase.JOINED))
    assert counter.machine(LISTED).phase is Phase.JOINED


async def test_hold_and_release(counter: Counter) -> None:
    answer = await counter.ask(Hold(machine=FREE, why="fan"))
    assert answer["message"] == f"{FREE} is held from its next boot"
    assert counter.machine(FREE).directive == Directive(Intent.HOLD, "root", "fan")
    assert (await counter.ask(Release(machine=FREE)))["message"] == f"{FREE} is released"
    assert counter.machine(FREE).directive == Directive()
    assert (await counter.ask(Release(machine=FREE)))["message"] == f"{FREE}: nothing to release"


async def test_a_hold_keeps_its_reason_until_there_is_a_new_one(counter: Counter) -> None:
    await counter.ask(Hold(machine=FREE, why="fan"))
    assert (await counter.ask(Hold(machine=FREE)))["message"] == f"{FREE} is still held: fan"
    assert counter.machine(FREE).directive == Directive(Intent.HOLD, "root", "fan")
    answer = await counter.ask(Hold(machine=FREE, why="disk"))
    assert answer["message"] == f"{FREE} is still held: disk, in place of: fan"
    assert counter.machine(FREE).directive == Directive(Intent.HOLD, "root", "disk")


async def test_a_hold_says_that_it_ends_a_reinstallation(counter: Counter) -> None:
    await counter.ask(SetPlace(machine=FREE, phase=Phase.JOINED, **ARDA))
    await counter.ask(Reinstall(machine="arda-01"))
    answer = await counter.ask(Hold(machine="arda-01"))
    assert answer["message"] == "arda-01 is held from its next boot; it is not reinstalled then"


async def test_what_ends_a_hold_says_so(counter: Counter) -> None:
    await counter.ask(SetPlace(machine=FREE, phase=Phase.JOINED, **ARDA))
    await counter.ask(Hold(machine=FREE, why="disk"))
    answer = await counter.ask(Reinstall(machine="arda-01"))
    assert answer["message"] == "arda-01 is reinstalled at its next boot; its hold ends (disk)"
    await counter.ask(Hold(machine=FREE))
    answer = await counter.ask(SetPlace(machine="arda-01", intent=Intent.LOCAL))
    assert answer["message"].endswith(", intent local; its hold ends")


async def test_a_file_holds_what_was_released(counter: Counter) -> None:
    answer = await counter.ask(Release(machine=LISTED))
    why = "but machines/listed-01.yaml says intent hold; change that file"
    assert answer["message"] == f"listed-01: nothing to release, {why}"


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
        ({"unsure": (*PLAIN.macs, "52:54:00:00:99:99")}, {"unsure": PLAIN.macs}),
        (
            {"conflict": "two"},
            {"uuid": None, "serial": "", "manufacturer": "", "product": ""},
        ),
    ],
)
def test_what_release_clears(changes: dict[str, object], afterwards: dict[str, object]) -> None:
    assert released(replace(PLAIN, **changes)) == replace(PLAIN, **afterwards)  # type: ignore[arg-type]


@pytest.mark.parametrize("phase", Phase)
async def test_what_a_machine_reports_itself_is_not_set_by_hand(counter: Counter, phase: Phase) -> None:
    counter.fleet = fleet_of(ainur="")
    wanted = SetPlace(machine=FREE, phase=phase, **ARDA)
    if phase not in {Phase.INSTALLED, Phase.JOINED}:
        assert (await counter.ask(wanted))["machine"]["phase"] == phase
        return
    with pytest.raises(OperationError, match="reports itself when it is installed and when it has joined"):
        await counter.ask(wanted)
    assert counter.machine(FREE).assignment is None
    await counter.ask(SetPlace(machine=FREE, layer="ainur"))
    assert (await counter.ask(SetPlace(machine=FREE, phase=phase)))["machine"]["phase"] == phase


async def test_reinstall(counter: Counter) -> None:
    await counter.ask(SetPlace(machine=FREE, phase=Phase.JOINED, **ARDA))
    answer = await counter.ask(Reinstall(machine="arda-01"))
    assert answer["message"] == "arda-01 is reinstalled at its next boot"
    assert counter.machine(FREE).directive == Directive(Intent.REINSTALL, "root")
    assert (await counter.ask(Release(machine="arda-01")))["message"] == "arda-01: nothing to release"


async def test_without_a_daemon_no_member_of_a_cluster_is_reinstalled(counter: Counter) -> None:
    await counter.ask(SetPlace(machine=FREE, phase=Phase.JOINED, **ARDA))
    record = ClusterFile.model_validate({"layer": "arda", "caFingerprint": ":".join(["AB"] * 32)})
    counter.fleet = replace(fleet_of(), clusters={"arda": record})
    with pytest.raises(
        OperationError, match="arda-01: only a running daemon can take it out of its cluster; start it"
    ):
        await counter.ask(Reinstall(machine="arda-01"))
    assert counter.machine(FREE).directive == Directive()


async def test_a_reinstall_may_erase_what_is_there_and_has_the_disks_read_again(counter: Counter) -> None:
    read = Inspection(
        at=NOW, boot=1, disks=(Disk(path="/dev/sda", size=1),), given=("S1", "", ""), problem="old"
    )
    await counter.ask(SetPlace(machine=FREE, phase=Phase.JOINED, **ARDA))
    await counter.edit(FREE, inspection=read)
    answer = await counter.ask(Reinstall(machine="arda-01", wipe=True))
    assert answer["message"] == "arda-01 is reinstalled at its next boot, and what is on its disk is erased"
    machine = counter.machine(FREE)
    assert machine.directive == Directive(Intent.REINSTALL, "root", wipe=Wipe.FIRST)
    assert machine.inspection == Inspection(at=NOW, boot=0, given=("S1", "", ""))


@pytest.mark.parametrize(
    ("contents", "wipe", "when"),
    [
        ((Content(path="/dev/sda1", name="ext4"),), True, "now if it still waits in maintenance mode, else at its next boot, and"),
        ((Content(path="/dev/sda1", name="ext4"),), False, "at its next boot"),
        ((Content(path="/dev/sda1", label="META", is_partition=True),), True, "at its next boot, and"),
    ],
)  # fmt: skip
async def test_one_that_waits_in_maintenance_is_installed_in_that_boot(
    counter: Counter, contents: tuple[Content, ...], *, wipe: bool, when: str
) -> None:
    disk = Disk(path="/dev/sda", size=10**12, serial="S1", contents=contents)
    counter.fleet = fleet_of(arda=MADE)
    await counter.ask(SetPlace(machine=FREE, phase=Phase.BOOTING, **ARDA))
    generation = counter.machine(FREE).generation
    read = Inspection(at=NOW, boot=generation, disks=(disk,))
    await counter.edit(FREE, inspection=read, reached=Stage.INITRAMFS, furthest=Stage.INITRAMFS)
    answer = await counter.ask(Reinstall(machine="arda-01", wipe=wipe))
    assert answer["message"].startswith(f"arda-01 is reinstalled {when}")


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({}, "it has no place in the fleet yet; list it, or set its layer"),
        ({"conflict": "two at once"}, f"two at once; first: iluvatar-pxe machines release {FREE}"),
        (
            {"phase": Phase.FAILED},
            f"boot loop detected; first: iluvatar-pxe machines release {FREE}",
        ),
    ],
)
async def test_what_cannot_be_installed_again(
    counter: Counter, changes: dict[str, object], error: str
) -> None:
    await counter.edit(FREE, **changes)
    with pytest.raises(OperationError) as caught:
        await counter.ask(Reinstall(machine=FREE))
    assert str(caught.value) == f"{FREE}: {error}"


async def test_merge_split_and_forget(counter: Counter) -> None:
    await counter.edit(FREE, first_seen=counter.machine(OTHER).first_seen - timedelta(hours=1))
    answer = await counter.ask(Merge(machine=FREE, other=OTHER))
    assert answer["message"] == f"{FREE} now has the NICs {FREE}, {OTHER}"
    with pytest.raises(OperationError, match="are already the same machine, with the NICs"):
        await counter.ask(Merge(machine=FREE, other=OTHER))
    with pytest.raises(OperationError, match=f"has no NIC {LISTED}; it has {FREE}, {OTHER}"):
        await counter.ask(Split(machine=FREE, mac=LISTED))
    answer = await counter.ask(Split(machine=FREE, mac=OTHER))
    assert answer["message"] == f"{FREE} now has {FREE}, and {OTHER} is a machine of its own"
    assert (await counter.ask(Forget(machine=OTHER)))["message"] == f"{OTHER} is forgotten"
    assert counter.inventory.snapshot.machine(OTHER) is None


async def test_only_a_daemon_forgets_what_may_be_left_in_a_cluster(counter: Counter) -> None:
    await counter.edit(FREE, phase=Phase.JOINED, address=IPv4Address("10.0.0.9"))
    fleet = counter.fleet
    record = ClusterFile.model_validate(
        {"layer": "arda", "caFingerprint": ":".join(["AB"] * 32), "founded": "2026-01-01T00:00:00Z"}
    )
    counter.fleet = replace(fleet_of(arda=MADE), clusters={"arda": record})
    with pytest.raises(
        OperationError, match=r"whether it has left its cluster; start it: iluvatar-pxe serve"
    ):
        await counter.ask(Forget(machine=FREE))
    counter.fleet = fleet
    assert (await counter.ask(Forget(machine=FREE)))["message"] == f"{FREE} is forgotten"
