"""What a change of the fleet means, machine by machine: the fleet before, the fleet after, what is said of it."""

from datetime import UTC, datetime
from itertools import permutations
from typing import Any
from uuid import UUID

import pytest
from support.fleets import ARDA, CONFIGURED, INITRAMFS, KERNEL, PROGRAMS, READY, SCHEMATIC, fleet_of
from support.machines import machine_of
from support.pi import READY as PI_READY

from iluvatar_pxe.boot.assign import Reservation
from iluvatar_pxe.boot.case import Context
from iluvatar_pxe.boot.preview import differences as module
from iluvatar_pxe.boot.preview import summary
from iluvatar_pxe.boot.preview.differences import Difference, differences, leavers
from iluvatar_pxe.boot.preview.next_boot import PreviewStep, next_boot
from iluvatar_pxe.fleet.daemon_files import ClusterFile
from iluvatar_pxe.fleet.models import Fleet, ListedMachine, MachineFile, Match
from iluvatar_pxe.machines.model import Machine, Snapshot
from iluvatar_pxe.machines.sighting import Firmware, Sighting
from iluvatar_pxe.machines.states import Assignment, Directive, Intent, Phase, Role
from iluvatar_pxe.values import replace
from iluvatar_pxe.wire.pxe import CpuArch

MAC, OTHER = "52:54:00:77:00:01", "52:54:00:77:00:02"
NAME = "arda-03"
NEWER = {name.replace("v1.13.9", "v1.14.0") for name in (KERNEL, INITRAMFS)}
OTHERS = {name.replace(SCHEMATIC, "b" * 64) for name in (KERNEL, INITRAMFS)}
CONTEXT = Context(ready=READY | NEWER | OTHERS | PI_READY)
OPEN = replace(CONTEXT, window_open=True)
AINUR = "image: ubuntu\n"
UBUNTU_26 = {name.replace("/ubuntu/", "/ubuntu-26/") for name in PI_READY}
V1_14 = CONFIGURED.replace("v1.13.9", "v1.14.0")
AFTER = f"; takes effect after machines reinstall {NAME}"
RULE = "rules: [{name: PCs, match: {firmware: 'uefi-*'}, layer: arda, role: worker}]\n"
GONE = "no longer listed: its name is released, and it has to enrol again"
LEAVES = "no longer listed: its name is released, and it leaves its cluster: it is drained and switched off, its Node is deleted, and its disk is left alone"
STAYS = (
    "no longer listed: its name is released, but it stays in its cluster as it is: no control plane that the fleet lists "
    "would be left; list one that has joined"
)
FOR_A_WHILE = "; after 30 s it boots its own disk"
CLOSED = (
    'is held: rule 1 "PCs" of fleet.yaml would assign it to layer arda, but the enrolment window is closed'
    f"{FOR_A_WHILE}"
)
NO_RULE = f"is held: no file of the fleet lists {MAC}, and no rule matches it"
TALOS, DISK = "boots Talos v1.13.9", "boots its own disk"


def listed(lines: str = "role: worker\n", name: str = NAME, mac: str = MAC, **more: str) -> Fleet:
    """One machine, in a fleet whose layer arda has configurations."""
    return fleet_of((name, mac, lines), **({"arda": CONFIGURED, "ainur": AINUR} | more))


def nobody(**more: str) -> Fleet:
    return fleet_of(**({"arda": CONFIGURED, "ainur": AINUR} | more))


def given(
    role: Role = Role.WORKER,
    name: str = NAME,
    layer: str = "arda",
    rule: str = f"machines/{NAME}.yaml",
) -> Assignment:
    return Assignment(name=name, layer=layer, role=role, rule=rule, at=datetime(2026, 1, 1, tzinfo=UTC))


def seen(phase: Phase = Phase.BOOTING, assignment: Assignment | None = given(), **fields: Any) -> Machine:  # noqa: B008 - immutable
    return machine_of(MAC, **({"arch": CpuArch.X86_64} | fields), phase=phase, assignment=assignment)


def told(old: Fleet, new: Fleet, *machines: Machine, context: Context = CONTEXT) -> dict[str, str]:
    found = differences(old, new, Snapshot.of(machines), context)
    assert len({one.machine for one in found}) == len(found)
    return {one.machine: one.text for one in found}


def said(old: Fleet, new: Fleet, *machines: Machine, context: Context = CONTEXT) -> str:
    """Return what is said of the one machine that there is, empty where nothing is."""
    found = told(old, new, *machines, context=context)
    assert found.keys() <= {NAME}
    return found.get(NAME, "")


WORKER, LEADER, AUTO = listed(), listed("role: controlplane\n"), listed("role: auto\n")
LOCAL = listed("role: worker\nintent: local\n")
JOINED, INSTALLING = seen(Phase.JOINED), seen(Phase.INSTALLING)
PASSING, LET_IN = seen(assignment=None), seen(assignment=given(name="arda-07", rule="rule 1 of fleet.yaml"))
AGAIN = Directive(Intent.REINSTALL, "root")


@pytest.mark.parametrize("machine", [None, PASSING, seen(), JOINED])
@pytest.mark.parametrize("fleet", [nobody(), WORKER, AUTO, listed("intent: hold\n"), nobody(fleet=RULE)])
def test_where_nothing_changes_nothing_is_said(fleet: Fleet, machine: Machine | None) -> None:
    assert told(fleet, fleet, *([machine] if machine else [])) == {}


@pytest.mark.parametrize(
    ("old", "new", "machine", "expected"),
    [
        (WORKER, LEADER, None, "worker → control plane"),
        (WORKER, LEADER, PASSING, "worker → control plane"),
        (WORKER, LEADER, seen(), "worker → control plane"),
        (WORKER, LEADER, INSTALLING, f"worker → control plane{AFTER}"),
        (WORKER, LEADER, JOINED, f"worker → control plane{AFTER}"),
        (WORKER, LEADER, seen(Phase.JOINED, None), f"worker → control plane{AFTER}"),
        (WORKER, LEADER, seen(Phase.INSTALLING, None), f"worker → control plane{AFTER}"),
        (WORKER, LEADER, seen(Phase.JOINED, directive=AGAIN), "worker → control plane"),
        (LOCAL, listed("role: controlplane\nintent: local\n"), seen(Phase.JOINED, directive=AGAIN),
         "worker → control plane"),
        (LEADER, WORKER, JOINED, "control plane → worker"),  # which it is still
        (WORKER, AUTO, JOINED, ""),
        (AUTO, WORKER, seen(), ""),
        (AUTO, LEADER, seen(), "worker → control plane"),
        (AUTO, WORKER, None, "auto → worker"),
        (WORKER, AUTO, PASSING, "worker → auto"),
    ],
)  # fmt: skip
def test_a_role_is_fixed_when_a_machine_is_installed(
    old: Fleet, new: Fleet, machine: Machine | None, expected: str
) -> None:
    assert said(old, new, *([machine] if machine else [])) == expected


def test_the_servers_of_ainur_are_called_as_k3s_calls_them() -> None:
    agent, server = (listed(f"layer: ainur\nrole: {role}\n") for role in ("agent", "server"))
    assert said(agent, server) == "agent → server"


@pytest.mark.parametrize(
    ("new", "machine", "expected"),
    [
        (WORKER, None, "listed as worker of arda (new)"),
        (LEADER, None, "listed as control plane of arda (new)"),
        (AUTO, None, "listed in arda (new)"),
        (listed("layer: ainur\nrole: agent\n"), None, "listed as agent of ainur (new)"),
        (listed("role: worker\nintent: boot\n"), None, "listed as worker of arda (new)"),
        (listed("role: worker\nintent: hold\n"), None, "listed as worker of arda (new), intent hold"),
        (listed("chain: local\n"), None, "listed (new), chain local"),
        (WORKER, PASSING, f"listed as worker of arda (new), {NO_RULE}{FOR_A_WHILE} → {TALOS}"),
        (listed("intent: ignore\n"), PASSING,
         f"listed in arda (new), {NO_RULE}{FOR_A_WHILE} → gets no answer: machines/{NAME}.yaml sets intent ignore"),
        (WORKER, seen(assignment=given(rule="rule 1")), "listed as worker of arda (new)"),
        (AUTO, seen(assignment=given(rule="rule 1")), "listed as worker of arda (new)"),
        (WORKER, LET_IN, "listed as worker of arda (new), arda-07 → arda-03"),
        (LEADER, LET_IN, "listed as control plane of arda (new), arda-07 → arda-03, worker → control plane"),
        (LEADER, replace(LET_IN, phase=Phase.JOINED),
         f"worker → control plane{AFTER}, listed as control plane of arda (new), arda-07 → arda-03"),
    ],
)  # fmt: skip
def test_a_machine_is_newly_listed(new: Fleet, machine: Machine | None, expected: str) -> None:
    assert said(nobody(), new, *([machine] if machine else [])) == expected


def test_a_seen_machine_becomes_another() -> None:
    nas = listed("role: worker\n", "nas")
    assert told(nobody(), nas, LET_IN) == {"nas": "listed as worker of arda (new), arda-07 → nas"}
    assert told(WORKER, nas, seen()) == {"nas": "arda-03 → nas"}
    assert told(WORKER, nas, JOINED) == {"nas": "arda-03 → nas"}
    assert told(WORKER, nas) == {"nas": "arda-03 → nas"}


@pytest.mark.parametrize(
    ("machine", "context", "expected"),
    [
        (None, CONTEXT, "no longer listed"),
        (JOINED, CONTEXT, GONE),
        (seen(), CONTEXT, f"{GONE}, {TALOS} → {CLOSED}"),
        (seen(), OPEN, GONE),
        (PASSING, CONTEXT, f"{GONE}, {TALOS} → {CLOSED}"),
        (seen(Phase.JOINED, given(Role.CONTROLPLANE)), CONTEXT, GONE),
    ],
)
def test_a_file_is_removed(machine: Machine | None, context: Context, expected: str) -> None:
    old, new = listed(fleet=RULE), nobody(fleet=RULE)
    assert said(old, new, *([machine] if machine else []), context=context) == expected


def test_a_member_of_a_cluster_of_the_daemons_own_leaves_it() -> None:
    record = ClusterFile.model_validate(
        {"layer": "arda", "caFingerprint": ":".join(["AB"] * 32), "founded": "2026-01-01T00:00:00Z"}
    )

    def fleets(arda: str, cluster: ClusterFile) -> tuple[Fleet, Fleet]:
        old, new = (made(arda=arda) for made in (listed, nobody))
        return replace(old, clusters={"arda": cluster}), replace(new, clusters={"arda": cluster})

    other = machine_of(
        "52:54:00:77:00:99", phase=Phase.JOINED, assignment=given(Role.CONTROLPLANE, "arda-09")
    )
    assert said(*fleets(ARDA, record), JOINED, other) == LEAVES
    assert said(*fleets(ARDA, record), seen(Phase.INSTALLED), other) == LEAVES
    last = seen(Phase.JOINED, given(Role.CONTROLPLANE))
    assert said(*fleets(ARDA, record), last, other) == LEAVES
    assert said(*fleets(ARDA, record), last) == STAYS
    assert said(*fleets(ARDA, record), last, replace(other, phase=Phase.BOOTING)) == STAYS
    assert said(*fleets(CONFIGURED, record), JOINED) == GONE
    assert said(*fleets(ARDA, record.model_copy(update={"founded": None})), JOINED) == GONE


def test_who_leaves_a_cluster_is_told_by_files_alone() -> None:
    files = {
        name: (f"arda-0{number}", f"52:54:00:00:00:0{number}", f"layer: arda\nrole: {role}\n")
        for number, (name, role) in enumerate(
            {"plane": "controlplane", "one": "worker", "two": "worker"}.items()
        )
    }
    record = ClusterFile.model_validate(
        {"layer": "arda", "caFingerprint": ":".join(["AB"] * 32), "founded": "2026-01-01T00:00:00Z"}
    )

    def fleet(*names: str, **more: str) -> Fleet:
        made = fleet_of(*(files[name] for name in names), **more)
        return replace(made, clusters={"arda": record})

    every, gone = fleet(*files), LEAVES.partition(", and ")[2]
    assert [(one.machine, one.text) for one in leavers(every, fleet("plane"))] == [
        ("arda-01", gone),
        ("arda-02", gone),
    ]
    assert [(one.machine, one.text) for one in leavers(every, fleet("one", "two"))] == [
        ("arda-00", STAYS.partition(", but ")[2])
    ]
    renamed = 'match: {macs: ["52:54:00:00:00:02"]}\nlayer: arda\nrole: worker\n'
    assert leavers(every, fleet("plane", "one", **{"machines/nas.yaml": renamed})) == ()
    assert leavers(every, replace(fleet("plane"), clusters={})) == (), "it was never founded"


PI: dict[str, Any] = {
    "firmware": Firmware.RASPBERRY_PI,
    "arch": CpuArch.ARM64,
    "product": "Raspberry Pi 4 Model B",
}
PI_RULE = (
    "machines/arda-03.yaml assigns it to layer arda, but a Raspberry Pi's own firmware cannot run chain talos"
)
NO_PI = "machines/arda-03.yaml assigns it to layer ainur, but chain raspberry-pi needs a Raspberry Pi's own firmware, not ipxe"
AGENT = listed("layer: ainur\nrole: agent\n")


@pytest.mark.parametrize(
    ("machine", "expected"),
    [
        (None, f"arda → ainur, worker → agent, {TALOS} → boots image ubuntu"),
        (seen(**PI), f"arda → ainur, worker → agent, is held: {PI_RULE} → boots image ubuntu"),
        (JOINED, f"arda → ainur, worker → agent, {TALOS} → is held: {NO_PI}{AFTER}"),
        (INSTALLING, f"arda → ainur, worker → agent, {TALOS} → is held: {NO_PI}"),
        (seen(Phase.JOINED, **PI),
         f"arda → ainur, worker → agent, is held: {PI_RULE} → boots image ubuntu{AFTER}"),
    ],
)  # fmt: skip
def test_a_machine_comes_into_the_other_layer(machine: Machine | None, expected: str) -> None:
    assert said(WORKER, AGENT, *([machine] if machine else [])) == expected


def test_a_role_of_one_layer_is_none_of_the_other() -> None:
    found = said(WORKER, listed("layer: ainur\n"), seen(**PI))
    assert found.startswith("arda → ainur, worker → auto, ")


def test_a_machine_comes_back_into_the_layer_that_it_is_installed_for() -> None:
    found = said(AGENT, WORKER, JOINED)
    assert found.endswith(f"{AFTER}, ainur → arda, agent → worker")


@pytest.mark.parametrize(
    ("old", "new", "machine", "expected"),
    [
        ("", "intent: hold\n", seen(), f"boot → hold, {TALOS} → is held: machines/{NAME}.yaml sets intent hold"),
        ("", "intent: hold\n", None, f"boot → hold, {TALOS} → is held: machines/{NAME}.yaml sets intent hold"),
        ("intent: hold\n", "intent: local\n", JOINED,
         f"hold → local, is held: machines/{NAME}.yaml sets intent hold → {DISK}"),
        ("intent: boot\n", "intent: local\n", JOINED, "boot → local"),
        ("intent: local\n", "", JOINED, "local → boot"),
        ("intent: boot\n", "", JOINED, ""),
        ("intent: local\n", "", seen(directive=Directive(Intent.HOLD, "root", "two\n lines")),
         f"local → boot, {DISK} → is held: root requested hold: two lines"),
        ("", "chain: hold\n", JOINED, f"{DISK} → is held: machines/{NAME}.yaml sets chain hold"),
        ("", "chain: local\n", seen(), f"{TALOS} → {DISK}"),
        ("", "chain: local\n", JOINED, ""),
        ("chain: ipxe\nscript: one.ipxe\n", "chain: ipxe\nscript: two.ipxe\n", JOINED,
         "runs script one.ipxe → runs script two.ipxe"),
        ("", "config: configs/one.yaml\n", seen(), "configuration configs/worker.yaml → configs/one.yaml"),
        ("", "config: configs/one.yaml\n", JOINED,
         f"configuration configs/worker.yaml → configs/one.yaml{AFTER}"),
        ("", "chain: talos\nconfig: configs/worker.yaml\n", seen(), ""),
        ("", "program: ipxe.efi\n", seen(), "program ipxe/snponly.efi → ipxe/ipxe.efi"),
        ("", "program: ipxe.efi\n", JOINED, "program ipxe/snponly.efi → ipxe/ipxe.efi"),
        ("", "local: sanboot\n", seen(), ""),
        ("", "local: sanboot\n", JOINED, "local default → sanboot"),
        ("local: sanboot\n", "local: 404\n", JOINED, "local sanboot → 404"),
        ("", "address: 192.168.1.20\n", JOINED, "address none → 192.168.1.20"),
        ("", "patches: [patches/one.yaml]\n", seen(), "patches none → patches/one.yaml"),
        ("", "seen: {product: Thinkcentre}\n", seen(), ""),
    ],
)  # fmt: skip
def test_other_keys_of_a_file(old: str, new: str, machine: Machine | None, expected: str) -> None:
    before, after = (listed(f"role: worker\n{lines}", **MORE) for lines in (old, new))
    assert said(before, after, *([machine] if machine else [])) == expected


MORE = {"patches/one_yaml": "machine: {}\n", "one_ipxe": "#!ipxe\nshell\n", "two_ipxe": "#!ipxe\nexit\n"}


@pytest.mark.parametrize(
    ("arda", "machine", "expected"),
    [
        (V1_14, None, f"{TALOS} → boots Talos v1.14.0"),
        (V1_14, seen(), f"{TALOS} → boots Talos v1.14.0"),
        (V1_14, INSTALLING, f"{TALOS} → boots Talos v1.14.0"),  # for it boots that from the network
        (V1_14, seen(Phase.JOINED, directive=AGAIN), f"{TALOS} → boots Talos v1.14.0"),
        (V1_14, JOINED, ""),
        (CONFIGURED.replace(SCHEMATIC, "b" * 64), seen(), "its schematic changed"),
        (CONFIGURED.replace("talos: {", "talos: {extraKernelArgs: [password=1], "), seen(),
         "its kernel arguments changed"),
        (CONFIGURED.replace("worker: configs/worker", "worker: configs/one"), seen(),
         "configuration configs/worker.yaml → configs/one.yaml"),
        (CONFIGURED.replace("config: {", "controlPlanes: 3\nconfig: {"), seen(), ""),
    ],
)  # fmt: skip
def test_the_layer_changes(arda: str, machine: Machine | None, expected: str) -> None:
    assert said(WORKER, listed(arda=arda), *([machine] if machine else [])) == expected


def test_what_is_missing_for_the_new_version_is_told() -> None:
    ready = replace(CONTEXT, ready=READY)
    missing = f"the file {KERNEL.replace('v1.13.9', 'v1.14.0')} is missing"
    held = f"is held: machines/{NAME}.yaml assigns it to layer arda, but {missing}"
    assert said(WORKER, listed(arda=V1_14), seen(), context=ready) == f"{TALOS} → {held}"


SECRET = "machine: {token: s3cr3t}\n"
ONE = listed("role: worker\nconfig: configs/one.yaml\n")


@pytest.mark.parametrize(
    ("old", "lines", "text", "machine", "expected"),
    [
        (WORKER, "", "configs/worker.yaml", seen(), "its configuration configs/worker.yaml changed"),
        (WORKER, "", "configs/worker.yaml", None, "its configuration configs/worker.yaml changed"),
        (WORKER, "", "configs/worker.yaml", JOINED, ""),
        (WORKER, "", "configs/controlplane.yaml", seen(), ""),
        (WORKER, "", "README.md", seen(), ""),
        (ONE, "config: configs/one.yaml\n", "configs/one.yaml", seen(),
         "its configuration configs/one.yaml changed"),
        (ONE, "config: configs/one.yaml\n", "configs/one.yaml", None,
         "its configuration configs/one.yaml changed"),
    ],
)  # fmt: skip
def test_only_a_text_changes(
    old: Fleet, lines: str, text: str, machine: Machine | None, expected: str
) -> None:
    new = listed(f"role: worker\n{lines}", **{text.replace(".", "_"): SECRET})
    assert said(old, new, *([machine] if machine else [])) == expected


def test_the_text_of_a_script_changes() -> None:
    old, new = (
        listed("chain: ipxe\nscript: one.ipxe\n", one_ipxe=f"#!ipxe\n{command}\n")
        for command in ("shell", "set password s3cr3t")
    )
    assert said(old, new, JOINED) == "its script one.ipxe changed"


def test_a_raspberry_pi_s_image() -> None:
    pi = seen(assignment=given(Role.AGENT, layer="ainur"), **PI)
    ready = replace(CONTEXT, ready=CONTEXT.ready | UBUNTU_26)
    lines = "layer: ainur\nrole: agent\n"
    newer = listed(lines, ainur="image: ubuntu-26\n")
    assert said(AGENT, newer, pi, context=ready) == "boots image ubuntu → boots image ubuntu-26"
    assert said(AGENT, newer, replace(pi, phase=Phase.JOINED), context=ready) == ""
    more = listed(lines, ainur=f"{AINUR}kernelArgs: [a=1]\nconfigTxt: [b=2]\n")
    assert said(AGENT, more, pi) == "its config.txt changed, its kernel arguments changed"
    updated = listed(f"{lines}eepromUpdate: true\n")
    assert said(AGENT, updated, pi) == "its boot files of image ubuntu changed"


def test_rules_tell_of_machines_that_no_file_lists() -> None:
    found = told(nobody(), nobody(fleet=RULE), PASSING)
    assert found == {MAC: f"{NO_RULE}{FOR_A_WHILE} → {CLOSED}"}
    assert told(nobody(), nobody(fleet=RULE), PASSING, context=OPEN) == {
        MAC: f"{NO_RULE}{FOR_A_WHILE} → {TALOS}"
    }
    leading = RULE.replace("role: worker", "role: controlplane")
    found = told(nobody(fleet=RULE), nobody(fleet=leading), PASSING, context=OPEN)
    assert found == {MAC: "probably worker → control plane"}
    assert told(nobody(fleet=RULE), nobody(fleet=leading), LET_IN, context=OPEN) == {}


def test_a_rule_s_configuration_changes() -> None:
    rule = RULE.replace("role: worker", "role: worker, config: configs/one.yaml, chain: talos")
    new = nobody(fleet=rule, **{"configs/one_yaml": SECRET})
    assert told(nobody(fleet=rule), new, LET_IN) == {"arda-07": "its configuration configs/one.yaml changed"}


def test_a_raspberry_pi_counts_as_one_for_rules() -> None:
    rule = "rules: [{match: {arch: arm64}, intent: local}]\n"
    pi = seen(assignment=None, firmware=Firmware.RASPBERRY_PI, arch=None)
    assert told(nobody(), nobody(fleet=rule), pi) == {MAC: f"{NO_RULE} → {DISK}"}


def test_a_rule_that_only_moved_means_nothing() -> None:
    moved = RULE.replace("[{", "[{match: {arch: arm64}, intent: local}, {")
    assert told(nobody(fleet=RULE), nobody(fleet=moved), PASSING) == {}


def test_those_that_lead_already_are_counted() -> None:
    """The second machine of role auto is to lead when three may; it is not said of one that has its role."""
    three = CONFIGURED.replace("config: {", "controlPlanes: 3\nconfig: {")
    leader = machine_of(OTHER, assignment=given(Role.CONTROLPLANE, "arda-01"))
    old, new = listed("role: auto\n"), listed("role: auto\n", arda=three)
    assert said(old, new, PASSING, leader) == "probably worker → control plane"
    assert said(old, new, seen(), leader) == ""


def test_a_forgotten_machine_that_led_still_counts() -> None:
    """Unless reuseNames frees its name."""
    forgotten = [Reservation.of(given(Role.CONTROLPLANE, "arda-01"), None)]
    old, new = (
        listed("role: auto\n", arda=f"{CONFIGURED}{more}") for more in ("", "reuseNames: [arda-01]\n")
    )
    (found,) = differences(old, new, Snapshot.of([PASSING]), CONTEXT, forgotten)
    assert found.text == "probably worker → control plane"
    assert differences(old, new, Snapshot.of([PASSING]), CONTEXT) == ()


def test_a_card_is_added_to_a_file() -> None:
    one, two = (
        fleet_of((NAME, f'{MAC}", "{more}' if more else MAC, "role: worker\n"), arda=CONFIGURED)
        for more in ("", OTHER)
    )
    assert said(one, two, seen()) == f"matched by {MAC} → {MAC} and {OTHER}"
    assert said(one, two) == f"matched by {MAC} → {MAC} and {OTHER}"
    turned = fleet_of((NAME, f'{OTHER}", "{MAC}', "role: worker\n"), arda=CONFIGURED)
    assert said(two, turned) == ""


def test_a_machine_claims_a_card_of_a_file() -> None:
    claims = seen(assignment=None, claimed=(OTHER,))
    unheard = f"its firmware lists a NIC of machines/{NAME}.yaml, but that NIC has not been seen yet"
    assert (
        told(nobody(), listed(mac=OTHER), claims)[MAC]
        == f"{NO_RULE}{FOR_A_WHILE} → is held: {unheard}{FOR_A_WHILE}"
    )


def test_files_change_their_names() -> None:
    """Of machines that were not seen: the same card is the same machine."""

    def fleet(**macs: str) -> Fleet:
        return fleet_of(*((name, mac, "role: worker\n") for name, mac in macs.items()), arda=CONFIGURED)

    assert told(fleet(a=MAC, b=OTHER), fleet(aa=OTHER, b=MAC)) == {"aa": "b → aa", "b": "a → b"}
    assert told(fleet(a=MAC), fleet(a=OTHER, b=MAC)) == {"a": "listed as worker of arda (new)", "b": "a → b"}
    two, split = fleet(a=MAC, b=OTHER), fleet(a=OTHER, b=MAC)
    whole = fleet_of(("b", f'{MAC}", "{OTHER}', "role: worker\n"), arda=CONFIGURED)
    assert told(two, whole) == {
        "a": "no longer listed",
        "b": f"matched by {OTHER} → {MAC} and {OTHER}",
    }
    assert told(whole, split) == {
        "a": "listed as worker of arda (new)",
        "b": f"matched by {MAC} and {OTHER} → {MAC}",
    }


def test_a_name_passes_on_to_another_machine() -> None:
    """Whose name it was goes by its MAC."""
    new = listed(mac=OTHER)
    assert told(WORKER, new, seen()) == {
        MAC: f"{GONE}, {TALOS} → {NO_RULE}{FOR_A_WHILE}",
        NAME: "listed as worker of arda (new)",
    }
    other = machine_of(OTHER, arch=CpuArch.X86_64, assignment=given(name="arda-07"))
    assert told(WORKER, new, JOINED, other)[NAME] == "listed as worker of arda (new), arda-07 → arda-03"
    assert told(WORKER, new) == {NAME: f"matched by {MAC} → {OTHER}"}
    assert told(WORKER, new, other) == {
        MAC: "no longer listed",
        NAME: "listed as worker of arda (new), arda-07 → arda-03",
    }


def test_a_new_file_takes_a_machine_s_name_away() -> None:
    """Which was given that name by a rule."""
    old, new = nobody(fleet=RULE), listed(mac=OTHER, fleet=RULE)
    assert told(old, new, seen()) == {
        MAC: f"arda-03 is another machine now, and it has to enrol again, {TALOS} → {CLOSED}",
        NAME: "listed as worker of arda (new)",
    }
    assert told(new, listed(mac=OTHER, fleet=RULE, arda=V1_14), JOINED).keys() == {NAME}
    assert told(new, old, seen()) == {NAME: "no longer listed"}


def test_a_machine_whose_file_goes_before_it_got_that_name_keeps_its_own() -> None:
    old, new = listed(name="nas"), nobody()
    assert told(old, new, LET_IN) == {"nas": "no longer listed, nas → arda-07"}
    found = told(listed("role: controlplane\n", name="nas"), new, replace(LET_IN, phase=Phase.JOINED))
    assert found == {"nas": "no longer listed, nas → arda-07, control plane → worker"}


def test_two_machines_that_one_file_lists_are_told_apart() -> None:
    old, new = (
        fleet_of((NAME, f'{MAC}", "{OTHER}', f"role: {role}\n"), arda=CONFIGURED)
        for role in ("worker", "controlplane")
    )
    found = told(old, new, seen(), machine_of(OTHER, arch=CpuArch.X86_64))
    assert found == {NAME: "worker → control plane", OTHER: "worker → control plane"}


UUID_OF_IT = UUID("4c4c4544-0035-3310-8052-b4c04f4e4432")


@pytest.mark.parametrize("uuid", [UUID_OF_IT, UUID(bytes=UUID_OF_IT.bytes_le)])
def test_a_machine_is_found_by_its_serial_number(uuid: UUID) -> None:
    def fleet(role: str) -> Fleet:
        match = f"match: {{serial: 5CG1234, uuid: {UUID_OF_IT}}}\nrole: {role}\n"
        return nobody(**{f"machines/{NAME}_yaml": match})

    machine = seen(Phase.JOINED, serial="5CG1234", uuid=uuid)
    assert said(fleet("worker"), fleet("controlplane"), machine) == f"worker → control plane{AFTER}"
    assert said(fleet("worker"), fleet("controlplane")) == "worker → control plane"
    assert said(fleet("worker"), nobody()) == "no longer listed"
    unnamed = machine_of(OTHER, phase=Phase.JOINED, serial="5CG1234", uuid=uuid)
    assert said(fleet("worker"), fleet("controlplane"), unnamed) == f"worker → control plane{AFTER}"
    other = listed(mac=OTHER)
    assert told(fleet("worker"), other, machine_of(OTHER)) == {
        NAME: "listed as worker of arda (new), is held: no file of the fleet lists "
        f"{OTHER}, and no rule matches it{FOR_A_WHILE} → {TALOS}",
        "5CG1234": "no longer listed",
    }
    assert said(WORKER, fleet("worker"), machine) == f"matched by {MAC} → serial 5CG1234"


def test_a_machine_of_which_only_talos_was_seen_boots_by_its_firmware() -> None:
    machine = seen(firmware=Firmware.TALOS)
    assert said(WORKER, listed("role: worker\nprogram: ipxe.efi\n"), machine).startswith("program ")


def test_machines_are_told_in_the_order_of_their_names() -> None:
    macs = {name: f"52:54:00:77:01:{number:02x}" for number, name in enumerate(["c", "a", "d", "b"])}
    old, new = (
        fleet_of(*((name, mac, f"role: {role}\n") for name, mac in macs.items()), arda=CONFIGURED)
        for role in ("worker", "controlplane")
    )
    found = differences(old, new, Snapshot.of([machine_of(macs["c"]), machine_of(macs["b"])]), CONTEXT)
    assert found == tuple(Difference(name, "worker → control plane") for name in "abcd")


FLEETS = [
    *(nobody(), nobody(fleet=RULE), WORKER, LEADER, AUTO, ONE, AGENT),
    *(listed(mac=OTHER), listed(name="nas"), listed("intent: hold\n"), listed("chain: local\n"), listed(arda=V1_14)),
    listed(**{"configs/worker_yaml": SECRET}),
    listed("chain: ipxe\nscript: one.ipxe\n", one_ipxe="#!ipxe\nset password s3cr3t\n"),
]  # fmt: skip
MACHINES = [
    [],
    [PASSING],
    [seen()],
    [JOINED],
    [INSTALLING, machine_of(OTHER, assignment=given(name="arda-07"))],
]


@pytest.mark.parametrize("machines", MACHINES)
def test_every_text_is_one_line_without_secrets(machines: list[Machine]) -> None:
    asked = Directive(Intent.BOOT, "root", "two\nlines")
    for old, new in permutations(FLEETS, 2):
        for text in told(old, new, *(replace(one, directive=asked) for one in machines)).values():
            assert text == text.strip()
            assert "\n" not in text
            assert "s3cr3t" not in text
            assert ", ," not in text


@pytest.mark.parametrize("machines", MACHINES)
def test_to_look_only_at_what_changed_finds_the_same(
    machines: list[Machine], monkeypatch: pytest.MonkeyPatch
) -> None:
    pairs = list(permutations(FLEETS, 2))
    few = [told(old, new, *machines) for old, new in pairs]
    monkeypatch.setattr(module, "_shared", lambda _: object())
    assert [told(old, new, *machines) for old, new in pairs] == few


def test_of_many_machines_only_the_one_that_changed_is_decided_about(monkeypatch: pytest.MonkeyPatch) -> None:
    def entry(number: int, role: Role = Role.WORKER) -> ListedMachine:
        match = Match(macs=(f"52:54:00:78:{number >> 8:02x}:{number & 255:02x}",))
        return ListedMachine(f"m{number}", MachineFile(match=match, role=role), "arda")

    machines = [machine_of(*entry(number).file.match.macs, arch=CpuArch.X86_64) for number in range(300)]
    base = nobody()
    old = replace(base, listed=tuple(entry(number) for number in range(600)))
    new = replace(
        base, listed=tuple(entry(n, Role.CONTROLPLANE if n in {7, 407} else Role.WORKER) for n in range(600))
    )
    asked: list[str] = []

    def counted(sighting: Sighting, *rest: Any) -> tuple[PreviewStep, ...]:
        asked.append(sighting.mac)
        return next_boot(sighting, *rest)

    monkeypatch.setattr(summary, "next_boot", counted)
    assert told(old, new, *machines) == {"m407": "worker → control plane", "m7": "worker → control plane"}
    assert asked == [mac for number in (7, 407) for mac in entry(number).file.match.macs * 2]


def test_without_boot_files_the_rest_is_told() -> None:
    bare = Context(ready=PROGRAMS)
    assert said(WORKER, LEADER, JOINED, context=bare) == f"worker → control plane{AFTER}"
    assert said(WORKER, LEADER, seen(), context=Context()) == "worker → control plane"
    assert said(listed(arda=ARDA + CONFIGURED.removeprefix(ARDA)), WORKER, context=Context()) == ""
