"""A fleet that is read again: what was right before is wrong as soon as something that it depends on has changed."""

import pytest

from iluvatar_pxe.errors import FleetError
from iluvatar_pxe.fleet.parse import parse_fleet

FILES = {
    "fleet.yaml": "menu: {entries: [{name: rescue, script: rescue.ipxe}]}\n",
    "layers/arda.yaml": "kind: talos\ntalos: {version: v1.13.9, schematic: abc}\n",
    "machines/one.yaml": 'match: {macs: ["52:54:00:00:00:01"]}\nrole: worker\npatches: [patches/a.yaml]\n',
    "machines/two.yaml": 'match: {macs: ["52:54:00:00:00:02"]}\nchain: talos\nconfig: configs/two.yaml\n',
    "machines/three.yaml": 'match: {macs: ["52:54:00:00:00:03"]}\nchain: menu\n',
    "patches/a.yaml": "machine: {}\n",
    "configs/two.yaml": "machine: {}\n",
    "rescue.ipxe": "#!ipxe\nshell\n",
}
K3S = "kind: k3s\nk3s: {version: v1.36.1+k3s1}\n"


@pytest.mark.parametrize(
    ("changes", "faulty"),
    [
        ({"layers/arda.yaml": K3S}, {"machines/one.yaml", "machines/two.yaml"}),
        ({"layers/ainur.yaml": K3S}, set()),
        ({"layers/other.yaml": FILES["layers/arda.yaml"]}, {"machines/one.yaml", "machines/two.yaml"}),
        ({"patches/a.yaml": None}, {"machines/one.yaml"}),
        ({"configs/two.yaml": None}, {"machines/two.yaml"}),
        ({"fleet.yaml": ""}, {"machines/three.yaml"}),
        ({"machines/two.yaml": FILES["machines/two.yaml"] + "name: other\n"}, {"machines/two.yaml"}),
        ({"machines/four.yaml": FILES["machines/three.yaml"]}, {"machines/three.yaml"}),
        ({"machines/one.yaml": FILES["machines/one.yaml"] + "# nothing\n"}, set()),
    ],
)
def test_a_change_is_judged_with_all_that_depends_on_it(
    changes: dict[str, str | None], faulty: set[str]
) -> None:
    parse_fleet(FILES)
    files = {path: text for path, text in {**FILES, **changes}.items() if text is not None}
    for _ in range(2):  # what is wrong stays so
        assert faults(files) == faulty
    assert faults(FILES) == set()


def faults(files: dict[str, str]) -> set[str]:
    try:
        parse_fleet(files)
    except FleetError as error:
        return {line.partition(":")[0] for line in error.findings if line.startswith("machines/")}
    return set()
