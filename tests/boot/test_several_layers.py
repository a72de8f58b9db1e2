"""Two Talos clusters and two of k3s in one fleet: every machine has what its own layer says, and no other's."""

from collections.abc import Mapping
from datetime import UTC, datetime
from ipaddress import IPv4Address

import pytest
from support.fleets import PROGRAMS
from support.machines import machine_of
from support.plans import plan_for

from iluvatar_pxe.admin.describe import describe
from iluvatar_pxe.boot.assign import PlaceRequest, Reservation, assignment_for
from iluvatar_pxe.boot.case import Context
from iluvatar_pxe.boot.plan import AssignFirst, BootLocal, CountDown, Hold, RunScript, ServePiFiles
from iluvatar_pxe.boot.preview.differences import differences
from iluvatar_pxe.boot.preview.next_boot import next_boot, with_boot_files
from iluvatar_pxe.dns.authority import Authority
from iluvatar_pxe.dns.fleet_zones import Facts, zones_of
from iluvatar_pxe.dns.members import members_of
from iluvatar_pxe.fleet.models import Fleet
from iluvatar_pxe.fleet.parse import parse_fleet
from iluvatar_pxe.machines.model import Machine, Snapshot
from iluvatar_pxe.machines.sighting import Firmware, Sighting
from iluvatar_pxe.machines.states import Assignment, Phase, Role
from iluvatar_pxe.values import replace
from iluvatar_pxe.wire.dns.name import name_of
from iluvatar_pxe.wire.dns.types import Type
from iluvatar_pxe.wire.pxe import CpuArch

NOW = datetime(2026, 1, 1, tzinfo=UTC)
HERE = IPv4Address("192.168.1.2")
FILES = {
    "fleet.yaml": """
domain: home.example
rules:
  - {match: {manufacturer: Dell}, layer: valinor}
  - {match: {firmware: raspberry-pi, mac: "2c:cf:67"}, layer: moria}
  - {match: {firmware: raspberry-pi}, layer: ainur}
  - {layer: arda}
""",
    "layers/arda.yaml": """
kind: talos
talos: {version: v1.13.9, schematic: a}
config: {controlplane: configs/arda-cp.yaml, worker: configs/arda.yaml}
""",
    "layers/valinor.yaml": """
kind: talos
talos: {version: v1.14.0, schematic: v, extraKernelArgs: [of=valinor]}
controlPlanes: 3
config: {controlplane: configs/valinor-cp.yaml, worker: configs/valinor.yaml}
ingress: 192.168.1.80
""",
    "layers/ainur.yaml": "kind: k3s\nimage: ubuntu-24\n",
    "layers/moria.yaml": "kind: k3s\nimage: ubuntu-26\nservers: 3\nnames: 'dwarf#'\nkernelArgs: [of=moria]\n",
    **{f"configs/{name}.yaml": f"# {name}\n" for name in ("arda", "arda-cp", "valinor", "valinor-cp")},
}
PC, PI = "52:54:00:77:00:01", "dc:a6:32:00:00:04"
READY = (
    PROGRAMS
    | {
        f"talos/{folder}/{name}"
        for folder in ("a/v1.13.9", "v/v1.14.0")
        for name in ("kernel-amd64", "initramfs-amd64.xz")
    }
    | {
        f"raspberry-pi/{image}/{name}"
        for image in ("ubuntu-24", "ubuntu-26")
        for name in ("start4.elf", "fixup4.dat", "vmlinuz")
    }
)
CONTEXT = Context(ready=READY, window_open=True, confirmed=True)
OF_PC = Sighting(mac=PC, firmware=Firmware.IPXE, arch=CpuArch.X86_64, macs=(PC,))
OF_PI = Sighting(mac=PI, firmware=Firmware.RASPBERRY_PI, arch=CpuArch.ARM64, product="Raspberry Pi 4 Model B")


def fleet(changes: Mapping[str, str | None] | None = None) -> Fleet:
    files = {**FILES, **(changes or {})}
    return parse_fleet({path: text for path, text in files.items() if text is not None})


def in_layer(layer: str, role: Role, name: str, mac: str = PC, **fields: object) -> Machine:
    given = Assignment(name=name, layer=layer, role=role, rule="rule 1 of fleet.yaml", at=NOW)
    return machine_of(mac, assignment=given, arch=CpuArch.X86_64, **fields)


@pytest.mark.parametrize(
    ("sighting", "layer", "name", "role"),
    [
        (OF_PC, "arda", "arda-01", Role.CONTROLPLANE),
        (replace(OF_PC, manufacturer="Dell"), "valinor", "valinor-01", Role.CONTROLPLANE),
        (OF_PI, "ainur", "ainur-01", Role.SERVER),
        (replace(OF_PI, mac="2c:cf:67:00:00:05"), "moria", "dwarf1", Role.SERVER),
    ],
)
def test_a_rule_gives_a_place_of_its_layer(sighting: Sighting, layer: str, name: str, role: Role) -> None:
    plan = plan_for(sighting, Snapshot(), fleet(), CONTEXT)
    assert isinstance(plan, AssignFirst)
    given = assignment_for(plan.place, fleet(), [], NOW)
    assert (given.layer, given.name, given.role) == (layer, name, role)


@pytest.mark.parametrize(
    ("layer", "most", "leading", "following"),
    [
        ("arda", 1, Role.CONTROLPLANE, Role.WORKER),
        ("valinor", 3, Role.CONTROLPLANE, Role.WORKER),
        ("ainur", 1, Role.SERVER, Role.AGENT),
        ("moria", 3, Role.SERVER, Role.AGENT),
    ],
)
def test_as_many_lead_as_the_layer_says(layer: str, most: int, leading: Role, following: Role) -> None:
    taken: list[Reservation] = [
        Reservation(name=f"other-{one}", layer=other, role=role, machine_id=None)
        for one, (other, role) in enumerate((("arda", Role.CONTROLPLANE), ("ainur", Role.SERVER)))
        if other != layer
    ]
    roles = []
    for _ in range(5):
        given = assignment_for(PlaceRequest(layer=layer, rule=""), fleet(), taken, NOW)
        taken.append(Reservation(name=given.name, layer=layer, role=given.role, machine_id=None))
        roles.append(given.role)
    assert roles == [leading] * most + [following] * (5 - most)


@pytest.mark.parametrize(
    ("layer", "role", "version", "folder", "config"),
    [
        ("arda", Role.WORKER, "v1.13.9", "talos/a/v1.13.9", "# arda\n"),
        ("arda", Role.CONTROLPLANE, "v1.13.9", "talos/a/v1.13.9", "# arda-cp\n"),
        ("valinor", Role.WORKER, "v1.14.0", "talos/v/v1.14.0", "# valinor\n"),
    ],
)
def test_a_pc_boots_its_own_layers_talos(
    layer: str, role: Role, version: str, folder: str, config: str
) -> None:
    known = Snapshot.of([in_layer(layer, role, "one")])
    plan = plan_for(OF_PC, known, fleet(), CONTEXT)
    assert isinstance(plan, RunScript)
    assert (plan.values["version"], plan.config) == (version, config)
    assert plan.values["kernel"] == f"{folder}/kernel-amd64"
    assert ("of=valinor" in str(plan.values["kernel_args"])) == (layer == "valinor")


@pytest.mark.parametrize(
    ("layer", "image", "arguments"), [("ainur", "ubuntu-24", ()), ("moria", "ubuntu-26", ("of=moria",))]
)
def test_a_pi_boots_its_own_layers_image(layer: str, image: str, arguments: tuple[str, ...]) -> None:
    known = Snapshot.of([in_layer(layer, Role.AGENT, "one", PI)])
    plan = plan_for(OF_PI, known, fleet(), CONTEXT)
    assert isinstance(plan, ServePiFiles)
    assert (plan.folder, plan.kernel_args) == (f"raspberry-pi/{image}", arguments)


def test_what_lacks_names_the_layers_file_and_where_else_the_machine_may_go() -> None:
    half = FILES["layers/valinor.yaml"].replace(", worker: configs/valinor.yaml", "")
    lacking = fleet({"layers/valinor.yaml": half})
    held = plan_for(OF_PC, Snapshot.of([in_layer("valinor", Role.WORKER, "one")]), lacking, CONTEXT)
    assert isinstance(held, Hold)
    assert held.why.endswith("but layers/valinor.yaml has no configuration for role worker")
    pc = plan_for(OF_PC, Snapshot.of([in_layer("moria", Role.AGENT, "one")]), fleet(), CONTEXT)
    assert isinstance(pc, Hold)
    assert pc.screen[-1] == "What to do: assign it to layer arda or valinor."
    pi = plan_for(OF_PI, Snapshot.of([in_layer("arda", Role.WORKER, "one", PI)]), fleet(), CONTEXT)
    assert isinstance(pi, Hold)
    assert pi.screen[-1] == "What to do: assign it to layer ainur or moria in its file or rule."


def test_the_countdown_says_the_roles_of_the_layer() -> None:
    plan = plan_for(
        replace(OF_PC, manufacturer="Dell"), Snapshot(), fleet(), replace(CONTEXT, confirmed=False)
    )
    assert isinstance(plan, CountDown)
    assert "a controlplane or worker of layer valinor, and an operating system" in " ".join(plan.screen)


LISTED = f"match: {{macs: ['{PC}']}}\n"


def test_a_change_of_one_layer_is_told_of_its_machines_alone() -> None:
    both = [
        in_layer("arda", Role.WORKER, "arda-07"),
        in_layer("valinor", Role.WORKER, "valinor-07", "52:54:00:77:00:02"),
    ]
    newer = FILES["layers/valinor.yaml"].replace("v1.14.0", "v1.15.0")
    ready = replace(CONTEXT, ready=READY | {name.replace("v1.14.0", "v1.15.0") for name in READY})
    found = differences(fleet(), fleet({"layers/valinor.yaml": newer}), Snapshot.of(both), ready)
    assert [(one.machine, one.text) for one in found] == [
        ("valinor-07", "boots Talos v1.14.0 → boots Talos v1.15.0")
    ]
    config = differences(fleet(), fleet({"configs/valinor.yaml": "# new\n"}), Snapshot.of(both), CONTEXT)
    assert [one.machine for one in config] == ["valinor-07"]


def test_a_move_to_another_layer_is_told() -> None:
    here, there = (
        fleet({"machines/one.yaml": f"{LISTED}layer: {layer}\nrole: worker\n"})
        for layer in ("arda", "valinor")
    )
    (found,) = differences(here, there, Snapshot.of([in_layer("arda", Role.WORKER, "one")]), CONTEXT)
    assert found.text.split(", ") == [
        "arda → valinor",
        "boots Talos v1.13.9 → boots Talos v1.14.0",
        "configuration configs/arda.yaml → configs/valinor.yaml",
        "its schematic changed",
        "its kernel arguments changed",
    ]


def test_a_machine_that_was_not_seen_is_foreseen_by_the_kind_of_its_layer() -> None:
    pi = f"match: {{macs: ['{PI}']}}\nlayer: moria\nrole: agent\n"
    newer = FILES["layers/moria.yaml"].replace("ubuntu-26", "ubuntu-24")
    old, new = (
        fleet({"machines/pi.yaml": pi, "layers/moria.yaml": text})
        for text in (FILES["layers/moria.yaml"], newer)
    )
    (found,) = differences(old, new, Snapshot(), CONTEXT)
    assert found.text.startswith("boots image ubuntu-26 → boots image ubuntu-24")


def test_boot_files_are_taken_to_be_there_for_the_machines_own_layer() -> None:
    known = Snapshot.of([in_layer("valinor", Role.WORKER, "one")])
    bare = replace(CONTEXT, ready=PROGRAMS)
    last = next_boot(OF_PC, known, fleet(), bare)[-1].decision
    assert isinstance(last.plan, Hold)
    complete = with_boot_files(last).plan
    assert isinstance(complete, RunScript)
    assert complete.values["version"] == "v1.14.0"


def joined(layer: str, role: Role, name: str, mac: str, last: int) -> Machine:
    return in_layer(layer, role, name, mac, phase=Phase.JOINED, address=IPv4Address(f"192.168.1.{last}"))


CLUSTERS = (
    joined("arda", Role.CONTROLPLANE, "arda-01", "52:54:00:77:00:01", 21),
    joined("valinor", Role.CONTROLPLANE, "valinor-01", "52:54:00:77:00:02", 22),
    joined("valinor", Role.CONTROLPLANE, "valinor-02", "52:54:00:77:00:03", 23),
    joined("ainur", Role.SERVER, "ainur-01", "52:54:00:77:00:04", 24),
    joined("moria", Role.SERVER, "dwarf1", "52:54:00:77:00:05", 25),
    joined("moria", Role.AGENT, "dwarf2", "52:54:00:77:00:06", 26),
    joined("gone", Role.SERVER, "gone-01", "52:54:00:77:00:07", 27),
)


@pytest.mark.parametrize(
    ("name", "last"),
    [
        ("api.arda", [21]),
        ("api.valinor", [22, 23]),
        ("api.ainur", [24]),
        ("api.moria", [25]),
        ("grafana.apps.valinor", [80]),
        ("dwarf2", [26]),
        ("gone-01", [27]),
        ("api.gone", []),
        ("x.apps.arda", []),
    ],
)
def test_every_layer_has_its_names(name: str, last: list[int]) -> None:
    facts = Facts(fleet(), members_of(Snapshot.of(CLUSTERS), fleet()))
    found = Authority(zones_of(facts, 1, HERE)).find(name_of(f"{name}.home.example"), Type.A)
    assert found
    assert [str(record.data) for record in found.answers] == [f"192.168.1.{one}" for one in last]


@pytest.mark.parametrize(
    ("sighting", "machine"),
    [(OF_PC, in_layer("gone", Role.WORKER, "gone-01")), (OF_PI, in_layer("gone", Role.AGENT, "gone-01", PI))],
)
def test_a_machine_whose_layer_has_no_file_any_more_waits_and_says_which(
    sighting: Sighting, machine: Machine
) -> None:
    known, now = Snapshot.of([machine]), fleet()
    held = plan_for(sighting, known, now, CONTEXT)
    assert isinstance(held, Hold)
    assert held.why.endswith("but the fleet has no layers/gone.yaml")
    assert held.screen[-1] == "What to do: create it."
    assert describe(machine, now)["layer"] == "gone"
    before = fleet(
        {"layers/gone.yaml": FILES["layers/ainur.yaml" if sighting is OF_PI else "layers/arda.yaml"]}
    )
    (told,) = differences(before, now, known, CONTEXT)
    assert "the fleet has no layers/gone.yaml" in told.text


def test_one_that_has_joined_boots_its_disk_all_the_same() -> None:
    machine = in_layer("gone", Role.WORKER, "gone-01", phase=Phase.JOINED)
    assert isinstance(plan_for(OF_PC, Snapshot.of([machine]), fleet(), CONTEXT), BootLocal)


def test_a_layer_of_another_kind_now_holds_its_machines() -> None:
    turned = fleet({"layers/valinor.yaml": "kind: k3s\nimage: ubuntu-24\n"})
    held = plan_for(OF_PC, Snapshot.of([in_layer("valinor", Role.WORKER, "one")]), turned, CONTEXT)
    assert isinstance(held, Hold)
    assert held.why.endswith("chain raspberry-pi needs a Raspberry Pi's own firmware, not ipxe")


def test_a_listed_machine_in_no_layer_is_not_put_on_record() -> None:
    one = fleet({"machines/one.yaml": f"{LISTED}chain: local\n"})
    plan = plan_for(OF_PC, Snapshot.of([machine_of(PC)]), one, CONTEXT)
    assert isinstance(plan, BootLocal)
    shown = describe(machine_of(PC), one)
    assert (shown["name"], shown["layer"], shown["role"]) == ("one", None, None)
