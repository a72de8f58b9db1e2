"""One verdict on a fleet: of its directory, as ``fleet validate DIRECTORY`` has it, and of a push, as the hook has it."""

from pathlib import Path

import pytest
from support.git_site import NOTHING
from support.repositories import bare

from iluvatar_pxe.errors import FleetError
from iluvatar_pxe.gitops.directory import read_fleet
from iluvatar_pxe.gitops.hook import Verdict, judge
from iluvatar_pxe.gitops.repository.bare import Changes
from iluvatar_pxe.gitops.repository.tree import MAX_FILE

MACHINE = b'match: {macs: ["52:54:00:00:00:01"]}\nchain: local\n'
SCRIPT = MACHINE.replace(b"local", b"ipxe")
LARGE = b"#" * (MAX_FILE + 1)
CASES: dict[str, tuple[dict[str, bytes], list[str]]] = {
    "good": ({"machines/a.yaml": MACHINE}, []),
    "no fleet.yaml": ({"fleet.yaml": b"domain: 7\n"}, ["fleet.yaml:1"]),
    "hidden": ({".git-crypt/a.yaml": b"\xff", "machines/.a.yaml.swp": b"\xff", "notes/.x/a.bin": LARGE}, []),
    "applications": ({"apps/arda/a.yaml": LARGE, "apps/b": b"\xff"}, []),
    "a script in apps": (
        {"machines/a.yaml": SCRIPT + b"script: apps/a.ipxe\n", "apps/a.ipxe": b"#!ipxe\n"},
        ["machines/a.yaml:3"],
    ),
    "a folder called apps elsewhere": (
        {"machines/a.yaml": SCRIPT + b"script: scripts/apps/a.ipxe\n", "scripts/apps/a.ipxe": b"#!ipxe\n"},
        [],
    ),
    "no text": ({"machines/a.yaml": b"a: \xff\n"}, ["machines/a.yaml:1"]),
    "no text, and no declaration": ({"logo.png": b"\xff"}, []),
    "large": ({"machines/a.yaml": LARGE}, ["machines/a.yaml:1"]),
    "large, and no declaration": ({"image.bin": LARGE}, []),
    "two machines with one card": (
        {"machines/a.yaml": MACHINE, "machines/b.yaml": MACHINE},
        ["machines/b.yaml:1"],
    ),
    "a patch that Talos refuses": (
        {
            "layers/arda.yaml": b"kind: talos\ntalos: {version: v1.13.9}\npatches: [patches/a.yaml]\n",
            "patches/a.yaml": b"machine:\n  kubelets: {}\n",
        },
        ["patches/a.yaml:2"],
    ),
    "a patch that moves Talos to another disk": (
        {
            "layers/arda.yaml": b"kind: talos\ntalos: {version: v1.13.9}\nrolePatches: {worker: [patches/a.yaml]}\n",
            "patches/a.yaml": b"machine:\n  install:\n    disk: /dev/sdb\n    diskSelector: {$patch: delete}\n",
        },
        ["patches/a.yaml:3", "patches/a.yaml:4"],
    ),
}


def places(found: list[str]) -> list[str]:
    return [one.partition(": ")[0] for one in found]


@pytest.mark.parametrize("case", CASES)
async def test_a_directory_and_a_push_are_judged_alike(tmp_path: Path, case: str) -> None:
    more, expected = CASES[case]
    files = {"fleet.yaml": b"domain: lab.home.arpa\n"} | more
    directory = tmp_path / "fleet"
    for name, octets in files.items():
        path = directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(octets)
    found: list[str] = []
    try:
        read_fleet(directory)
    except FleetError as error:
        found = [one.removeprefix(f"{directory}/") for one in error.findings]
    assert places(found) == expected
    verdict = await pushed(tmp_path / "fleet.git", files)
    assert (places(verdict.faults), verdict.secrets, verdict.warnings) == (expected, [], [])


async def pushed(path: Path, files: dict[str, bytes]) -> Verdict:
    repository = bare(path)
    commit = await repository.draft(None, Changes("all of it", dict(files)))
    return await judge(repository, [f"{NOTHING} {commit} {repository.ref}\n"])
