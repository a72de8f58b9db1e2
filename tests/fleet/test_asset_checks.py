"""What contradicts itself in ``assets``, and between it and what is pinned: told with file and line."""

import pytest

from iluvatar_pxe.errors import FleetError
from iluvatar_pxe.fleet.parse import parse_fleet

ONE, TWO = "a" * 64, "b" * 64
TOOL = f"""\
assets:
  entries:
    tool:
      version: "7.20"
      files:
        - name: tool/{{version}}/tool
          urls: ["https://example.org/{{version}}"]
          sha256: {ONE}
"""
MORE = "    {name}: {{files: [{{name: {asset}, urls: [https://example.org/x]}}]}}\n"
IMAGE = """\
assets:
  entries:
    mine:
      image: mine-{version}
      files:
        - {name: "images/{version}", urls: ["https://example.org/{version}"], unpack: pi-image}
"""
LOCK = f"files:\n  tool/7.20/tool: {{sha256: {ONE}, size: 5}}\n"


def findings(fleet: str, lock: str | None = None) -> list[str]:
    files = {"fleet.yaml": fleet} | ({"assets.lock.yaml": lock} if lock is not None else {})
    try:
        parse_fleet(files)
    except FleetError as error:
        return error.findings
    return []


@pytest.mark.parametrize(
    ("fleet", "lock"),
    [
        ("assets:\n", None),
        ("assets: {versions: {ipxe: 2.0.1, metallb: v0.16.2, chart-argo-cd: 10.1.1}}\n", ""),
        (TOOL, LOCK),
        (IMAGE + MORE.format(name="other", asset="raspberry-pi/copied/x"), None),
        (TOOL + MORE.format(name="ipxe", asset="other"), "versions: {talos: {stable: v1.14.0}}\n"),
        ("assets: {mirrors: {https://github.com/: [http://nas.lan/github/]}}\n", None),
    ],
)
def test_what_a_fleet_may_say(fleet: str, lock: str | None) -> None:
    assert findings(fleet, lock) == []


@pytest.mark.parametrize(
    ("fleet", "expected"),
    [
        (
            "assets:\n  versions:\n    ipxee: 2.0.1\n",
            "3: assets.versions.ipxee: no such entry; did you mean ipxe?",
        ),
        (
            "assets:\n  versions:\n    zzz: '1'\n",
            "3: assets.versions.zzz: no such entry; docs/assets.md lists them",
        ),
        (
            "assets:\n  versions:\n    talos: v1.14.0\n",
            "3: assets.versions.talos: the version is 'talos.version' in a layer's file; remove this line",
        ),
        (
            "assets:\n  versions:\n    ubuntu-24.04: 24.04.6\n",
            "3: assets.versions.ubuntu-24.04: an image's version is in its name, such as 'image: ubuntu-24.04.5'; remove this line",
        ),
        (
            f"{TOOL}  versions:\n    tool: '8'\n",
            "10: assets.versions.tool: the entry is below 'assets.entries', write its version there",
        ),
        (
            TOOL + MORE.format(name="other", asset="tool/7.20/tool"),
            "9: assets.entries.other: assets.entries.tool has a file tool/7.20/tool, too; rename one of them",
        ),
        (
            IMAGE + MORE.format(name="other", asset="raspberry-pi/mine-8/x"),
            "7: assets.entries.other.files.1: is in the folder of an image of entry mine, which is replaced as a whole; choose another name",
        ),
        (
            TOOL + MORE.format(name="other", asset="raspberry-pi/ubuntu-24.04.5/x"),
            "9: assets.entries.other.files.1: is in the folder of an image of entry ubuntu-24.04, which is replaced as a whole; choose another name",
        ),
        (TOOL.replace('      version: "7.20"\n', ""), "3: assets.entries.tool: 'version' is missing; add it"),
        (
            TOOL.replace("/tool\n", "/{schematic}\n"),
            "3: assets.entries.tool: only talos has a {schematic}; remove it",
        ),
        (
            TOOL.replace('"7.20"', "7.20"),
            "4: assets.entries.tool.version: input should be a valid string; put it in quotes",
        ),
        (
            TOOL.replace("https:", "http:").replace(f"          sha256: {ONE}\n", ""),
            "6: assets.entries.tool.files.1: anybody on the way can change what http:// brings; write https://, or add 'sha256'",
        ),
        (
            TOOL.replace("sha256:", "sha265:"),
            "8: assets.entries.tool.files.1.sha265: no such key; did you mean sha256?",
        ),
    ],
)
def test_a_contradiction_is_told_with_its_line(fleet: str, expected: str) -> None:
    assert findings(fleet) == [f"fleet.yaml:{expected}"]


def test_two_pins_of_one_file_are_a_persons_to_decide() -> None:
    told = "files.tool/7.20/tool: assets in fleet.yaml has another sha256; remove this line, or correct that"
    assert findings(TOOL, LOCK.replace(ONE, TWO)) == [f"assets.lock.yaml:2: {told}"]


@pytest.mark.parametrize(
    ("lock", "expected"),
    [
        ("files: {a: {sha256: 1}}\n", "1: files.a.sha256: "),
        ("files:\n  a: {sha256: xyz, size: 1}\n", "2: files.a.sha256: write a SHA-256 checksum: "),
        (
            f"files:\n  ../a: {{sha256: {ONE}, size: 1}}\n",
            "2: files.../a: write the name of a file below the assets",
        ),
        ("versions:\n  talos: {newest: v1}\n", "2: versions.talos.newest: no such key"),
        ("versions:\n  talos: v1.14.0\n", "2: versions.talos: "),
    ],
)
def test_a_faulty_lock_is_told_with_its_line(lock: str, expected: str) -> None:
    assert findings("", lock)[0].startswith(f"assets.lock.yaml:{expected}")
