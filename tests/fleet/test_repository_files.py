"""What files of one commit may not say together, and what the daemon itself writes into them."""

from collections.abc import Mapping

import pytest
from support.fleets import CONFIGURED

from iluvatar_pxe.errors import FleetError
from iluvatar_pxe.fleet.parse import parse_fleet

UUID = "4c4c4544-0031-3010-8056-b7c04f4a3232"
GOOD: Mapping[str, str] = {
    "fleet.yaml": "",
    "layers/arda.yaml": CONFIGURED,
    "configs/controlplane.yaml": "a: 1\n",
    "configs/worker.yaml": "a: 1\n",
    "patches/disk.yaml": "machine: {}\n",
    "machines/a.yaml": 'match: {macs: ["52:54:00:00:00:01"]}\naddress: 10.0.0.7\n',
}
B = 'match: {macs: ["52:54:00:00:00:02"]}\n'


def findings(changes: Mapping[str, str]) -> list[str]:
    with pytest.raises(FleetError) as caught:
        parse_fleet({**GOOD, **changes})
    return caught.value.findings


@pytest.mark.parametrize(
    ("path", "text", "expected"),
    [
        (
            "machines/b.yaml",
            f"{B}patches: [patches/none.yaml]\n",
            "2: patches: patches/none.yaml is not a file in patches/; ",
        ),
        (
            "machines/b.yaml",
            f"{B}patches: [configs/worker.yaml]\n",
            "2: patches: configs/worker.yaml is not a file in ",
        ),
        (
            "layers/arda.yaml",
            f"{CONFIGURED}patches:\n  - patches/no.yaml\n",
            "5: patches: patches/no.yaml is not a file in ",
        ),
        (
            "machines/b.yaml",
            f"{B}name: c\n",
            "2: name: the file's name says b; rename the file, or remove this key",
        ),
        (
            "machines/b.yaml",
            f"{B}address: 10.0.0.7\n",
            "2: address 10.0.0.7 is already listed in machines/a.yaml; ",
        ),
        ("machines/b.yaml", f"{B}layer: mordor\n", "2: layer mordor needs layers/mordor.yaml; "),
        (
            "machines/b.yaml",
            f"{B}role: agent\n",
            "2: role: arda has no role agent; it has controlplane and worker",
        ),
        ("clusters/arda.yaml", "layer: arda\nfounder: a\n", "1: caFingerprint: is missing; add it"),
        ("clusters/notes.txt", "x", "1: is not a fleet file; "),
        (
            "enrolment.yaml",
            "at: '2026-02-30T13:30:00Z'\nseconds: 60\nby: anna\n",
            "1: at: write a time in UTC, such as 2026-11-29T13:30:00Z",
        ),
        (
            "recipients.yaml",
            "recovery: AGE-SECRET-KEY-1X\n",
            "1: recovery: write an age public key, which begins with age1",
        ),
    ],
)
def test_a_contradiction_has_file_line_and_remedy(path: str, text: str, expected: str) -> None:
    lines = findings({path: text})
    assert any(line.startswith(f"{path}:{expected}") for line in lines), lines


def test_one_machine_in_two_files_is_found_by_what_was_seen_of_it() -> None:
    """By its card in one, by serial number and UUID in the other."""
    by_card = f"{B}seen: {{serial: JX31, uuid: {UUID}}}\n"
    by_hardware = f"match: {{serial: JX31, uuid: {UUID}}}\n"
    (line,) = findings({"machines/b.yaml": by_card, "machines/c.yaml": by_hardware})
    assert line.startswith(
        "machines/b.yaml:2: machines/c.yaml already lists this machine by its serial number and UUID"
    )


def test_two_clusters_of_one_ca_are_found() -> None:
    files = {}
    for layer in ("arda", "valinor"):
        files[f"clusters/{layer}.yaml"] = f"layer: {layer}\ncaFingerprint: '{':'.join(['AB'] * 32)}'\n"
        files[f"clusters/{layer}.secrets.age"] = "-----BEGIN AGE ENCRYPTED FILE-----\n"
    (line,) = findings(files)
    assert line.startswith(
        "clusters/valinor.yaml:2: caFingerprint: is that of clusters/arda.yaml; two clusters cannot"
    )


def test_what_the_daemon_writes_is_read() -> None:
    record = f"layer: arda\ncaFingerprint: '{':'.join(['AB'] * 32)}'\ngeneration: 2\nfounder: a\n"
    sealed = "-----BEGIN AGE ENCRYPTED FILE-----\n"
    fleet = parse_fleet({**GOOD, "clusters/arda.yaml": record, "clusters/arda.secrets.age": sealed})
    assert (fleet.clusters["arda"].founder, fleet.clusters["arda"].generation) == ("a", 2)
    assert "clusters/arda.secrets.age" not in fleet.texts
    assert str(fleet.listed[0].file.address) == "10.0.0.7"


def test_a_version_of_k3s_that_a_running_cluster_cannot_reach_is_found() -> None:
    record = f"layer: ainur\ncaFingerprint: '{':'.join(['AB'] * 32)}'\nversion: v1.36.3+k3s1\n"
    files = {
        "clusters/ainur.yaml": record,
        "clusters/ainur.secrets.age": "-----BEGIN AGE ENCRYPTED FILE-----\n",
    }
    layer = "kind: k3s\nk3s: {{version: {}}}\n"
    for version in ("v1.36.4+k3s1", "v1.37.0+k3s1", "v1.36.2+k3s1", "stable"):
        parse_fleet({**GOOD, **files, "layers/ainur.yaml": layer.format(version)})
    (line,) = findings(files | {"layers/ainur.yaml": layer.format("v1.38.0+k3s1")})
    assert line.startswith(
        "layers/ainur.yaml:2: version: k3s may skip no minor version, and ainur runs v1.36.3+k3s1"
    )
