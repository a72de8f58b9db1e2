from pathlib import Path

import pytest

from iluvatar_pxe.errors import LabError
from iluvatar_pxe.lab.system import packages

OWN = "examplesuite"
STANZAS = f"""\
# the distribution
Types: deb
URIs: http://mirror.test/debian
Suites: {OWN} {OWN}-updates
Components: main

Types: deb
URIs: http://mirror.test/security
Suites: {OWN}-security
Components: main
"""
LINES = f"""\
deb [arch=amd64 signed-by=/x.gpg] http://second.test/debian {OWN} main contrib
deb-src http://second.test/debian {OWN} main
deb http://elsewhere.test/apt vendor-{OWN} main
# deb http://disabled.test/debian {OWN} main
"""


@pytest.mark.parametrize("layout", ["bin/busybox", "usr/bin/busybox"])
def test_a_file_is_found_in_the_packages_of_debian_12_and_of_13(tmp_path: Path, layout: str) -> None:
    (tmp_path / "usr" / "share").mkdir(parents=True)
    (tmp_path / layout).parent.mkdir(exist_ok=True, parents=True)
    (tmp_path / layout).touch()
    assert packages.place_in(tmp_path, "bin/busybox") == tmp_path / layout


@pytest.fixture
def sources(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(packages, "_SOURCES", tmp_path)
    monkeypatch.setattr(packages, "_ONE_LINE_SOURCES", tmp_path / "absent")
    monkeypatch.setattr(packages, "own_suite", lambda: OWN)
    return tmp_path


def test_own_sources_of_the_release_are_taken_with_the_other_suites_name(sources: Path) -> None:
    (sources / "debian.sources").write_text(STANZAS)
    (sources / "more.list").write_text(LINES)
    (sources / "off.sources.disabled").write_text(STANZAS.replace("mirror", "disabled"))
    text = packages._sources("other", "main non-free-firmware")
    uris = [line.partition(": ")[2] for line in text.splitlines() if line.startswith("URIs")]
    assert uris == ["http://mirror.test/debian", "http://second.test/debian"]
    assert text.count("Suites: other\n") == 2
    assert text.count("Components: main non-free-firmware\n") == 2
    assert OWN not in text


def test_a_host_without_such_sources_is_told_so(sources: Path) -> None:
    (sources / "vendor.list").write_text("deb http://elsewhere.test/apt stable main\n")
    with pytest.raises(LabError, match=f"no source of {OWN}"):
        packages._sources("other", "main non-free-firmware")
