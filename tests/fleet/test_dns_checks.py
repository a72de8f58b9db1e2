"""What the fleet's files may not say together of names in DNS."""

from collections.abc import Mapping

import pytest
from support.fleets import ARDA

from iluvatar_pxe.errors import FleetError
from iluvatar_pxe.fleet.parse import parse_fleet

HOLD = "match: {macs: [52:54:00:00:00:01]}\nchain: hold\n"
GOOD = {
    "fleet.yaml": "",
    "layers/arda.yaml": ARDA,
    "layers/ainur.yaml": "kind: k3s\nnames: pi#\n",
    "machines/nas.yaml": HOLD,
}


def findings(changes: Mapping[str, str]) -> list[str]:
    """Return what is wrong with the good fleet after ``changes``."""
    with pytest.raises(FleetError) as caught:
        parse_fleet({**GOOD, **changes})
    return caught.value.findings


def fleet_file(*records: str) -> dict[str, str]:
    """Return the change that gives fleet.yaml these records, the first on line 3."""
    return {"fleet.yaml": "".join(f"{line}\n" for line in ("domain: home.example", "records:", *records))}


OWN = "the daemon creates the records of this name; choose another name"


@pytest.mark.parametrize(
    ("name", "fault"),
    [
        ("git", OWN),
        ("pxe", OWN),
        *((f"{name}.{layer}", OWN) for name in ("api", "apps") for layer in ("ainur", "arda")),
        *((f"{name}.{layer}", OWN) for name in ("*.apps", "_kubernetes._tcp") for layer in ("ainur", "arda")),
        ("nas", "machines/nas.yaml has this name; choose another name"),
        ("arda-01", "layers/arda.yaml can give this name to a machine (names: arda-##); choose another name"),
        (
            "arda-123",
            "layers/arda.yaml can give this name to a machine (names: arda-##); choose another name",
        ),
        ("pi7", "layers/ainur.yaml can give this name to a machine (names: pi#); choose another name"),
    ],
)
def test_a_name_has_one_owner(name: str, fault: str) -> None:
    lines = findings(fleet_file("  x: {a: 10.0.0.1}", f'  "{name}": {{a: 10.0.0.2}}'))
    assert lines == [f"fleet.yaml:4: records.{name}: {fault}"]


@pytest.mark.parametrize(
    "name", ["arda", "arda-1", "arda-x", "*", "*.nas", "www.nas", "x.apps.arda", "git.x", "pi", "pi7.x", "@"]
)
def test_other_names_are_free(name: str) -> None:
    fleet = parse_fleet({**GOOD, **fleet_file(f'  "{name}": {{a: 10.0.0.1}}')})
    assert set(fleet.settings.records) == {name}


def test_a_wildcard_is_no_number() -> None:
    changes = {"layers/ainur.yaml": 'kind: k3s\nnames: "#"\n', **fleet_file('  "*": {a: 10.0.0.1}')}
    assert set(parse_fleet({**GOOD, **changes}).settings.records) == {"*"}


def test_the_names_of_a_layer_without_a_file_are_free() -> None:
    assert parse_fleet({"fleet.yaml": "records: {arda-01: {a: 10.0.0.1}}\n"}).settings.records


@pytest.mark.parametrize(
    ("name", "whose"),
    [
        *((name, "reserved for the daemon in DNS") for name in ("git", "pxe")),
        *((name, f"the name of the layer in layers/{name}.yaml") for name in ("ainur", "arda")),
    ],
)
def test_no_machine_has_a_name_of_the_daemon_or_of_a_layer(name: str, whose: str) -> None:
    text = f"{name} is {whose}; rename the file"
    assert findings({f"machines/{name}.yaml": HOLD.replace(":01", ":02")}) == [
        f"machines/{name}.yaml:1: {text}"
    ]


def test_the_domain_itself_is_no_alias() -> None:
    (line,) = findings(fleet_file('  "@":', "    cname: www.example.com."))
    assert line.startswith(
        "fleet.yaml:4: records.@.cname: the domain has other records, and a cname allows none"
    )


SELF = "points to itself; name another"


def back(to: str) -> str:
    return f"forms a loop through {to}.home.example; name another"


@pytest.mark.parametrize(
    ("targets", "faults"),
    [
        ({"a": "a"}, {"a": SELF}),
        ({"a": "A.home.example."}, {"a": SELF}),
        ({"*.a": "b", "b": "c", "c": "b"}, {"b": back("c")}),
        ({"a": "b", "b": "c.home.example.", "c": "a"}, {"a": back("b")}),
        ({"d": "a", "a": "b", "b": "a"}, {"a": back("b")}),
        ({"a": "b", "b": "a", "c": "d", "d": "c"}, {"a": back("b"), "c": back("d")}),
        ({"a": "b", "b": "a", "c": "a", "d": "c"}, {"a": back("b")}),
    ],
)
def test_aliases_come_to_an_end(targets: dict[str, str], faults: dict[str, str]) -> None:
    lines = findings(fleet_file(*(f'  "{name}": {{cname: {target}}}' for name, target in targets.items())))
    numbers = {name: number for number, name in enumerate(targets, 3)}
    assert lines == [
        f"fleet.yaml:{numbers[name]}: records.{name}.cname: {text}" for name, text in faults.items()
    ]


@pytest.mark.parametrize("targets", [{"a": "b", "b": "nas", "c": "b", "d": "a"}, {"a": "a."}, {"a": "a.a"}])
def test_aliases_that_do_are_good(targets: dict[str, str]) -> None:
    changes = fleet_file(*(f"  {name}: {{cname: {target}}}" for name, target in targets.items()))
    assert set(parse_fleet({**GOOD, **changes}).settings.records) == set(targets)


LONG = ".".join(["a" * 60] * 4)  # 243 characters


@pytest.mark.parametrize(
    ("records", "number", "name"),
    [
        ([f"  {LONG}: {{a: 10.0.0.1}}"], 3, LONG),
        (["  x:", f"    cname: {LONG}"], 4, LONG),
        (["  x:", f"    cname: {LONG}.{'a' * 10}."], 4, LONG),
        (["  x:", "    srv:", f"      - port: 1\n        target: {LONG}"], 6, LONG),
    ],
)
def test_names_that_are_too_long_with_the_domain(records: list[str], number: int, name: str) -> None:
    text = f"records: {name[:40]}… is longer than 253 characters, with the domain; shorten it"
    assert findings(fleet_file(*records)) == [f"fleet.yaml:{number}: {text}"]


def test_the_longest_names() -> None:
    most = LONG[: 253 - len(".home.example")]
    changes = fleet_file(
        f"  {most}: {{a: 10.0.0.1}}", f"  x: {{cname: {most}}}", f"  y: {{cname: {LONG}.{'a' * 9}.}}"
    )
    assert len(parse_fleet({**GOOD, **changes}).settings.records) == 3


def test_the_domain_counts_in_a_faulty_file_too() -> None:
    lines = findings(fleet_file("  a: {cname: a.home.example.}", "colour: red"))
    assert [line.partition(": ")[0] for line in lines] == ["fleet.yaml:3", "fleet.yaml:4"]


def test_other_faults_hide_none_of_these() -> None:
    lines = findings(
        {
            "fleet.yaml": "domain: local\nrecords:\n  nas: {a: x}\n  b: {cname: b}\n  arda-01: {mx: x}\n  Git: 7\n",
            "layers/arda.yaml": f"{ARDA}controlPlanes: 2\nnames: arda-##\n",
            "machines/nas.yaml": f"{HOLD}role: boss\n",
            "machines/git.yaml": "a: [\n",
        }
    )
    assert [line.split(": ")[:2] for line in lines if not line.startswith(("layers", "machines/nas"))] == [
        ["fleet.yaml:1", "domain"],
        ["fleet.yaml:3", "records.nas.a"],
        ["fleet.yaml:3", "records.nas"],
        ["fleet.yaml:4", "records.b.cname"],
        ["fleet.yaml:5", "records.arda-01.mx"],
        ["fleet.yaml:5", "records.arda-01"],
        ["fleet.yaml:6", "records.Git"],
        ["fleet.yaml:6", "records.Git"],
        ["machines/git.yaml:1", "git is reserved for the daemon in DNS; rename the file"],
        ["machines/git.yaml:2", "not valid YAML"],
    ]
