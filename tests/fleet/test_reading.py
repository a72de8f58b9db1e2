"""A file by itself is read once, and a part of it comes from its model where it has one."""

from typing import Annotated, Any

import pytest
from pydantic import AfterValidator, TypeAdapter
from support.fleets import ARDA

from iluvatar_pxe.errors import FleetError
from iluvatar_pxe.fleet.models import FleetFile, MachineFile, TalosLayer, Traits
from iluvatar_pxe.fleet.parse import parse_fleet
from iluvatar_pxe.fleet.reading import read_text
from iluvatar_pxe.fleet.source import Source
from iluvatar_pxe.fleet.yaml.document import Location
from iluvatar_pxe.machines.states import Role


def machine(number: int, more: str = "") -> str:
    return f"match: {{macs: [52:54:00:00:01:{number:02}]}}\nchain: hold\n{more}"


def test_an_unchanged_file_is_not_read_again() -> None:
    files = {"fleet.yaml": "", **{f"machines/m{number}.yaml": machine(number) for number in range(20)}}
    read_text.cache_clear()
    before = parse_fleet(files)
    misses = read_text.cache_info().misses
    after = parse_fleet({**files, "machines/m7.yaml": machine(7, "local: exit\n")})
    assert read_text.cache_info().misses == misses + 1
    changed = [
        new.name for old, new in zip(before.listed, after.listed, strict=True) if old.file is not new.file
    ]
    assert changed == ["m7"]


def test_the_faults_of_an_unchanged_file_are_told_again_and_for_each_file_with_this_text() -> None:
    text = machine(30, "colour: red\n")
    for paths in (["machines/a.yaml"], ["machines/a.yaml"], ["machines/a.yaml", "machines/b.yaml"]):
        with pytest.raises(FleetError) as caught:
            parse_fleet({"fleet.yaml": "", **dict.fromkeys(paths, text)})
        faults = [line for line in caught.value.findings if "no such key" in line]
        assert faults == [f"{path}:3: colour: no such key; remove it or correct its name" for path in paths]


def test_a_text_is_read_for_each_kind_of_file() -> None:
    assert read_text("", FleetFile).model == FleetFile()
    assert [text for _, text in read_text("", MachineFile).faults] == ["match: is missing; add it"]


def test_a_text_that_is_no_yaml_has_one_fault() -> None:
    reading = read_text("a: [\n", FleetFile)
    assert (reading.document, reading.model, len(reading.faults)) == (None, None, 1)


def refuse(value: object) -> object:
    raise ValueError(value)


NOTHING: TypeAdapter[Any] = TypeAdapter(Annotated[Any, AfterValidator(refuse)])
RULES = "rules:\n  - {match: {arch: arm64}, layer: arda}\n  - {match: {}, layer: arda}\n"
PARTS = [
    ("fleet.yaml", ("rules", 1, "match"), Traits()),
    ("fleet.yaml", ("rules", 1, "script"), None),
    ("fleet.yaml", ("rules", 2), None),
    ("fleet.yaml", ("rules", "match"), None),
    ("machines/a.yaml", ("chain", 0), None),
    ("machines/a.yaml", ("config", "chain"), None),
    ("machines/a.yaml", ("colours",), None),
    ("machines/a.yaml", ("chain",), "hold"),
    ("machines/a.yaml", ("config",), None),
    ("layers/arda.yaml", ("config", "worker"), "configs/w.yaml"),
    ("layers/arda.yaml", ("config", "controlplane"), None),
    ("layers/arda.yaml", ("names",), "arda-##"),
    ("machines/b.yaml", (), None),
]


def source(more: str = "") -> Source:
    """Return a source that has read files, with ``more`` lines in each."""
    found = Source(
        {
            "fleet.yaml": f"{RULES}{more}",
            "machines/a.yaml": machine(40, more),
            "layers/arda.yaml": f"{ARDA}config: {{worker: configs/w.yaml}}\nnames: arda-##\n{more}",
        }
    )
    found.model("fleet.yaml", FleetFile)
    found.model("machines/a.yaml", MachineFile)
    found.model("layers/arda.yaml", TalosLayer)
    return found


@pytest.mark.parametrize(("path", "location", "part"), PARTS)
def test_a_part_of_a_file_without_faults_is_not_validated_again(
    path: str, location: Location, part: Any
) -> None:
    assert source().part(path, location, NOTHING) == part
    assert source("colour: red\n").part(path, location, NOTHING) is None


@pytest.mark.parametrize(("path", "location", "part"), PARTS)
def test_a_part_of_a_faulty_file_is_the_same(path: str, location: Location, part: Any) -> None:
    kind: TypeAdapter[Any] = TypeAdapter(type(part))
    assert source("colour: red\n").part(path, location, kind) == part


def test_a_part_without_a_file_of_its_own() -> None:
    assert source().part("layers/arda.yaml", ("config", Role.WORKER), TypeAdapter(str)) == "configs/w.yaml"
    assert source().machines == ["machines/a.yaml"]
