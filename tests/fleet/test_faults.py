"""File, line and reason for every fault of a fleet, all at once."""

from collections.abc import Mapping

import pytest
from support.fleets import ARDA

from iluvatar_pxe.errors import FleetError
from iluvatar_pxe.fleet.parse import parse_fleet

TALOS = 'match: {macs: ["52:54:00:00:00:01"]}\nlayer: arda\nchain: talos\nconfig: configs/one.yaml\n'
LOCAL = "match: {macs: [52:54:00:00:00:02]}\nchain: local\n"
BOTH = "match: {serial: JX31, uuid: 4c4c4544-0031-3010-8056-b7c04f4a3232}\nchain: hold\n"
SWAPPED = BOTH.replace("4c4c4544-0031-3010", "44454c4c-3100-1030")
DEEP = "".join(f"{' ' * depth}a:\n" for depth in range(1500))
RULE = "rules:\n  - layer: arda\n    chain: ipxe\n    script: configs/x.ipxe\n"
GOOD = {
    "fleet.yaml": f"domain: home.example\n{RULE}",
    "layers/arda.yaml": ARDA,
    "machines/one.yaml": TALOS,
    "machines/two.yaml": LOCAL,
    "configs/one.yaml": "machine: {}\n",
    "configs/x.ipxe": "#!ipxe\nexit\n",
}


def findings(changes: Mapping[str, str | None]) -> list[str]:
    """Return what is wrong with the good fleet after ``changes`` (None: the file is not there)."""
    files = {path: text for path, text in {**GOOD, **changes}.items() if text is not None}
    with pytest.raises(FleetError) as caught:
        parse_fleet(files)
    assert all(line.isprintable() for line in caught.value.findings), "each fault is one line"
    assert str(caught.value) == "\n".join(caught.value.findings)
    return caught.value.findings


def test_the_fleet_that_the_faults_are_put_into_is_good() -> None:
    assert parse_fleet(GOOD).names == {"one", "two"}


@pytest.mark.parametrize(
    ("path", "text", "expected"),
    [
        ("fleet.yaml", None, "fleet.yaml:1: is missing; create it, an empty file will do"),
        ("fleet.yaml", "- a\n- b\n", "fleet.yaml:1: has no keys; write 'key: value' lines"),
        ("fleet.yaml", "just words\n", "fleet.yaml:1: has no keys; write 'key: value' lines"),
        ("fleet.yaml", "a: 1\nb: [1\nc: 2\n", "fleet.yaml:3: not valid YAML: "),
        (
            "fleet.yaml",
            "domain: a\n\ndomain: b\n",
            'fleet.yaml:3: not valid YAML: found duplicate key "domain"',
        ),
        ("fleet.yaml", "domain: a\n\tb: 1\n", "fleet.yaml:2: not valid YAML: "),
        (
            "fleet.yaml",
            "domain: a\n# \x00\n",
            "fleet.yaml:2: not valid YAML: control characters are not allowed",
        ),
        ("fleet.yaml", "[" * 500, "fleet.yaml:1: nested more than 100 levels deep; flatten it"),
        (
            "fleet.yaml",
            "#\n%YAML 1.1\n---\ndomain: a\n",
            "fleet.yaml:2: only YAML 1.2 is supported; ",
        ),
        ("fleet.yaml", DEEP, "fleet.yaml:101: nested more than 100 levels deep; flatten it"),
        ("fleet.yaml", "domain: !!int x\n", "fleet.yaml:1: not valid YAML: "),
        (
            "fleet.yaml",
            "domain: a\ncolour: red\n",
            "fleet.yaml:2: colour: no such key; remove it or correct its name",
        ),
        ("fleet.yaml", 'domain: a\n"a\\nb": 1\n', "fleet.yaml:2: a\\nb: no such key; "),
        (
            "fleet.yaml",
            "domain: Origin.example\n",
            "fleet.yaml:1: domain: write a domain in lower case such as ",
        ),
        ("fleet.yaml", "domain: 1\n", "fleet.yaml:1: domain: input should be a valid string"),
        (
            "fleet.yaml",
            "x: &x {a: 1}\nenrolment: {<<: *x, mode: hold}\n",
            "fleet.yaml:1: x: no such key",
        ),
        (
            "fleet.yaml",
            "enrolment:\n  mode: open\n",
            "fleet.yaml:2: enrolment.mode: input should be 'window', 'join', 'hold' or 'ignore'",
        ),
        ("fleet.yaml", "enrolment: window\n", "fleet.yaml:1: enrolment: has no keys; write 'key: value' "),
        (
            "fleet.yaml",
            "enrolment:\n  mode: window\n  countdown: 0\n",
            "fleet.yaml:3: enrolment.countdown: input should be greater than or equal to 1",
        ),
        ("fleet.yaml", "enrolment: {countdown: 301}\n", "fleet.yaml:1: enrolment.countdown: "),
        ("fleet.yaml", "enrolment: {wait: 0}\n", "fleet.yaml:1: enrolment.wait: "),
        ("fleet.yaml", "enrolment: {wait: 3601}\n", "fleet.yaml:1: enrolment.wait: "),
        ("fleet.yaml", "menu: {timeout: 0}\n", "fleet.yaml:1: menu.timeout: "),
        (
            "fleet.yaml",
            "menu:\n  entries:\n    - {name: Memory}\n",
            "fleet.yaml:3: menu.entries.1.script: is missing",
        ),
        (
            "fleet.yaml",
            "menu:\n  entries:\n    - {name: Memory, script: memory.ipxe}\n",
            "fleet.yaml:3: memory.ipxe is not a text file in the fleet; create it or correct the path",
        ),
        (
            "fleet.yaml",
            "rules:\n  - {layer: arda, chain: menu}\n",
            "fleet.yaml:2: chain: menu needs an entry; add name and script to 'menu.entries' of fleet.yaml",
        ),
        ("fleet.yaml", "maxAttempts: 0\n", "fleet.yaml:1: maxAttempts: input should be greater than "),
        ("fleet.yaml", "max_attempts: 3\n", "fleet.yaml:1: max_attempts: no such key; "),
        (
            "fleet.yaml",
            "rules:\n  - match: {arch: x86_64}\n",
            "fleet.yaml:2: rules.1: a rule needs either 'layer' or 'intent', not both",
        ),
        (
            "fleet.yaml",
            "rules:\n  - layer: arda\n    intent: hold\n",
            "fleet.yaml:2: rules.1: a rule needs either ",
        ),
        (
            "fleet.yaml",
            "rules:\n  - intent: boot\n",
            "fleet.yaml:2: rules.1: a rule's intent is local, hold or ignore; ",
        ),
        (
            "fleet.yaml",
            "rules:\n  - intent: reinstall\n",
            "fleet.yaml:2: rules.1.intent: reinstall is done once, not declared; ",
        ),
        (
            "fleet.yaml",
            "rules:\n  - intent: hold\n    role: worker\n",
            "fleet.yaml:2: rules.1: chain, config, script and role need the key 'layer' in the rule",
        ),
        (
            "fleet.yaml",
            "rules:\n  - match:\n      arch: x86\n    layer: arda\n",
            "fleet.yaml:3: rules.1.match.arch: 'x86' matches no architecture; use one of i386, x86_64, ",
        ),
        (
            "fleet.yaml",
            "rules:\n  - match:\n      firmware:\n        - uefi-*\n        - bios\n    layer: arda\n",
            "fleet.yaml:5: rules.1.match.firmware.2: 'bios' matches no firmware; use one of bios-pxe, uefi-pxe, ",
        ),
        (
            "fleet.yaml",
            "rules:\n  - match: {mac: Dell}\n    layer: arda\n",
            "fleet.yaml:2: rules.1.match.mac: 'Dell' is not a MAC prefix such as ",
        ),
        (
            "fleet.yaml",
            "rules:\n  - match: {serial: 0042}\n    layer: arda\n",
            "fleet.yaml:2: rules.1.match.serial: input should be a valid string; put it in quotes",
        ),
        (
            "fleet.yaml",
            "rules:\n  - match: {subnet: 192.168.1.7/24}\n    layer: arda\n",
            "fleet.yaml:2: rules.1.match.subnet: write a network such as 192.168.1.0/24",
        ),
        (
            "fleet.yaml",
            "rules:\n  - match: {vendor: x}\n",
            "fleet.yaml:2: rules.1.match.vendor: no such key; ",
        ),
        ("fleet.yaml", "rules:\n  - match: {product: []}\n", "fleet.yaml:2: rules.1.match.product: "),
        (
            "fleet.yaml",
            "rules:\n  - intent: hold\n    match:\n      arch: x86_64\n      mac:\n",
            "fleet.yaml:3: rules.1.match: mac has no value; write one, or remove mac",
        ),
        (
            "fleet.yaml",
            "rules:\n  - intent: hold\n    match:\n",
            "fleet.yaml:3: rules.1.match: selects nothing; write keys below it, or remove it",
        ),
        ("fleet.yaml", "rules:\n  - name: Küche\n", "fleet.yaml:2: rules.1.name: write up to 60 "),
        ("fleet.yaml", "rules: {layer: arda}\n", "fleet.yaml:1: rules: "),
        (
            "fleet.yaml",
            f"{RULE}  - intent: hold\n    match: {{arch: arm64}}\n",
            "fleet.yaml:5: rule 2 is never reached, because rule 1 matches every machine; move it up",
        ),
        (
            "fleet.yaml",
            "rules:\n  - layer: arda\n  - name: x\n    layer: arda\n    role: agent\n",
            "fleet.yaml:5: rules.2.role: arda has no role agent; it has controlplane and worker",
        ),
        (
            "fleet.yaml",
            "rules:\n  - match: {arch: arm64}\n    layer: ainur\n",
            "fleet.yaml:3: layer ainur needs layers/ainur.yaml; create it; the fleet has arda",
        ),
        (
            "fleet.yaml",
            "rules:\n  - layer: arda\n    config: configs/none.yaml\n",
            "fleet.yaml:3: configs/none.yaml is not a text file in the fleet; ",
        ),
        (
            "layers/arda.yaml",
            f"{ARDA}controlPlanes: 2\n",
            "layers/arda.yaml:3: controlPlanes: must be 1, 3 or 5 (got 2); write one of these",
        ),
        ("layers/arda.yaml", f"{ARDA}controlPlanes: 0\n", "layers/arda.yaml:3: controlPlanes: "),
        (
            "layers/arda.yaml",
            f"{ARDA}controlPlanes: 101\n",
            "layers/arda.yaml:3: controlPlanes: must be 1, 3 or 5",
        ),
        (
            "layers/ainur.yaml",
            "kind: k3s\nservers: 101\n",
            "layers/ainur.yaml:2: servers: must be 1, 3 or 5",
        ),
        (
            "layers/arda.yaml",
            f"{ARDA}names: arda\n",
            "layers/arda.yaml:3: names: write a host name with one run of # for its number, such as arda-##",
        ),
        (
            "layers/arda.yaml",
            f"{ARDA}reuseNames:\n  - arda-01\n  - Arda-02\n",
            "layers/arda.yaml:5: reuseNames.2: is not a host name; use a-z, 0-9 and '-'",
        ),
        (
            "layers/arda.yaml",
            f"{ARDA}config:\n  server: configs/one.yaml\n",
            "layers/arda.yaml:4: config.server: a layer of kind talos has no role server; it has controlplane and worker",
        ),
        (
            "layers/arda.yaml",
            f"{ARDA}config:\n  worker: configs/none.yaml\n",
            "layers/arda.yaml:4: configs/none.yaml is not a text file in the fleet; ",
        ),
        (
            "layers/ainur.yaml",
            "kind: k3s\nservers: 3\nnames: arda-#\n",
            "layers/ainur.yaml:3: names: arda-# can also give names of layers/arda.yaml; ",
        ),
        (
            "layers/ainur.yaml",
            "kind: k3s\nservers: 4\n",
            "layers/ainur.yaml:2: servers: must be 1, 3 or 5 (got 4); write one of these",
        ),
        ("layers/ainur.yaml", "kind: k3s\ntalos: {}\n", "layers/ainur.yaml:2: talos: no such key; "),
        ("layers/arda.yaml", "kind: talos\n", "layers/arda.yaml:1: talos: is missing; add it"),
        (
            "layers/arda.yaml",
            "kind: talos\ntalos:\n  schematic: x\n  version: 1.13\n",
            "layers/arda.yaml:4: talos.version: input should be a valid string",
        ),
        (
            "layers/arda.yaml",
            f"kind: talos\ntalos: {{schematic: x, version: v{'9' * 5000}.1.1}}\n",
            "layers/arda.yaml:2: talos.version: write a version such as v1.13.9",
        ),
        (
            "layers/arda.yaml",
            "kind: talos\ntalos:\n  version: v1.13.9\n  schematic: ../x\n",
            "layers/arda.yaml:4: talos.schematic: write the id of a schematic",
        ),
        (
            "layers/arda.yaml",
            "kind: talos\ntalos:\n  version: v1.13.9\n  schematic: x\n  extraKernelArgs:\n  - a=1\n  - ';'\n",
            "layers/arda.yaml:7: talos.extraKernelArgs.2: a kernel argument is printable ASCII without ",
        ),
        (
            "layers/other.yaml",
            "",
            "layers/other.yaml:1: kind: is missing; write 'kind: talos' or 'kind: k3s'",
        ),
        (
            "layers/other.yaml",
            "names: x#\nkind: k8s\n",
            "layers/other.yaml:2: kind: is not a layer kind; write 'kind: talos' or 'kind: k3s'",
        ),
        (
            "layers/a/b.yaml",
            "",
            "layers/a/b.yaml:1: is not a fleet file; machines are machines/NAME.yaml, layers ",
        ),
        ("machines/two.yml", LOCAL, "machines/two.yml:1: is not a fleet file; "),
        ("machines/a/two.yaml", LOCAL, "machines/a/two.yaml:1: is not a fleet file; "),
        ("machines/two.yaml", "", "machines/two.yaml:1: match: is missing; add it"),
        ("machines/two.yaml", "- a\n", "machines/two.yaml:1: has no keys; "),
        (
            "machines/two.yaml",
            "chain: hold\nmatch: {serial: JX31}\n",
            "machines/two.yaml:2: match: serial and uuid identify a machine only together; ",
        ),
        (
            "machines/two.yaml",
            "chain: hold\nmatch: {}\n",
            "machines/two.yaml:2: match: identifies no machine; add macs, or serial and uuid",
        ),
        (
            "machines/two.yaml",
            f"{BOTH.replace('JX31', 'Default string')}",
            "machines/two.yaml:1: match.serial: 'Default string' is shared by many machines; match by macs",
        ),
        (
            "machines/two.yaml",
            "chain: hold\nmatch:\n  serial: JX31\n  uuid: 03000200-0400-0500-0006-000700080009\n",
            "machines/two.yaml:4: match.uuid: 03000200-0400-0500-0006-000700080009 is shared by many machines; ",
        ),
        (
            "machines/two.yaml",
            "chain: hold\nmatch:\n  serial: JX31\n  uuid: JX31\n",
            "machines/two.yaml:4: match.uuid: input should be a valid UUID",
        ),
        (
            "machines/two.yaml",
            f"{LOCAL}role: boss\n",
            "machines/two.yaml:3: role: input should be 'controlplane', ",
        ),
        (
            "machines/two.yaml",
            f"{LOCAL}role: agent\n",
            "machines/two.yaml:3: role: arda has no role agent; it has controlplane and worker",
        ),
        (
            "machines/two.yaml",
            f"{LOCAL}layer: ainur\n",
            "machines/two.yaml:3: layer ainur needs layers/ainur.yaml; create it",
        ),
        (
            "machines/two.yaml",
            f"{LOCAL}layer: Numenor\n",
            "machines/two.yaml:3: layer: is not a layer name; ",
        ),
        (
            "machines/two.yaml",
            f"{LOCAL}layer: ardo\n",
            "machines/two.yaml:3: layer ardo needs layers/ardo.yaml; create it, or did you mean arda? The fleet has arda",
        ),
        (
            "machines/two.yaml",
            f"{LOCAL}intent: reinstall\n",
            "machines/two.yaml:3: intent: reinstall is done once, not declared; run iluvatar-pxe ",
        ),
        (
            "machines/two.yaml",
            "match: {macs: [52:54:00:00:00:02]}\nscript: configs/x.ipxe\n",
            "machines/two.yaml:1: the key 'script' is only for chain ipxe, not for the chain of its layer",
        ),
        (
            "machines/one.yaml",
            TALOS.replace("arda", "ainur"),
            "machines/one.yaml:3: chain talos needs layers/ainur.yaml; create it; the fleet has arda",
        ),
        ("machines/two.yaml", f"{LOCAL}colour: red\n", "machines/two.yaml:3: colour: no such key; "),
        (
            "machines/two.yaml",
            "chain: hold\nmatch:\n  macs:\n    - 52:54:00:00:00:02\n    - 52:54:00:00:00\n",
            "machines/two.yaml:5: match.macs.2: '52:54:00:00:00' is not a MAC address such as ",
        ),
        (
            "machines/two.yaml",
            "chain: hold\nmatch: {macs: [5254001e3456]}\n",
            "machines/two.yaml:2: match.macs.1: input looks like a number: put the MAC address in quotes",
        ),
        (
            "machines/two.yaml",
            "chain: hold\nmatch: {macs: [01:00:5e:00:00:01]}\n",
            "machines/two.yaml:2: match.macs.1: '01:00:5e:00:00:01' is a group or null address, ",
        ),
        (
            "machines/two.yaml",
            "chain: hold\nmatch: {macs: []}\n",
            "machines/two.yaml:2: match: identifies no machine; ",
        ),
        (
            "machines/two.yaml",
            "chain: hold\nmatch:\n  macs:\n    - 52:54:00:00:00:02\n    - 52-54-00-00-00-01\n",
            "machines/two.yaml:5: 52:54:00:00:00:01 is already listed in machines/one.yaml; ",
        ),
        (
            "machines/two.yaml",
            "chain: hold\nmatch: {macs: [52:54:00:00:00:02, 52:54:00:00:00:02]}\n",
            "machines/two.yaml:2: 52:54:00:00:00:02 is already listed in machines/two.yaml; ",
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
            "machines/two.yaml:1: the key 'config' is only for chain talos, not for local",
        ),
        (
            "machines/two.yaml",
            f"{LOCAL.replace('local', 'ipxe')}script: configs/one.yaml\n",
            "configs/one.yaml:1: is not an iPXE script; its first line must be #!ipxe",
        ),
        (
            "machines/one.yaml",
            TALOS.replace("configs/one", "machines/two"),
            "machines/one.yaml:4: machines/two.yaml is itself a fleet file; name another file",
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
            "machines/one.yaml:4: configs/one.yaml is not a text file in the fleet; create it or ",
        ),
        (
            "configs/x.ipxe",
            "#!ipxeexit\n",
            "configs/x.ipxe:1: is not an iPXE script; its first line must be #!ipxe",
        ),
        (
            "machines/Two.yaml",
            LOCAL,
            "machines/Two.yaml:1: its name is not a host name; use a-z, 0-9 and '-'",
        ),
        ("machines/a\nb.yaml", LOCAL, "machines/a\\nb.yaml:1: its name is not a host name; "),
    ],
)
def test_a_fault_has_file_line_and_remedy(path: str, text: str | None, expected: str) -> None:
    lines = findings({path: text})
    assert any(line.startswith(expected) for line in lines), lines


def test_a_rule_may_lack_a_configuration_for_its_machines_wait_and_say_so() -> None:
    assert parse_fleet({**GOOD, "fleet.yaml": "rules: [{layer: arda, role: worker}]\n"}).settings.rules


def test_one_serial_number_and_uuid_in_two_files() -> None:
    for other in (BOTH, SWAPPED):
        (line,) = findings({"machines/three.yaml": BOTH, "machines/two.yaml": other})
        assert line.startswith("machines/two.yaml:1: serial number JX31 ")
        assert line.endswith(" is already listed in machines/three.yaml; remove it from one of them")


def test_all_faults_are_listed_at_once_by_file_and_line() -> None:
    lines = findings(
        {
            "fleet.yaml": "rules:\n  - {intent: hold, match: {arch: vax}}\n  - 7\ndomain: 1\ncolour: red\n",
            "machines/two.yaml": "chain: local\nlocal: never\nmatch: {}\n",
            "machines/three.yaml": "a: [\n",
            "machines/four.yaml": "match: {macs: [52:54:00:00:00:01]}\nconfig: no.yaml\nlayer: ainur\n",
            "layers/other.yaml": "",
        }
    )
    assert [line.split(" ")[0] for line in lines] == [
        "fleet.yaml:2:",
        "fleet.yaml:3:",
        "fleet.yaml:4:",
        "fleet.yaml:5:",
        "layers/other.yaml:1:",
        "machines/four.yaml:2:",
        "machines/four.yaml:3:",
        "machines/one.yaml:1:",
        "machines/three.yaml:2:",
        "machines/two.yaml:2:",
        "machines/two.yaml:3:",
    ]


@pytest.mark.parametrize(("role", "line"), [("role: worker\n", 2), ("", 1)])
def test_a_layer_with_configurations_of_its_own_has_one_for_every_listed_machine(
    role: str, line: int
) -> None:
    half = f"{ARDA}config: {{controlplane: configs/one.yaml}}\n"
    machine = f"match: {{macs: [52:54:00:00:00:02]}}\n{role}"
    assert findings({"layers/arda.yaml": half, "machines/two.yaml": machine}) == [
        f"machines/two.yaml:{line}: layers/arda.yaml: config has no worker; add it there, or 'config' here"
    ]
