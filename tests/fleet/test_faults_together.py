"""A fault in a file hides none of the others, neither there nor between files."""

from collections.abc import Mapping

import pytest
from support.fleets import ARDA

from iluvatar_pxe.errors import FleetError
from iluvatar_pxe.fleet.parse import parse_fleet

LOCAL = "match: {macs: [52:54:00:00:00:02]}\nchain: local\n"
BOTH = "match: {serial: JX31, uuid: 4c4c4544-0031-3010-8056-b7c04f4a3232}\nchain: hold\n"
SWAPPED = BOTH.replace("4c4c4544-0031-3010", "44454c4c-3100-1030")
GOOD = {"fleet.yaml": "", "layers/arda.yaml": ARDA, "configs/one.yaml": "machine: {}\n"}


def findings(changes: Mapping[str, str]) -> list[str]:
    """Return what is wrong with the good fleet after ``changes``."""
    with pytest.raises(FleetError) as caught:
        parse_fleet({**GOOD, **changes})
    return caught.value.findings


SAME = "52:54:00:00:00:02 is already listed in machines/three.yaml; remove it from one of them"
HARDWARE = "serial number JX31"


@pytest.mark.parametrize(
    ("changes", "faults"),
    [
        (
            {"machines/three.yaml": f"{LOCAL}role: boss\n", "machines/two.yaml": LOCAL},
            ["machines/three.yaml:3: role: input should be ", f"machines/two.yaml:1: {SAME}"],
        ),
        (
            {"machines/three.yaml": LOCAL, "machines/two.yaml": f"{LOCAL}colour: red\n"},
            [f"machines/two.yaml:1: {SAME}", "machines/two.yaml:3: colour: no such key; "],
        ),
        (
            {"machines/three.yaml": f"{BOTH}local: 405\n", "machines/two.yaml": f"{SWAPPED}role: boss\n"},
            [
                "machines/three.yaml:3: local: ",
                f"machines/two.yaml:1: {HARDWARE} is already listed in machines/three.yaml; ",
                "machines/two.yaml:3: role: ",
            ],
        ),
        (
            {"fleet.yaml": "rules:\n  - layer: arda\n  - intent: boot\n  - intent: hold\n    name: x\n"},
            [
                "fleet.yaml:3: rule 2 is never reached, because rule 1 matches every machine; move it up",
                "fleet.yaml:3: rules.2: a rule's intent is local, hold or ignore; ",
                "fleet.yaml:4: rule 3 is never reached, because rule 1 matches every machine; move it up",
            ],
        ),
        (
            {
                "fleet.yaml": "rules:\n  - 7\n  - layer: ainur\n  - layer: arda\n    script: no.ipxe\ncolour: red\n"
            },
            [
                "fleet.yaml:2: rules.1: has no keys; ",
                "fleet.yaml:3: layer ainur needs layers/ainur.yaml; create it",
                "fleet.yaml:4: rule 3 is never reached, because rule 2 matches every machine; ",
                "fleet.yaml:4: rules.3: the key 'script' is only for chain ipxe, not for the chain of its layer",
                "fleet.yaml:5: no.ipxe is not a text file in the fleet; ",
                "fleet.yaml:6: colour: no such key; ",
            ],
        ),
        (
            {"machines/two.yaml": f"{LOCAL}role: boss\nlayer: ainur\nscript: configs/one.yaml\n"},
            [
                "configs/one.yaml:1: is not an iPXE script; ",
                "machines/two.yaml:3: role: ",
                "machines/two.yaml:4: layer ainur needs layers/ainur.yaml; create it",
            ],
        ),
        (
            {
                "layers/arda.yaml": f"{ARDA}controlPlanes: 2\nconfig: {{worker: no.yaml, boss: no.yaml}}\n",
                "layers/ainur.yaml": "kind: k3s\nservers: 2\n",
            },
            [
                "layers/ainur.yaml:2: servers: ",
                "layers/arda.yaml:3: controlPlanes: ",
                "layers/arda.yaml:4: config.boss: ",
                "layers/arda.yaml:4: no.yaml is not a text file in the fleet; ",
            ],
        ),
        (
            {
                "layers/arda.yaml": f"{ARDA}controlPlanes: 2\nnames: a-##\n",
                "layers/ainur.yaml": "kind: k3s\nservers: 2\nnames: a-#\n",
            },
            [
                "layers/ainur.yaml:2: servers: ",
                "layers/arda.yaml:3: controlPlanes: ",
                "layers/arda.yaml:4: names: a-## can also give names of layers/ainur.yaml; ",
            ],
        ),
    ],
)
def test_a_fault_hides_no_other_in_the_same_file(changes: dict[str, str], faults: list[str]) -> None:
    lines = findings(changes)
    assert len(lines) == len(faults), lines
    for line, fault in zip(lines, faults, strict=True):
        assert line.startswith(fault)


def test_a_key_that_is_a_number_is_no_item() -> None:
    (line,) = findings({"layers/arda.yaml": f"{ARDA}config: {{7: configs/one.yaml}}\n"})
    assert line.startswith("layers/arda.yaml:3: config.7: ")
