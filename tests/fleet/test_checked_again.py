"""A fleet that is read again: what was right before is wrong as soon as something that it depends on has changed."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from iluvatar_pxe.errors import FleetError
from iluvatar_pxe.fleet import checks
from iluvatar_pxe.fleet.parse import parse_fleet
from iluvatar_pxe.fleet.reading import read_text

Files = dict[str, str]

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
TALOS = FILES["layers/arda.yaml"]
ONE, TWO = (f'match: {{macs: ["52:54:00:00:00:0{number}"]}}\n' for number in (1, 2))
OTHERS = {
    "fleet.yaml": ("", FILES["fleet.yaml"], "domain: 7\n", "rules: [{match: {}, layer: ainur}]\n"),
    "layers/arda.yaml": (TALOS, K3S, "kind: x\n", f"{TALOS}config: {{controlplane: configs/two.yaml}}\n"),
    "layers/ainur.yaml": (K3S, TALOS),
    "patches/a.yaml": ("machine: {}\n",),
    "configs/two.yaml": ("machine: {}\n",),
    "rescue.ipxe": ("#!ipxe\nshell\n", "shell\n"),
    "clusters/arda.yaml": ("layer: arda\n",),
}
MACHINES = (
    *(ONE, TWO, f"{ONE}role: worker\n", f"{TWO}role: server\nlayer: ainur\n", f"{TWO}layer: gone\n"),
    *(f"{ONE}patches: [patches/a.yaml]\n", f"{TWO}config: configs/two.yaml\n", f"{ONE}chain: menu\n"),
    *(f"{ONE}chain: ipxe\nscript: rescue.ipxe\n", f"{TWO}chain: ipxe\nscript: machines/two.yaml\n"),
    *(f"{ONE}address: 192.0.2.7\n", f"{TWO}address: 192.0.2.7\n", f"{ONE}name: one\n", f"{ONE}colour: red\n"),
    *("x", "a: \n b\n", f"{ONE}image: x\nrole: agent\n", f"{TWO}chain: local\n"),
)
TEXTS = OTHERS | {f"machines/{name}.yaml": MACHINES for name in ("one", "two", "ainur")}
EDIT = st.sampled_from(sorted(TEXTS)).flatmap(
    lambda path: st.tuples(st.just(path), st.sampled_from((None, *TEXTS[path])))
)


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


def faults(files: Files) -> set[str]:
    return {line.partition(":")[0] for line in findings(files) if line.startswith("machines/")}


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(st.lists(EDIT, min_size=1, max_size=3), st.booleans()), min_size=1, max_size=6))
def test_what_was_read_before_changes_no_verdict(
    pushes: list[tuple[list[tuple[str, str | None]], bool]],
) -> None:
    """The next push is made on top of a refused one, or of what was right before it."""
    findings(FILES, anew=True)
    files, states = FILES, [FILES]
    for edits, stays in pushes:
        changed = {**files, **dict(edits)}
        states.append({path: text for path, text in changed.items() if text is not None})
        files = states[-1] if stays or not findings(states[-1]) else files
    remembered = [findings(state) for state in states]
    assert remembered == [findings(state, anew=True) for state in states]


def findings(files: Files, *, anew: bool = False) -> list[str]:
    """Return what is wrong with a fleet; ``anew``: as a process says that has read nothing yet."""
    if anew:
        checks._judged = checks._Judged({}, {})
        read_text.cache_clear()
    try:
        parse_fleet(files)
    except FleetError as error:
        return error.findings
    return []
