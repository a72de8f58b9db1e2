"""The fleet's files: what a good fleet means, and file, line and reason for every fault, all at once."""

from collections.abc import Mapping
from pathlib import Path

import pytest
from support.fleets import ARDA

from iluvatar_pxe.errors import FleetError
from iluvatar_pxe.fleet.models import LocalMethod
from iluvatar_pxe.fleet.parse import parse_fleet
from iluvatar_pxe.wire.pxe import CpuArch

STARTER = Path(__file__).parents[2] / "boot_assets" / "fleet"
TALOS = 'match: {macs: ["52:54:00:00:00:01"]}\nlayer: arda\nchain: talos\nconfig: configs/one.yaml\n'
LOCAL = "match: {macs: [52:54:00:00:00:02]}\nchain: local\n"
DEEP = "".join(f"{' ' * depth}a:\n" for depth in range(1500))
GOOD = {
    "fleet.yaml": "domain: home.example\nunlisted:\n  x86_64: local\n  arm64: {chain: ipxe, script: configs/x.ipxe}\n",
    "layers/arda.yaml": ARDA,
    "machines/one.yaml": TALOS,
    "machines/two.yaml": LOCAL,
    "configs/one.yaml": "machine: {}\n",
    "configs/x.ipxe": "#!ipxe\nexit\n",
    "README.md": "# Ours\n",
}


def findings(changes: Mapping[str, str | None]) -> list[str]:
    """Return what is wrong with the good fleet after ``changes`` (None: the file is not there)."""
    files = {path: text for path, text in {**GOOD, **changes}.items() if text is not None}
    with pytest.raises(FleetError) as caught:
        parse_fleet(files)
    assert all(line.isprintable() for line in caught.value.findings), "each fault is one line"
    assert str(caught.value) == "\n".join(caught.value.findings)
    return caught.value.findings


def test_a_good_fleet() -> None:
    fleet = parse_fleet(GOOD)
    assert fleet.settings.domain == "home.example"
    assert fleet.names == {"one", "two"}
    assert fleet.arda is not None
    assert fleet.arda.talos.version == "v1.13.9"
    one = fleet.machine(("52:54:00:00:00:01",))
    assert one is not None
    assert (one.name, one.file.chain, one.file.config) == ("one", "talos", "configs/one.yaml")
    assert fleet.unlisted(CpuArch.X86_64).chain == "local"
    assert fleet.unlisted(CpuArch.ARM64).script == "configs/x.ipxe"
    assert fleet.unlisted(CpuArch.I386).chain == "hold"
    assert set(fleet.texts) == {"configs/one.yaml", "configs/x.ipxe", "README.md"}


def test_the_starter_fleet_is_good_and_holds() -> None:
    fleet = parse_fleet(
        {path.relative_to(STARTER).as_posix(): path.read_text() for path in STARTER.rglob("[!.]*.*")}
    )
    assert fleet.names == frozenset()
    assert fleet.unlisted(CpuArch.X86_64).chain == fleet.unlisted(CpuArch.ARM64).chain == "hold"


def test_an_empty_file_is_the_smallest_fleet() -> None:
    fleet = parse_fleet({"fleet.yaml": ""})
    assert (fleet.settings.domain, fleet.arda, fleet.names) == ("lab.home.arpa", None, frozenset())


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
    fleet = parse_fleet(
        {"fleet.yaml": "", "machines/a.yaml": f"match:\n  macs:\n    - {spelling}\nchain: hold\n"}
    )
    assert list(fleet.by_mac) == ["52:54:00:12:34:56"]


def test_a_mac_of_digits_keeps_its_leading_zeros() -> None:
    text = "match: {macs: [000102030405, 02-AB-CD-EF-00-01]}\nchain: hold\n"
    fleet = parse_fleet({"fleet.yaml": "", "machines/a.yaml": text})
    assert list(fleet.by_mac) == ["00:01:02:03:04:05", "02:ab:cd:ef:00:01"]


@pytest.mark.parametrize("spelling", ["404", '"404"', "'404'"])
def test_local_404_as_number_and_as_text(spelling: str) -> None:
    fleet = parse_fleet({"fleet.yaml": "", "machines/a.yaml": f"{LOCAL}local: {spelling}\n"})
    assert fleet.by_mac["52:54:00:00:00:02"].file.local is LocalMethod.NOT_FOUND


def test_yaml_is_1_2_where_off_is_text() -> None:
    assert parse_fleet({"fleet.yaml": "domain: off\n"}).settings.domain == "off"
    assert parse_fleet({"fleet.yaml": "%YAML 1.2\n---\ndomain: no\n"}).settings.domain == "no"


def test_an_anchor_may_be_used_again() -> None:
    text = "match: {macs: [52:54:00:00:00:02]}\nlocal: &method exit\nchain: &method local\n"
    assert parse_fleet({"fleet.yaml": "", "machines/a.yaml": text}).names == {"a"}


@pytest.mark.parametrize(
    ("path", "text", "expected"),
    [
        ("fleet.yaml", None, "fleet.yaml:1: is missing; create it, an empty file will do"),
        ("fleet.yaml", "- a\n- b\n", "fleet.yaml:1: holds no keys; write 'key: value' lines"),
        ("fleet.yaml", "just words\n", "fleet.yaml:1: holds no keys; write 'key: value' lines"),
        ("fleet.yaml", "a: 1\nb: [1\nc: 2\n", "fleet.yaml:3: not valid YAML: "),
        (
            "fleet.yaml",
            "domain: a\n\ndomain: b\n",
            'fleet.yaml:3: not valid YAML: found duplicate key "domain"',
        ),
        ("fleet.yaml", "domain: a\n\tb: 1\n", "fleet.yaml:2: not valid YAML: "),
        ("fleet.yaml", "domain: a\n# \x00\n", "fleet.yaml:2: not valid YAML: special characters"),
        ("fleet.yaml", "[" * 5000, "fleet.yaml:1: more than 100 brackets are open here; flatten it"),
        (
            "fleet.yaml",
            "#\n%YAML 1.1\n---\ndomain: a\n",
            "fleet.yaml:2: is not YAML 1.2, in which 'off' is text",
        ),
        ("fleet.yaml", DEEP, "fleet.yaml:1: not valid YAML: nested too deeply; correct it"),
        ("fleet.yaml", "domain: !!int x\n", "fleet.yaml:1: not valid YAML: "),
        (
            "fleet.yaml",
            "domain: a\ncolour: red\n",
            "fleet.yaml:2: colour: no such key; remove it or correct its name",
        ),
        ("fleet.yaml", 'domain: a\n"a\\nb": 1\n', "fleet.yaml:2: a\\nb: no such key; "),
        (
            "fleet.yaml",
            "domain: Home.example\n",
            "fleet.yaml:1: domain: write a domain in lower case such as ",
        ),
        ("fleet.yaml", "domain: 1\n", "fleet.yaml:1: domain: input should be a valid string"),
        (
            "fleet.yaml",
            "unlisted:\n  vax: hold\n",
            "fleet.yaml:2: unlisted.vax.[key]: input should be 'i386', ",
        ),
        ("fleet.yaml", "unlisted:\n  arm64: 3\n", "fleet.yaml:2: unlisted.arm64: holds no keys; "),
        (
            "fleet.yaml",
            "unlisted:\n  arm64: boot\n",
            "fleet.yaml:2: unlisted.arm64.chain: input should be 'talos', ",
        ),
        (
            "fleet.yaml",
            "x: &x {a: 1}\nunlisted: {arm64: {<<: *x, chain: hold}}\n",
            "fleet.yaml:1: x: no such key",
        ),
        (
            "fleet.yaml",
            "unlisted:\n  arm64: hold\n  x86_64:\n    chain: talos\n    config: configs/none.yaml\n",
            "fleet.yaml:5: configs/none.yaml is no text file of the fleet; ",
        ),
        ("layers/arda.yaml", "", "layers/arda.yaml:1: talos: is missing; add it"),
        (
            "layers/arda.yaml",
            "talos:\n  schematic: x\n  version: 1.13\n",
            "layers/arda.yaml:3: talos.version: input should be a valid string",
        ),
        (
            "layers/arda.yaml",
            f"talos: {{schematic: x, version: v{'9' * 5000}.1.1}}\n",
            "layers/arda.yaml:1: talos.version: write a version such as v1.13.9",
        ),
        (
            "layers/arda.yaml",
            "talos:\n  version: v1.13.9\n  schematic: ../x\n",
            "layers/arda.yaml:3: talos.schematic: write the id of a schematic",
        ),
        (
            "layers/arda.yaml",
            "talos:\n  version: v1.13.9\n  schematic: x\n  extra_kernel_args:\n  - a=1\n  - ';'\n",
            "layers/arda.yaml:6: talos.extra_kernel_args.1: a kernel argument is printable ASCII without ",
        ),
        ("layers/ainur.yaml", "", "layers/ainur.yaml:1: is not read; machines are machines/NAME.yaml, "),
        ("machines/two.yml", LOCAL, "machines/two.yml:1: is not read; "),
        ("machines/a/two.yaml", LOCAL, "machines/a/two.yaml:1: is not read; "),
        ("machines/two.yaml", "", "machines/two.yaml:1: chain: is missing; add it"),
        ("machines/two.yaml", "- a\n", "machines/two.yaml:1: holds no keys; "),
        ("machines/two.yaml", f"{LOCAL}colour: red\n", "machines/two.yaml:3: colour: no such key; "),
        (
            "machines/two.yaml",
            "chain: hold\nmatch:\n  macs:\n    - 52:54:00:00:00:02\n    - 52:54:00:00:00\n",
            "machines/two.yaml:5: match.macs.1: '52:54:00:00:00' is not a MAC address such as ",
        ),
        (
            "machines/two.yaml",
            "chain: hold\nmatch: {macs: [5254001e3456]}\n",
            "machines/two.yaml:2: match.macs.0: input looks like a number: put the MAC address in quotes",
        ),
        (
            "machines/two.yaml",
            "chain: hold\nmatch: {macs: [01:00:5e:00:00:01]}\n",
            "machines/two.yaml:2: match.macs.0: '01:00:5e:00:00:01' is a group or null address, ",
        ),
        ("machines/two.yaml", "chain: hold\nmatch: {macs: []}\n", "machines/two.yaml:2: match.macs: "),
        (
            "machines/two.yaml",
            "chain: hold\nmatch:\n  macs:\n    - 52:54:00:00:00:02\n    - 52-54-00-00-00-01\n",
            "machines/two.yaml:5: 52:54:00:00:00:01 is listed in machines/one.yaml already; ",
        ),
        ("machines/two.yaml", f"{LOCAL}local: 405\n", "machines/two.yaml:3: local: input should be 'exit', "),
        (
            "machines/two.yaml",
            LOCAL.replace("local", "talos"),
            "machines/two.yaml:1: chain talos needs the key 'config', a file of the fleet",
        ),
        (
            "machines/two.yaml",
            LOCAL.replace("local", "ipxe"),
            "machines/two.yaml:1: chain ipxe needs the key 'script', a file of the fleet",
        ),
        (
            "machines/two.yaml",
            f"{LOCAL}config: configs/one.yaml\n",
            "machines/two.yaml:1: the key 'config' belongs to chain talos, not to local",
        ),
        (
            "machines/two.yaml",
            f"{LOCAL.replace('local', 'ipxe')}script: configs/one.yaml\n",
            "configs/one.yaml:1: is no iPXE script; its first line must be #!ipxe",
        ),
        (
            "machines/one.yaml",
            TALOS.replace("configs/one", "machines/two"),
            "machines/one.yaml:4: machines/two.yaml is read as part of the fleet; name another file",
        ),
        (
            "machines/one.yaml",
            TALOS.replace("configs/one.yaml", "../../etc/shadow"),
            "machines/one.yaml:4: config: write a path inside the fleet such as ",
        ),
        (
            "machines/one.yaml",
            f"{TALOS}program: evil.efi\n",
            "machines/one.yaml:5: program: input should be ",
        ),
        ("layers/arda.yaml", None, "machines/one.yaml:3: chain talos needs layers/arda.yaml; create it"),
        (
            "configs/one.yaml",
            None,
            "machines/one.yaml:4: configs/one.yaml is no text file of the fleet; create it or ",
        ),
        (
            "configs/x.ipxe",
            "#!ipxeexit\n",
            "configs/x.ipxe:1: is no iPXE script; its first line must be #!ipxe",
        ),
        ("machines/Two.yaml", LOCAL, "machines/Two.yaml:1: its name is no host name; use a-z, 0-9 and '-'"),
        ("machines/a\nb.yaml", LOCAL, "machines/a\\nb.yaml:1: its name is no host name; "),
    ],
)
def test_a_fault_has_file_line_and_remedy(path: str, text: str | None, expected: str) -> None:
    lines = findings({path: text})
    assert any(line.startswith(expected) for line in lines), lines


def test_all_faults_are_listed_at_once() -> None:
    lines = findings(
        {
            "fleet.yaml": "domain: 1\ncolour: red\n",
            "machines/two.yaml": "chain: local\nlocal: never\nmatch: {}\n",
            "machines/three.yaml": "a: [\n",
            "layers/other.yaml": "",
        }
    )
    assert [line.split(" ")[0] for line in lines] == [
        "fleet.yaml:1:",
        "fleet.yaml:2:",
        "machines/three.yaml:2:",
        "machines/two.yaml:2:",
        "machines/two.yaml:3:",
        "layers/other.yaml:1:",
    ]
