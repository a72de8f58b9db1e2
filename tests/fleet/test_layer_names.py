"""Layers are the owner's: any names, any number of each kind, and no code that knows one."""

import re
from collections.abc import Mapping
from pathlib import Path

import pytest
from support.fleets import SCHEMATIC

import iluvatar_pxe
from iluvatar_pxe.errors import FleetError
from iluvatar_pxe.fleet.models import Fleet
from iluvatar_pxe.fleet.parse import parse_fleet
from iluvatar_pxe.machines.states import LayerKind, Role

PACKAGE = Path(iluvatar_pxe.__file__).parent
OF_THE_STARTER = re.compile(r"(?<!layers[./])\b(?:arda|ainur)\b(?!-[#0-9])", re.IGNORECASE)
"""But for machines' names, which are shown as examples: ``arda-01`` and ``arda-##``, and for the package of this name."""

TALOS = f"kind: talos\ntalos: {{version: v1.13.9, schematic: {SCHEMATIC}}}\n"
K3S = "kind: k3s\n"
FOUR = {"arda": TALOS, "valinor": TALOS, "ainur": K3S, "moria": K3S}
MACHINE = "match: {macs: ['52:54:00:00:00:01']}\n"


def files_of(layers: Mapping[str, str], **others: str) -> dict[str, str]:
    """Return a fleet of layers by name; others are a machine's file (``one``), and ``fleet``."""
    files = {f"layers/{name}.yaml": text for name, text in layers.items()}
    files |= {"configs/one.yaml": "machine: {}\n", "fleet.yaml": others.pop("fleet", "")}
    return files | {f"machines/{name}.yaml": text for name, text in others.items()}


def fleet(layers: Mapping[str, str] = FOUR, **others: str) -> Fleet:
    return parse_fleet(files_of(layers, **others))


def faults(layers: Mapping[str, str] = FOUR, **others: str) -> list[str]:
    with pytest.raises(FleetError) as caught:
        fleet(layers, **others)
    return caught.value.findings


def test_no_code_knows_the_layers_of_the_starter_fleet() -> None:
    known = [
        f"{path.relative_to(PACKAGE)}: {found[0]}"
        for path in sorted(PACKAGE.rglob("*.py"))
        if path.relative_to(PACKAGE).parts[0] != "lab"  # its test images are a fleet of their own
        and path.parent.name != "protos"  # generated, with the package's name in it
        for found in OF_THE_STARTER.finditer(path.read_text(encoding="utf-8"))
    ]
    assert known == []


def test_layers_come_in_the_order_of_their_files_and_have_their_kind() -> None:
    known = fleet()
    assert list(known.layers) == ["ainur", "arda", "moria", "valinor"]
    kinds = {name: known.kind(name) for name in (*known.layers, "numenor", None)}
    assert kinds == {
        "ainur": LayerKind.K3S,
        "arda": LayerKind.TALOS,
        "moria": LayerKind.K3S,
        "valinor": LayerKind.TALOS,
        "numenor": None,
        None: None,
    }
    assert known.talos("arda") is known.layers["arda"]
    assert known.k3s("moria") is known.layers["moria"]
    assert (known.talos("moria"), known.k3s("arda"), known.talos("numenor")) == (None, None, None)


def test_names_and_roles_follow_name_and_kind() -> None:
    layers = fleet({**FOUR, "moria": f"{K3S}names: 'dwarf#'\n"}).layers
    assert [layer.pattern(name) for name, layer in layers.items()] == [
        "ainur-##",
        "arda-##",
        "dwarf#",
        "valinor-##",
    ]
    assert layers["valinor"].roles == (Role.CONTROLPLANE, Role.WORKER)
    assert layers["moria"].roles == (Role.SERVER, Role.AGENT)


SAY = "write 'kind: talos' or 'kind: k3s'"


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("", f"1: kind: is missing; {SAY}"),
        ("kind:\n", f"1: kind: is missing; {SAY}"),
        (TALOS.removeprefix("kind: talos\n"), f"1: kind: is missing; {SAY}"),
        ("names: x#\nkind: Talos\n", f"2: kind: is not a layer kind; {SAY}"),
        ("kind: [talos]\n", f"1: kind: is not a layer kind; {SAY}"),
        ("kind: k3s\ncontrolPlanes: 3\n", "2: controlPlanes: no such key; remove it or correct its name"),
        (f"{TALOS}servers: 3\n", "3: servers: no such key; remove it or correct its name"),
    ],
)
def test_a_kind_is_required_and_decides_which_keys_there_are(text: str, fault: str) -> None:
    assert faults({"arda": TALOS, "moria": text}) == [f"layers/moria.yaml:{fault}"]


NO_NAME = "1: its name is not a layer name; use a-z, 0-9 and '-', at most 32 characters"


@pytest.mark.parametrize(
    ("name", "fault"),
    [
        ("Moria", NO_NAME),
        ("-moria", NO_NAME),
        ("a.b", NO_NAME),
        ("m" * 33, NO_NAME),
        *(
            (name, f"1: {name} is reserved for the daemon in DNS; rename the file")
            for name in ("git", "pxe", "api", "apps")
        ),
    ],
)
def test_what_is_no_name_of_a_layer(name: str, fault: str) -> None:
    assert faults({name: K3S}) == [f"layers/{name}.yaml:{fault}"]


@pytest.mark.parametrize("name", ["m", "m" * 32, "2nd-lab", "talos", "k3s", "www"])
def test_what_is_one(name: str) -> None:
    assert set(fleet({name: K3S}).layers) == {name}


def test_two_layers_give_no_name_twice() -> None:
    names = {"arda": f"{TALOS}names: 'valinor-#'\n", "valinor": TALOS}
    text = "names: valinor-# can also give names of layers/valinor.yaml; change one of them"
    assert faults(names) == [f"layers/arda.yaml:3: {text}"]
    both = dict.fromkeys(("arda", "valinor"), f"{TALOS}names: 'node-#'\n")
    text = "names: node-# can also give names of layers/arda.yaml; change one of them"
    assert faults(both) == [f"layers/valinor.yaml:3: {text}"]


def test_no_machine_is_given_the_name_of_a_layer() -> None:
    text = "names: lab-# can give a machine the name of layer lab-2; change it"
    assert faults({"arda": f"{TALOS}names: 'lab-#'\n", "lab-2": K3S}) == [f"layers/arda.yaml:3: {text}"]
    text = "valinor is the name of the layer in layers/valinor.yaml; rename the file"
    assert faults(valinor=f"{MACHINE}chain: hold\n") == [f"machines/valinor.yaml:1: {text}"]


@pytest.mark.parametrize(
    ("layer", "more"),
    [
        ("valinr", "create it, or did you mean valinor? The fleet has ainur and arda and moria and valinor"),
        ("numenor", "create it; the fleet has ainur and arda and moria and valinor"),
    ],
)
def test_a_layer_without_a_file_is_named_where_it_is_written_and_the_others_are_told(
    layer: str, more: str
) -> None:
    needs = f"layer {layer} needs layers/{layer}.yaml; {more}"
    rule = f"rules:\n  - match: {{arch: arm64}}\n    layer: {layer}\n"
    assert faults(fleet=rule) == [f"fleet.yaml:3: {needs}"]
    assert faults(one=f"{MACHINE}layer: {layer}\nchain: hold\n") == [f"machines/one.yaml:2: {needs}"]
    talos = f"{MACHINE}layer: {layer}\nchain: talos\nconfig: configs/one.yaml\n"
    text = needs.replace(f"layer {layer} needs", "chain talos needs", 1)
    assert faults(one=talos) == [f"machines/one.yaml:3: {text}"]


OWN_CONFIG = f"{MACHINE}config: configs/one.yaml\n"


@pytest.mark.parametrize(
    ("layers", "expected"),
    [
        (("arda",), "arda"),
        (("valinor",), "valinor"),
        (("ainur", "arda"), "arda"),
        (("ainur", "moria", "valinor"), "valinor"),
    ],
)
def test_without_layer_a_machine_is_in_the_only_one_of_kind_talos(
    layers: tuple[str, ...], expected: str
) -> None:
    (one,) = fleet({name: FOUR[name] for name in layers}, one=OWN_CONFIG).listed
    assert (one.file.layer, one.layer) == (None, expected)


@pytest.mark.parametrize(
    ("layers", "why"),
    [
        (FOUR, "several of kind talos; add 'layer: arda' or 'layer: valinor'"),
        ({"ainur": K3S, "moria": K3S}, "none of kind talos; add 'layer: ainur' or 'layer: moria'"),
        ({}, "none; create layers/NAME.yaml, and add 'layer: NAME'"),
    ],
)
def test_where_there_is_none_or_more_than_one_it_has_to_say_which(layers: dict[str, str], why: str) -> None:
    assert faults(layers, one=MACHINE) == [f"machines/one.yaml:1: layer: is missing, and the fleet has {why}"]
    for line in ("chain: local", "chain: hold", "intent: local", "intent: ignore"):
        (one,) = fleet(layers, one=f"{MACHINE}{line}\n").listed
        assert one.layer is None


def test_with_a_layer_of_unknown_kind_nothing_is_said_of_what_depends_on_it() -> None:
    (fault,) = faults({"arda": TALOS, "moria": "kind: k8s\n"}, one=f"{MACHINE}layer: moria\nimage: x\n")
    assert fault.startswith("layers/moria.yaml:1: kind: ")


@pytest.mark.parametrize(
    ("lines", "fault"),
    [
        ("layer: valinor\nrole: agent", "3: role: valinor has no role agent; it has controlplane and worker"),
        ("layer: moria\nrole: worker", "3: role: moria has no role worker; it has server and agent"),
        (
            "layer: moria\nconfig: configs/one.yaml",
            "3: config is only for layers of kind talos, and moria is of kind k3s",
        ),
        (
            "layer: valinor\nchain: hold\nimage: x",
            "4: image is only for layers of kind k3s, and valinor is of kind talos",
        ),
        (
            "layer: arda\nchain: hold\neepromUpdate: true",
            "4: eepromUpdate is only for layers of kind k3s, and arda is of kind talos",
        ),
        (
            "chain: hold\nimage: x",
            "3: image is only for layers of kind k3s; set 'layer' to one, or remove this key",
        ),
    ],
)
def test_roles_and_keys_are_those_of_the_kind(lines: str, fault: str) -> None:
    assert faults(one=f"{MACHINE}{lines}\n") == [f"machines/one.yaml:{fault}"]


def test_the_same_of_rules() -> None:
    rules = """rules:
  - {match: {arch: arm64}, layer: moria, role: worker}
  - match: {arch: arm32}
    layer: moria
    config: configs/one.yaml
  - {layer: valinor, image: x}
"""
    assert faults(fleet=rules) == [
        "fleet.yaml:2: rules.1.role: moria has no role worker; it has server and agent",
        "fleet.yaml:5: config is only for layers of kind talos, and moria is of kind k3s",
        "fleet.yaml:6: image is only for layers of kind k3s, and valinor is of kind talos",
    ]


def test_a_record_may_not_be_what_any_layer_has() -> None:
    for name in ("api.valinor", "*.apps.moria", "_kubernetes._tcp.moria"):
        (fault,) = faults(fleet=f"records: {{'{name}': {{a: 10.0.0.1}}}}\n")
        assert fault.endswith("the daemon creates the records of this name; choose another name")
    assert fleet(fleet="records: {api.numenor: {a: 10.0.0.1}}\n").settings.records
