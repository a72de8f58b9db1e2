"""The schemas that editors check by: what the daemon takes is valid, and what is typed wrong is marked."""

import json
import re
import subprocess
import sys
from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator, FormatChecker
from pydantic import BaseModel, TypeAdapter, ValidationError

from iluvatar_pxe.catalogue.lock import Pin
from iluvatar_pxe.catalogue.model import AssetsPart, Entry, File, Sums
from iluvatar_pxe.declared.docstrings import docstrings
from iluvatar_pxe.fleet.daemon_files import Seen
from iluvatar_pxe.fleet.dns import DnsRecords, Srv
from iluvatar_pxe.fleet.fields.values import Mac
from iluvatar_pxe.fleet.k3s import K3s, Oidc
from iluvatar_pxe.fleet.models import (
    Enrolment,
    K3sLayer,
    Layer,
    MachineFile,
    Match,
    Rule,
    Talos,
    TalosLayer,
    Traits,
)
from iluvatar_pxe.fleet.root import Data, MachineRoot, Root
from iluvatar_pxe.fleet.schemas import DESCRIBED, DIALECT, schemas
from iluvatar_pxe.fleet.source import is_declaration
from iluvatar_pxe.fleet.users import User
from iluvatar_pxe.fleet.yaml.document import parse_yaml

ROOT = Path(__file__).parents[2]
STARTER = ROOT / "boot_assets" / "fleet"
GUIDE = (ROOT / "docs" / "fleet.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```yaml\n# (\S+)\n(.*?)^```$", GUIDE, re.MULTILINE | re.DOTALL)
EXAMPLES = [(path, text) for path, text in BLOCKS if is_declaration(path)]
SCHEMAS = {name: json.loads(text) for name, text in schemas().items()}
VALIDATORS = {
    described.files: Draft202012Validator(SCHEMAS[name], format_checker=FormatChecker(["ipv4", "ipv6"]))
    for name, described in DESCRIBED.items()
}
MODELS = {described.files: described.model for described in DESCRIBED.values()}
ADAPTERS: Mapping[str, TypeAdapter[Any]] = {
    files: TypeAdapter(TalosLayer | K3sLayer if model is Layer else model) for files, model in MODELS.items()
}

AGE = "age1" + "q" * 58
FINGERPRINT = ":".join(["AB"] * 32)
UUID = "4c4c4544-0031-3010-8056-cac04f503258"
MATCH = {"macs": ["52:54:00:12:34:56"]}
TALOS = {"version": "v1.13.9", "schematic": "376567988ad3"}
TOOL = "{files: [{name: 'tool/x', urls: ['https://a.org/x'], sums: {urls: ['https://a.org/s'], name: x}}]}"
MAC = "match: {macs: [52:54:00:12:34:56]}\n"
ARDA = "kind: talos\ntalos: {version: v1.13.9, schematic: x}\n"
KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIBo1Xw8eNh7oN5vjQ2Yb8Fq6p0c9u3s7d1k2m4r6t8wZ anna@laptop"
DOMAINS_OF_OTHERS = (
    "lab",
    "local",
    "a.local",
    "x.localhost",
    "a.onion",
    "a.invalid",
    "1.in-addr.arpa",
    "ip6.arpa",
)


def files_of(path: str) -> str:
    """Return the pattern of the files that a path is one of."""
    (found,) = [files for files in VALIDATORS if fnmatchcase(path, files)]
    return found


def marks(path: str, text: str) -> list[str]:
    """Return the keys that an editor marks in a file, a missing one by the key above it."""
    document = json.loads(json.dumps(parse_yaml(text).value))
    faults = VALIDATORS[files_of(path)].iter_errors(document)
    return [".".join(str(key) for key in fault.absolute_path) for fault in faults]


def takes(path: str, text: str) -> bool:
    """Say whether the daemon takes a file, as far as it can be told by itself."""
    try:
        ADAPTERS[files_of(path)].validate_python(parse_yaml(text).value)
    except ValidationError:
        return False
    return True


@pytest.mark.parametrize("name", SCHEMAS)
def test_a_schema_is_one(name: str) -> None:
    schema = SCHEMAS[name]
    Draft202012Validator.check_schema(schema)
    assert list(schema)[:3] == ["$schema", "$id", "title"]
    assert (schema["$schema"], schema["$id"], schema["title"]) == (DIALECT, name, DESCRIBED[name].files)
    assert schema["description"], "it is listed at /schemas/ by that"
    assert schemas()[name].endswith("\n}\n")


def test_they_are_the_same_wherever_they_are_made() -> None:
    script = "from iluvatar_pxe.fleet.schemas import schemas; print(end=''.join(schemas().values()))"
    for seed in ("1", "2"):
        made = subprocess.run(
            [sys.executable, "-c", script],
            env={"PYTHONHASHSEED": seed, "PYTHONUTF8": "1"},
            cwd=ROOT,
            capture_output=True,
            text=True,
            encoding="utf-8",
            check=True,
        )
        assert made.stdout == "".join(schemas().values())


def objects(part: Any) -> list[dict[str, Any]]:
    """Return every part of a schema that describes keys."""
    inside = part.values() if isinstance(part, dict) else part if isinstance(part, list) else ()
    here = [part] if isinstance(part, dict) and "properties" in part and "type" in part else []
    return [*here, *(one for value in inside for one in objects(value))]


@pytest.mark.parametrize("name", SCHEMAS)
def test_keys_that_are_not_known_are_refused_everywhere(name: str) -> None:
    described = objects(SCHEMAS[name])
    assert described
    assert all(one["additionalProperties"] is False for one in described)


@pytest.mark.parametrize(
    "model",
    [
        *MODELS.values(),
        Enrolment,
        Rule,
        Traits,
        Match,
        DnsRecords,
        Srv,
        Talos,
        TalosLayer,
        K3sLayer,
        K3s,
        Oidc,
        Root,
        MachineRoot,
        Data,
        User,
        AssetsPart,
        Entry,
        File,
        Sums,
        Pin,
    ],
)
def test_every_key_that_people_write_is_described(model: type[BaseModel]) -> None:
    assert model.model_fields.keys() - docstrings(model).keys() == set()


def test_descriptions_are_for_people() -> None:
    text = schemas()["fleet.schema.json"]
    assert text.count('"title"') == 1, "no class's name"
    assert "``" not in text
    told = SCHEMAS["fleet.schema.json"]["$defs"]["Enrolment"]["properties"]["mode"]["description"]
    assert "they wait until a file lists them" in told
    assert told.isprintable()


@pytest.mark.parametrize(("path", "text"), EXAMPLES, ids=[path for path, _ in EXAMPLES])
def test_what_the_documentation_shows_is_valid(path: str, text: str) -> None:
    assert marks(path, text) == []


@pytest.mark.parametrize("path", ["fleet.yaml", "layers/arda.yaml", "layers/ainur.yaml"])
def test_the_starter_fleet_is_valid(path: str) -> None:
    assert is_declaration(path)
    assert marks(path, (STARTER / path).read_text(encoding="utf-8")) == []


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("fleet.yaml", ""),
        ("fleet.yaml", "domain:\nrules:\n#  - layer: arda\nenrolment:\n#  mode: hold\n"),
        ("fleet.yaml", "privateDomains: [plex.direct, _a.example.com, lan]\n"),
        ("fleet.yaml", "domain: home.arpa\nrecords:\n#  a: {a: 10.0.0.1}\n"),
        ("fleet.yaml", 'records: {"@": {a: 10.0.0.1, aaaa: [fd00::1], txt: [a, Ü]}, "*.x": {cname: A.b.}}\n'),
        (
            "fleet.yaml",
            "records: {_a._tcp: {cname: , srv: {port: 1, weight: , target: _b}}, 404: {txt: ''}}\n",
        ),
        ("fleet.yaml", "rules: [{layer: arda, role: auto, name: }]\n"),
        ("fleet.yaml", 'rules: [{layer: arda, match: {arch: "ARM*", firmware: [ipxe, "uefi-*"]}}]\n'),
        ("fleet.yaml", 'rules: [{intent: hold, match: {mac: [52-54-00, "*:5e"], serial: "0042"}}]\n'),
        ("fleet.yaml", "rules: [{intent: local, local: 404, match: {subnet: 10.0.0.0/255.0.0.0}}]\n"),
        ("layers/ainur.yaml", "kind: k3s\n# nothing\n"),
        ("layers/ainur.yaml", "kind: k3s\ningress: fd00::80\n"),
        ("layers/ainur.yaml", f"kind: k3s\nusers: [{{name: anna, sshKeys: [{KEY}]}}]\n"),
        ("layers/ainur.yaml", "kind: k3s\nroot: {kind: memory, data: {uuid: 0B1C-2D3E, longhorn: .}}\n"),
        ("layers/ainur.yaml", "kind: k3s\nk3s: {disable: [traefik], config: {all: {a-b+: [x, 1, true]}}}\n"),
        (
            "layers/ainur.yaml",
            "kind: k3s\nk3s: {labels: {agent: {a.b/c: ''}}, taints: {server: ['a:NoExecute']}}\n",
        ),
        (
            "machines/a.yaml",
            f"{MAC}layer: ainur\nroot: {{disk: {{serial: S1}}, data: {{label: a, disk: {{serial: S2}}}}}}\n",
        ),
        ("layers/arda.yaml", f"{ARDA}ingress: [10.0.0.1, fd00::80]\n"),
        ("layers/arda.yaml", f"{ARDA}config: {{worker: configs/worker.yaml}}\ncontrolPlanes: 5\n"),
        ("machines/a.yaml", "match: {macs: [000102030405, 5254.0012.3456, ' 52-54-00-12-34-56 ']}\n"),
        ("machines/a.yaml", f"match: {{macs: , serial: JX31, uuid: '{{{UUID.upper()}}}'}}\nrole: auto\n"),
        ("machines/a.yaml", f"{MAC}local: '404'\naddress: 192.168.1.20\npatches: [patches/a.yaml]\nseen:\n"),
        ("clusters/a.yaml", f"layer: arda\ncaFingerprint: {FINGERPRINT}\nfounder: arda-01\n"),
        ("clusters/a.yaml", f"layer: arda\ncaFingerprint: {FINGERPRINT}\n"),
        ("recipients.yaml", f"recovery: {AGE}\ndaemons: {{pi: {AGE}}}\n"),
        ("recipients.yaml", "daemons: {}\n"),
        ("enrolment.yaml", "at: '2026-11-29T13:30:00Z'\nseconds: 0\nby: anna on pi-1\n"),
        ("fleet.yaml", "assets: {versions: {ipxe: 2.0.1}, mirrors: {https://a.org/: [http://nas/a/]}}\n"),
        ("fleet.yaml", f"assets: {{entries: {{tool: {TOOL}}}}}\n"),
        ("assets.lock.yaml", "files:\nversions:\n"),
        ("assets.lock.yaml", f"files: {{a/b+c: {{sha256: {'a' * 64}, size: 0}}}}\n"),
        ("assets.lock.yaml", "versions: {talos: {stable: v1.14.0}}\n"),
    ],
)
def test_every_way_to_write_a_value_is_valid(path: str, text: str) -> None:
    assert takes(path, text)
    assert marks(path, text) == []


@pytest.mark.parametrize(
    ("path", "text", "marked"),
    [
        ("fleet.yaml", "colour: red\n", ""),
        ("fleet.yaml", "max_attempts: 3\n", ""),
        ("fleet.yaml", "domain: Origin\n", "domain"),
        ("fleet.yaml", "domain: 1\n", "domain"),
        *(("fleet.yaml", f"domain: {domain}\n", "domain") for domain in DOMAINS_OF_OTHERS),
        ("fleet.yaml", f"domain: {'a.' * 90}a\n", "domain"),
        ("fleet.yaml", "records: [nas]\n", "records"),
        ("fleet.yaml", "records: {Nas: {a: 10.0.0.1}}\n", "records"),
        ("fleet.yaml", "records: {nas.: {a: 10.0.0.1}}\n", "records"),
        ("fleet.yaml", "records: {nas.*: {a: 10.0.0.1}}\n", "records"),
        ("fleet.yaml", "records: {nas: {mx: a}}\n", "records"),
        ("fleet.yaml", "records: {nas: {a: fd00::1}}\n", "records"),
        ("fleet.yaml", "records: {nas: {a: []}}\n", "records"),
        ("fleet.yaml", f"records: {{nas: {{txt: [{'a,' * 101}]}}}}\n", "records"),
        ("fleet.yaml", "records: {nas: {aaaa: 10.0.0.1}}\n", "records"),
        ("fleet.yaml", "records: {nas: {aaaa: fe80::1%eth0}}\n", "records"),
        ("fleet.yaml", "records: {nas: {cname: a_b}}\n", "records"),
        ("fleet.yaml", f"records: {{nas: {{txt: {'a' * 4097}}}}}\n", "records"),
        ("fleet.yaml", "records: {nas: {srv: {port: 0, target: a}}}\n", "records"),
        ("fleet.yaml", "records: {nas: {srv: [{port: 1}]}}\n", "records"),
        ("fleet.yaml", "privateDomains: plex.direct\n", "privateDomains"),
        ("fleet.yaml", "privateDomains: [Plex.direct]\n", "privateDomains"),
        ("fleet.yaml", "enrolment: window\n", "enrolment"),
        ("fleet.yaml", "enrolment: {mode: open}\n", "enrolment"),
        ("fleet.yaml", "enrolment: {countdown: 301}\n", "enrolment"),
        ("fleet.yaml", 'enrolment: {countdown: "10"}\n', "enrolment"),
        ("fleet.yaml", "maxAttempts: true\n", "maxAttempts"),
        ("fleet.yaml", "rules: {layer: arda}\n", "rules"),
        ("fleet.yaml", "rules: [hold]\n", "rules"),
        ("fleet.yaml", "rules: [{layer: Numenor}]\n", "rules"),
        ("fleet.yaml", "rules: [{layer: arda, role: boss}]\n", "rules"),
        ("fleet.yaml", "rules: [{intent: reinstall}]\n", "rules"),
        ("fleet.yaml", "rules: [{layer: arda, match: {vendor: x}}]\n", "rules"),
        ("fleet.yaml", "rules: [{layer: arda, match: {arch: x86}}]\n", "rules"),
        ("fleet.yaml", "rules: [{layer: arda, match: {firmware: [ipxe, bios]}}]\n", "rules"),
        ("fleet.yaml", "rules: [{layer: arda, match: {mac: Dell}}]\n", "rules"),
        ("fleet.yaml", "rules: [{layer: arda, match: {serial: 0042}}]\n", "rules"),
        ("fleet.yaml", "rules: [{layer: arda, match: {product: []}}]\n", "rules"),
        ("fleet.yaml", "rules: [{layer: arda, match: {subnet: lan}}]\n", "rules"),
        ("fleet.yaml", "rules: [{layer: arda, name: Küche}]\n", "rules"),
        ("layers/arda.yaml", "kind: talos\nnames: arda-##\n", ""),
        ("layers/arda.yaml", "talos: {version: v1.13.9, schematic: x}\n", ""),
        ("layers/arda.yaml", "", ""),
        ("layers/arda.yaml", ARDA.replace("talos\n", "k8s\n"), "kind"),
        ("layers/arda.yaml", "kind: talos\ntalos: {version: 1.13, schematic: x}\n", "talos.version"),
        ("layers/arda.yaml", "kind: talos\ntalos: {version: v1.13, schematic: x}\n", "talos.version"),
        ("layers/arda.yaml", "kind: talos\ntalos: {version: v1.13.9, schematic: ../x}\n", "talos.schematic"),
        ("layers/arda.yaml", f"{ARDA}controlPlanes: 2\n", "controlPlanes"),
        ("layers/arda.yaml", f"{ARDA}controlPlanes: 7\n", "controlPlanes"),
        ("layers/ainur.yaml", "kind: k3s\nimage: ubuntu-26\nservers: 7\n", "servers"),
        ("layers/arda.yaml", f"{ARDA}names: arda\n", "names"),
        ("layers/arda.yaml", f"{ARDA}names: {'a' * 49}##\n", "names"),
        ("layers/arda.yaml", f"{ARDA}reuseNames: [Arda-02]\n", "reuseNames"),
        ("layers/arda.yaml", f"{ARDA}reuseNames: arda-02\n", "reuseNames"),
        ("layers/arda.yaml", f"{ARDA}config: {{server: a.yaml}}\n", "config"),
        ("layers/arda.yaml", f"{ARDA}config: {{worker: }}\n", "config"),
        ("layers/arda.yaml", f"{ARDA}patches: [/etc/passwd]\n", "patches"),
        ("layers/arda.yaml", f"{ARDA}ingress: [lan]\n", "ingress"),
        ("layers/ainur.yaml", "kind: k3s\ningress: 10\n", "ingress"),
        ("layers/ainur.yaml", "kind: k3s\nservers: 4\n", "servers"),
        ("layers/ainur.yaml", "kind: k3s\ntalos: {}\n", ""),
        ("layers/ainur.yaml", "kind: k3s\nkernelArgs: [a b]\n", "kernelArgs"),
        ("layers/ainur.yaml", "kind: k3s\nconfigTxt: [kernel=x]\n", "configTxt"),
        ("layers/ainur.yaml", "kind: k3s\neepromUpdate: on\n", "eepromUpdate"),
        ("layers/ainur.yaml", "kind: k3s\nk3s: {version: v1.36.3}\n", "k3s"),
        ("layers/ainur.yaml", "kind: k3s\nk3s: {disable: [dns]}\n", "k3s"),
        ("layers/ainur.yaml", "kind: k3s\nk3s: {labels: {worker: {a: b}}}\n", "k3s"),
        ("layers/ainur.yaml", "kind: k3s\nk3s: {labels: {agent: {a b: c}}}\n", "k3s"),
        ("layers/ainur.yaml", "kind: k3s\nk3s: {config: {agent: {--x: y}}}\n", "k3s"),
        ("layers/ainur.yaml", "kind: k3s\nk3s: {taints: {agent: [a]}}\n", "k3s"),
        ("layers/ainur.yaml", "kind: k3s\nk3s: {oidc: {issuer: http://a, clientId: b}}\n", "k3s"),
        ("layers/ainur.yaml", "kind: k3s\nroot: {kind: nfs}\n", "root"),
        ("layers/ainur.yaml", "kind: k3s\nroot: {disk: {serial: S1}}\n", "root"),
        ("layers/ainur.yaml", "kind: k3s\nroot: {data: {label: a b}}\n", "root"),
        ("layers/ainur.yaml", "kind: k3s\nusers: [{name: Anna, passwordHash: a}]\n", "users"),
        ("layers/ainur.yaml", "kind: k3s\nusers: [{name: anna, sshKeys: [me]}]\n", "users"),
        ("machines/a.yaml", "", ""),
        ("machines/a.yaml", "match: [52:54:00:12:34:56]\n", "match"),
        ("machines/a.yaml", "match: {macs: 52:54:00:12:34:56}\n", "match.macs"),
        ("machines/a.yaml", "match: {macs: [52:54:00:12:34]}\n", "match.macs"),
        ("machines/a.yaml", "match: {macs: [01:00:5e:00:00:01]}\n", "match.macs"),
        ("machines/a.yaml", "match: {macs: [5254001e3456]}\n", "match.macs"),
        ("machines/a.yaml", f"match: {{serial: 42, uuid: {UUID}}}\n", "match.serial"),
        ("machines/a.yaml", "match: {serial: JX31, uuid: JX31}\n", "match.uuid"),
        ("machines/a.yaml", f"{MAC}layer: Numenor\n", "layer"),
        ("machines/a.yaml", f"{MAC}intent: reinstall\n", "intent"),
        ("machines/a.yaml", f"{MAC}local: 405\n", "local"),
        ("machines/a.yaml", f"{MAC}chain: grub\n", "chain"),
        ("machines/a.yaml", f"{MAC}program: evil.efi\n", "program"),
        ("machines/a.yaml", f"{MAC}config: ../../etc/shadow\n", "config"),
        ("machines/a.yaml", f"{MAC}address: 192.168.1\n", "address"),
        ("machines/a.yaml", f"{MAC}address: 20\n", "address"),
        ("machines/a.yaml", f"{MAC}seen: {{colour: red}}\n", "seen"),
        ("clusters/a.yaml", "layer: arda\ncaFingerprint: AB\nfounder: a\n", "caFingerprint"),
        ("clusters/a.yaml", "layer: arda\nfounder: a\n", ""),
        ("recipients.yaml", "recovery: AGE-SECRET-KEY-1\n", "recovery"),
        ("recipients.yaml", f"daemons: {{Pi: {AGE}}}\n", "daemons"),
        ("recipients.yaml", "daemons: {pi: age1}\n", "daemons"),
        ("enrolment.yaml", "at: today\nseconds: 0\nby: anna\n", "at"),
        ("fleet.yaml", "assets: {versions: {ipxe: 2.0}}\n", "assets"),
        ("fleet.yaml", "assets: {versions: {IPXE: 2.0.1}}\n", "assets"),
        ("fleet.yaml", "assets: {mirrors: {https://a.org: [https://b.org/]}}\n", "assets"),
        ("fleet.yaml", "assets: {mirrors: {https://a.org/: []}}\n", "assets"),
        ("fleet.yaml", f"assets: {{entries: {{tool: {TOOL.replace('tool/', '../')}}}}}\n", "assets"),
        ("fleet.yaml", f"assets: {{entries: {{tool: {TOOL.replace('https', 'ftp')}}}}}\n", "assets"),
        ("fleet.yaml", "assets: {entries: {tool: {files: []}}}\n", "assets"),
        ("assets.lock.yaml", "files: {a: {sha256: xyz, size: 1}}\n", "files"),
        ("assets.lock.yaml", "files: {/a: {}}\n", "files"),
        ("assets.lock.yaml", "versions: {talos: v1.14.0}\n", "versions"),
        ("enrolment.yaml", "at: '2026-11-29T13:30:00Z'\nseconds: 604801\nby: anna\n", "seconds"),
    ],
)
def test_what_is_typed_wrong_is_marked(path: str, text: str, marked: str) -> None:
    assert not takes(path, text)
    assert marked in marks(path, text)


TEXTS = (
    *("", "a", "auto", "worker", "controlplane", "server", "boot", "local", "reinstall", "hold", "window"),
    *("arda", "talos", "ipxe", "exit", "404", "undionly.kpxe", "x86_64", "X86_64", "arm*", "[ax]*", "vax"),
    *("52:54:00:12:34:56", "52-54-00", "525400123456", " 52:54:00:12:34:56 ", "53:54:00:12:34:56", "*:5e"),
    *("uefi-*", "bios", "raspberry-pi", "192.168.1.0/24", "192.168.1.20", "192.168.1", "10.0.0.0/255.0.0.0"),
    *(
        "memory",
        "v1.36.3+k3s1",
        "traefik",
        "v1.13.9",
        "v1.14.0-alpha.1",
        "arda-##",
        "arda-#-#",
        "Lab",
        "configs/a.yaml",
        "../x",
        "a b",
        "Küche",
    ),
    *("$x", "&&", ";", "#x", "kernel=x", " include x", "x" * 100, "x" * 101, "x" * 600, "Default string"),
    *(UUID, UUID.upper(), UUID.replace("-", ""), f"urn:uuid:{UUID}", f"{{{UUID}}}", f"{UUID}}}"),
    *(AGE, AGE.upper(), FINGERPRINT, FINGERPRINT.lower()),
    *(
        "lab.home.arpa",
        "home.local",
        "local.lan",
        "WWW.example.",
        "_a",
        "*.a",
        "@",
        "fd00::5",
        "fe80::1%eth0",
    ),
)
SCALARS = (*TEXTS, 0, 1, 2, 99, 100, 301, 404, 1001, 525400123456, 10**12, -1, 1.5, True, False)
VALUES: Sequence[Any] = (
    *SCALARS,
    *([one] for one in SCALARS),
    *(None, [], [None], [["a"]], {}, ["a", "a"]),
    *({"worker": "a.yaml"}, {"server": "a.yaml"}, {"worker": None}, {"pi": AGE}, {"Pi": AGE}, {"pi": "a"}),
    *({"nas": {"a": "10.0.0.1"}}, {"@": {"txt": ["a", "b"]}}, {"*.a": {"cname": "B."}}, {"nas": {}}),
    *({"port": 389, "target": "nas"}, [{"port": 389, "target": "nas"}] * 2, {"port": 65536, "target": "nas"}),
    *({"type": "nvme"}, {"label": "data"}, {"uuid": "AB12-CD34"}, {"label": None}),
)
PLACES: Mapping[str, tuple[str, tuple[str | int, ...], type[BaseModel], Mapping[str, Any]]] = {
    "fleet": ("fleet.yaml", (), MODELS["fleet.yaml"], {}),
    "enrolment": ("fleet.yaml", ("enrolment",), Enrolment, {}),
    "rule of arda": ("fleet.yaml", ("rules", 0), Rule, {"layer": "arda"}),
    "rule of ainur": ("fleet.yaml", ("rules", 0), Rule, {"layer": "ainur"}),
    "rule of intent": ("fleet.yaml", ("rules", 0), Rule, {"intent": "hold"}),
    "traits": ("fleet.yaml", ("rules", 0, "match"), Traits, {}),
    "records": ("fleet.yaml", ("records", "nas"), DnsRecords, {}),
    "records beside a text": ("fleet.yaml", ("records", "nas"), DnsRecords, {"txt": "a"}),
    "srv": ("fleet.yaml", ("records", "nas", "srv"), Srv, {"port": 1, "target": "a"}),
    "arda": ("layers/*.yaml", (), TalosLayer, {"kind": "talos", "talos": TALOS}),
    "talos": ("layers/*.yaml", ("talos",), Talos, TALOS),
    "ainur": ("layers/*.yaml", (), K3sLayer, {"kind": "k3s"}),
    "k3s": ("layers/*.yaml", ("k3s",), K3s, {}),
    "root": ("layers/*.yaml", ("root",), Root, {}),
    "machine of arda": ("machines/*.yaml", (), MachineFile, {"match": MATCH}),
    "machine of ainur": ("machines/*.yaml", (), MachineFile, {"match": MATCH, "layer": "ainur"}),
    "match by macs": ("machines/*.yaml", ("match",), Match, MATCH),
    "match by hardware": ("machines/*.yaml", ("match",), Match, {"serial": "JX31", "uuid": UUID}),
    "seen": ("machines/*.yaml", ("seen",), Seen, {}),
    "cluster": (
        "clusters/*.yaml",
        (),
        MODELS["clusters/*.yaml"],
        {"layer": "arda", "caFingerprint": FINGERPRINT, "founder": "a"},
    ),
    "recipients": ("recipients.yaml", (), MODELS["recipients.yaml"], {}),
    "enrolment window": (
        "enrolment.yaml",
        (),
        MODELS["enrolment.yaml"],
        {"at": "2026-11-29T13:30:00Z", "seconds": 0, "by": "anna"},
    ),
}
"""By what it is: the file, where in it, the model there, and what is there besides."""
AROUND: Mapping[str, Mapping[str, Any]] = {
    "fleet.yaml": {},
    "layers/*.yaml": {"kind": "talos"},
    "machines/*.yaml": {"match": MATCH},
}


def within(files: str, place: tuple[str | int, ...], part: Any) -> Any:
    """Return a document with ``part`` at a place."""
    if not place:
        return part
    for key in reversed(place[1:]):
        part = [part] if key == 0 else {**({"layer": "arda"} if key == "match" else {}), key: part}
    around = {"kind": "k3s"} if place[0] in {"k3s", "root"} else AROUND.get(files, {})
    return {**around, place[0]: part}


@pytest.mark.parametrize("place", PLACES)
def test_whatever_the_daemon_takes_is_valid(place: str) -> None:
    files, where, model, base = PLACES[place]
    taken = 0
    for key in (*(info.alias for info in model.model_fields.values()), "colour"):
        for value in VALUES:
            document = within(files, where, {**base, key: value})
            try:
                ADAPTERS[files].validate_python(document)
            except ValidationError:
                continue
            taken += 1
            assert VALIDATORS[files].is_valid(document), document
    assert taken > len(model.model_fields)


LEFT_TO_THE_DAEMON: Mapping[tuple[str, str], tuple[Any, ...]] = {
    ("match by macs", "macs"): (0, -1),
    ("match by macs", "serial"): ("&&", "#x", "Default string"),
}
"""Values whose faults an editor does not mark: what it would have to compare with other keys, or with a list."""


@pytest.mark.parametrize(("place", "key"), LEFT_TO_THE_DAEMON)
def test_some_faults_are_left_to_the_daemon(place: str, key: str) -> None:
    files, where, _model, base = PLACES[place]
    for value in LEFT_TO_THE_DAEMON[place, key]:
        document = within(files, where, {**base, key: [value] if key == "macs" else value})
        assert VALIDATORS[files].is_valid(document)
        with pytest.raises(ValidationError):
            ADAPTERS[files].validate_python(document)


@given(
    st.text(st.sampled_from("0123456789abcdefABCDEF"), min_size=12, max_size=12),
    st.lists(st.sampled_from(["", "", ":", "-", ".", "::"]), min_size=14, max_size=14),
)
def test_a_mac_is_valid_in_every_spelling_that_the_daemon_takes(digits: str, between: list[str]) -> None:
    spelling = "".join(part for pair in zip(between, f" {digits} ", strict=True) for part in pair)
    document = {"match": {"macs": [spelling]}}
    try:
        TypeAdapter(Mac).validate_python(spelling)
    except ValidationError:
        return
    assert VALIDATORS["machines/*.yaml"].is_valid(document), spelling
