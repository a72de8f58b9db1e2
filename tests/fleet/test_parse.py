"""What a good fleet means."""

import re
from ipaddress import IPv4Network
from pathlib import Path
from uuid import UUID

import pytest
from support.fleets import ARDA, CONFIGURED, fleet_of

from iluvatar_pxe.fleet.models import EnrolmentMode, Fleet, LocalMethod
from iluvatar_pxe.fleet.parse import parse_fleet
from iluvatar_pxe.machines.hardware import swapped
from iluvatar_pxe.machines.states import Intent, Role

STARTER = Path(__file__).parents[2] / "boot_assets" / "fleet"
TALOS = 'match: {macs: ["52:54:00:00:00:01"]}\nlayer: arda\nchain: talos\nconfig: configs/one.yaml\n'
LOCAL = "match: {macs: [52:54:00:00:00:02]}\nchain: local\n"
UUID_TEXT = "4c4c4544-0031-3010-8056-b7c04f4a3232"
GOOD = {
    "fleet.yaml": """
domain: home.example
enrolment: {mode: join, countdown: 30}
maxAttempts: 7
rules:
  - name: small ones
    match: {product: ["A*", B], mac: 52-54-00, subnet: 10.0.0.0/8}
    layer: arda
    role: worker
  - match: {firmware: "uefi-*"}
    layer: arda
    chain: ipxe
    script: configs/x.ipxe
  - intent: local
    local: exit
""",
    "layers/arda.yaml": f"{ARDA}names: node-###\nreuseNames: [node-001]\ncontrolPlanes: 3\nconfig:\n  worker: configs/one.yaml\n",
    "layers/ainur.yaml": "kind: k3s\nservers: 3\n",
    "machines/one.yaml": TALOS,
    "machines/two.yaml": LOCAL,
    "configs/one.yaml": "machine: {}\n",
    "configs/x.ipxe": "#!ipxe\nexit\n",
    "README.md": "# Ours\n",
}


def names(fleet: Fleet, *macs: str, serial: str = "", uuid: UUID | None = None) -> list[str]:
    return [machine.name for machine in fleet.machines(macs, serial, uuid)]


def test_a_good_fleet() -> None:
    fleet = parse_fleet(GOOD)
    settings = fleet.settings
    assert (settings.domain, settings.max_attempts) == ("home.example", 7)
    assert (settings.enrolment.mode, settings.enrolment.countdown) == (EnrolmentMode.JOIN, 30)
    assert fleet.names == {"one", "two"}
    (one,) = fleet.machines(["52:54:00:00:00:01"], "", None)
    assert (one.name, one.file.chain, one.file.config) == ("one", "talos", "configs/one.yaml")
    assert (one.layer, one.file.role, one.file.intent) == ("arda", None, None)
    assert set(fleet.texts) == {"configs/one.yaml", "configs/x.ipxe", "README.md"}


def test_rules() -> None:
    small, uefi, rest = parse_fleet(GOOD).settings.rules
    assert (small.name, small.layer, small.role, small.intent) == (
        "small ones",
        "arda",
        Role.WORKER,
        None,
    )
    assert (small.match.product, small.match.mac) == (("A*", "B"), ("52:54:00*",))
    assert small.match.subnet == (IPv4Network("10.0.0.0/8"),)
    assert (uefi.role, uefi.chain, uefi.script) == (None, "ipxe", "configs/x.ipxe")
    assert (rest.layer, rest.intent, rest.local) == (None, Intent.LOCAL, LocalMethod.EXIT)


def test_layers() -> None:
    fleet = parse_fleet(GOOD)
    arda, ainur = fleet.talos("arda"), fleet.k3s("ainur")
    assert arda is fleet.layers["arda"]
    assert ainur is fleet.layers["ainur"]
    assert arda is not None
    assert (arda.talos.version, arda.leaders, arda.pattern("arda")) == ("v1.13.9", 3, "node-###")
    assert (arda.reuse_names, arda.config) == (("node-001",), {Role.WORKER: "configs/one.yaml"})
    assert ainur is not None
    assert (ainur.leaders, ainur.pattern("ainur"), ainur.reuse_names) == (3, "ainur-##", ())


def test_the_starter_fleet_is_good_and_takes_pcs_into_arda_and_pis_into_ainur() -> None:
    files = {path.relative_to(STARTER).as_posix(): path.read_text() for path in STARTER.rglob("[!.]*.*")}
    fleet = parse_fleet(files)
    assert fleet.names == frozenset()
    assert fleet.settings.enrolment.mode is EnrolmentMode.WINDOW
    pcs, pis = fleet.settings.rules
    assert (pcs.match.arch, pcs.layer, pcs.role) == (("x86_64",), "arda", None)
    assert (pis.match.firmware, pis.layer, pis.role) == (("raspberry-pi",), "ainur", None)
    ainur = fleet.k3s("ainur")
    assert ainur
    assert ainur.image == "ubuntu-24.04.5"
    assert {name: layer.pattern(name) for name, layer in fleet.layers.items()} == {
        "arda": "arda-##",
        "ainur": "ainur-##",
    }


def test_what_the_starter_fleet_has_commented_out_is_good_too() -> None:
    files = {path.relative_to(STARTER).as_posix(): path.read_text() for path in STARTER.rglob("[!.]*.*")}
    files["layers/arda.yaml"] = files["layers/arda.yaml"].replace("\n#config:\n#  c", "\nconfig:\n  c")
    files["layers/arda.yaml"] = files["layers/arda.yaml"].replace("\n#  worker:", "\n  worker:")
    rules, first, examples = files["fleet.yaml"].partition(
        "# More examples; put them before the rules above:\n#\n"
    )
    rules = re.sub(r"#records:\n(?:#  .+\n)+", lambda found: found[0][1:].replace("\n#", "\n"), rules)
    for name in ("layers/arda.yaml", "layers/ainur.yaml"):
        files[name] = files[name].replace("\n#ingress", "\ningress")
    files["fleet.yaml"] = rules + first + examples.replace("\n#", "\n").replace("#  -", "  -", 1)
    files |= {f"configs/{role}.yaml": "machine: {}\n" for role in ("controlplane", "worker")}
    files["fleet.yaml"] = files["fleet.yaml"].replace("match: {arch: x86_64}", "match: {arch: i386}")
    fleet = parse_fleet(files)
    assert len(fleet.settings.rules) == 5
    assert set(fleet.settings.records) == {"router", "nas", "wiki", "media", "*.dev", "@", "_ldap._tcp"}
    assert all(layer.ingress for layer in fleet.layers.values())
    arda = fleet.talos("arda")
    assert arda is not None
    assert set(arda.config) == {Role.CONTROLPLANE, Role.WORKER}


def test_the_patches_that_the_starter_fleet_has_commented_out_are_good_too() -> None:
    text = (
        (STARTER / "layers/arda.yaml")
        .read_text()
        .replace("\n#patches", "\npatches")
        .replace("\n#role", "\nrole")
    )
    patches = {f"patches/{name}.yaml": "machine: {}\n" for name in ("arda", "worker")}
    arda = parse_fleet({"fleet.yaml": "", "layers/arda.yaml": text, **patches}).talos("arda")
    assert arda is not None
    assert (arda.patches, dict(arda.role_patches)) == (
        ("patches/arda.yaml",),
        {Role.WORKER: ("patches/worker.yaml",)},
    )


def test_an_empty_file_is_the_smallest_fleet() -> None:
    fleet = parse_fleet({"fleet.yaml": ""})
    assert (fleet.settings.domain, fleet.layers, fleet.names) == ("lab.home.arpa", {}, frozenset())
    assert (fleet.settings.enrolment.mode, fleet.settings.rules) == (EnrolmentMode.WINDOW, ())
    assert fleet.settings.max_attempts == 5


def test_a_key_whose_lines_are_commented_out_is_as_if_it_were_not_there() -> None:
    text = "rules:\n#  - intent: hold\nenrolment:\n#  mode: hold\ndomain:\n"
    assert parse_fleet({"fleet.yaml": text}) == parse_fleet({"fleet.yaml": ""})


@pytest.mark.parametrize(
    "spelling",
    [
        "52:54:00:12:34:56",
        "52-54-00-12-34-56",
        "5254.0012.3456",
        "525400123456",
        '"525400123456"',
        "52:54:00:12:34:56 # unquoted, with a comment",
    ],
)
def test_macs_in_every_spelling(spelling: str) -> None:
    text = f"match:\n  macs:\n    - {spelling}\nchain: hold\n"
    assert names(parse_fleet({"fleet.yaml": "", "machines/a.yaml": text}), "52:54:00:12:34:56") == ["a"]


def test_a_mac_of_digits_keeps_its_leading_zeros() -> None:
    text = "match: {macs: [000102030405, 02-AB-CD-EF-00-01]}\nchain: hold\n"
    (machine,) = parse_fleet({"fleet.yaml": "", "machines/a.yaml": text}).listed
    assert machine.file.match.macs == ("00:01:02:03:04:05", "02:ab:cd:ef:00:01")


def test_a_machine_is_found_by_its_macs_then_by_its_hardware() -> None:
    by_hardware = f"match: {{serial: JX31, uuid: {UUID_TEXT}}}\nchain: hold\n"
    fleet = fleet_of(
        ("one", "52:54:00:00:00:01", "chain: hold\n"),
        ("two", "52:54:00:00:00:02", "chain: hold\n"),
        **{"machines/three.yaml": by_hardware},
    )
    uuid = UUID(UUID_TEXT)
    assert names(fleet, "52:54:00:00:00:02", "52:54:00:00:00:01") == ["two", "one"]
    assert names(fleet, "52:54:00:00:00:02", serial="JX31", uuid=uuid) == ["two"], "it may be a clone"
    assert names(fleet, "52:54:00:00:00:09", serial="JX31", uuid=swapped(uuid)) == ["three"]
    assert names(fleet, serial="JX31") == []
    assert names(fleet, serial="JX32", uuid=uuid) == []
    assert names(fleet, serial="", uuid=uuid) == []


def test_macs_and_hardware_may_be_listed_together() -> None:
    text = f"match: {{macs: [52:54:00:00:00:01], serial: JX31, uuid: {UUID_TEXT}}}\nchain: hold\n"
    fleet = fleet_of(**{"machines/a.yaml": text})
    assert names(fleet, "52:54:00:00:00:01", serial="JX31", uuid=UUID(UUID_TEXT)) == ["a"]


@pytest.mark.parametrize(
    ("lines", "role"),
    [("", None), ("role: auto\n", None), ("role: worker\n", Role.WORKER), ("role:\n", None)],
)
def test_a_machine_without_a_chain_boots_by_its_layer(lines: str, role: Role | None) -> None:
    fleet = fleet_of(("a", "52:54:00:00:00:01", lines), arda=CONFIGURED)
    assert (fleet.listed[0].file.chain, fleet.listed[0].file.role) == (None, role)


def test_a_configuration_of_its_own_needs_no_chain() -> None:
    fleet = fleet_of(("a", "52:54:00:00:00:01", "config: configs/one.yaml\n"))
    assert fleet.listed[0].file.config == "configs/one.yaml"


def test_a_machine_that_is_not_booted_needs_no_layer() -> None:
    files = {"fleet.yaml": "", "machines/a.yaml": "match: {macs: [52:54:00:00:00:01]}\nintent: ignore\n"}
    assert parse_fleet(files).listed[0].file.intent is Intent.IGNORE


@pytest.mark.parametrize("spelling", ["404", '"404"', "'404'"])
def test_local_404_as_number_and_as_text(spelling: str) -> None:
    (machine,) = parse_fleet({"fleet.yaml": "", "machines/a.yaml": f"{LOCAL}local: {spelling}\n"}).listed
    assert machine.file.local is LocalMethod.NOT_FOUND


def test_yaml_is_1_2_where_off_is_text() -> None:
    for text, name in (("", "off"), ("%YAML 1.2\n---\n", "no")):
        (rule,) = parse_fleet(
            {"fleet.yaml": f"{text}rules: [{{name: {name}, intent: hold}}]\n"}
        ).settings.rules
        assert rule.name == name


def test_an_anchor_may_be_used_again() -> None:
    text = "match: {macs: [52:54:00:00:00:02]}\nlocal: &method exit\nchain: &method local\n"
    assert parse_fleet({"fleet.yaml": "", "machines/a.yaml": text}).names == {"a"}
