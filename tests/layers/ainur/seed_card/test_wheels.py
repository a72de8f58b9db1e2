"""The wheels of a card are those of the lock, for its Python and machine, and the daemon's own."""

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from support.wheels import make_lock, make_wheel

from iluvatar_pxe.errors import SeedCardError
from iluvatar_pxe.layers.ainur.seed_card.wheels import WheelSource, gather, make_own_wheel

AARCH64 = "cp312-cp312-manylinux_2_17_aarch64.manylinux2014_aarch64"


@pytest.fixture
def source(tmp_path: Path) -> WheelSource:
    folder = tmp_path / "folder"
    folder.mkdir()
    wheels = [
        make_wheel(folder, "fast", {"fast.so": b"312"}, AARCH64),
        make_wheel(folder, "fast", {"fast.so": b"313"}, AARCH64.replace("312", "313")),
        make_wheel(folder, "fast", {"fast.so": b"x86"}, AARCH64.replace("aarch64", "x86_64")),
        make_wheel(folder, "stable", {"stable.so": b""}, "cp311-abi3-manylinux_2_28_aarch64"),
        make_wheel(folder, "plain", {"plain.py": b""}),
    ]
    return WheelSource(make_lock(tmp_path / "lock", wheels), folder)


@pytest.fixture
def place(tmp_path: Path) -> Path:
    directory = tmp_path / "place"
    directory.mkdir()
    return directory


def test_each_is_for_the_card_s_python_and_machine(source: WheelSource, place: Path) -> None:
    gather(place, source, "3.12", "aarch64")
    names = {path.name for path in place.iterdir()}
    assert {f"fast-1.0-{AARCH64}.whl", "plain-1.0-py3-none-any.whl"} < names
    assert "stable-1.0-cp311-abi3-manylinux_2_28_aarch64.whl" in names
    (own,) = (name for name in names if name.startswith("iluvatar_pxe-"))
    assert len(names) == 4
    target = place / "installed"
    pip = (sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps")
    subprocess.run(
        [*pip, "--no-index", "--no-compile", "--target", str(target), str(place / own)], check=True
    )
    assert (target / "iluvatar_pxe/_data/boot_assets/catalogue.toml").is_file()
    assert (target / "iluvatar_pxe/_data/requirements.lock").is_file()
    assert (target / "bin/iluvatar-pxe").is_file()


def test_one_that_is_missing_is_named(source: WheelSource, place: Path) -> None:
    with pytest.raises(
        SeedCardError, match=r"Python 3.14 on aarch64 cannot be had: .*fast==1.0.*--wheels DIR"
    ) as caught:
        gather(place, source, "3.14", "aarch64")
    assert "\n" not in str(caught.value)


def test_one_that_is_not_what_the_lock_pins_is_refused(source: WheelSource, place: Path) -> None:
    assert source.folder
    make_wheel(source.folder, "plain", {"plain.py": b"another"})
    with pytest.raises(SeedCardError, match=r"cannot be had: .*HASHES"):
        gather(place, source, "3.12", "aarch64")


def test_one_that_needs_more_than_to_be_unpacked_is_refused(tmp_path: Path, place: Path) -> None:
    wheel = make_wheel(tmp_path, "plain", {"plain-1.0.data/scripts/plain": b"#!python"})
    source = WheelSource(make_lock(tmp_path / "lock", [wheel]), tmp_path)
    with pytest.raises(SeedCardError, match=r"plain-1.0-py3-none-any.whl: cannot be installed by unpacking"):
        gather(place, source, "3.12", "aarch64")


def test_the_daemon_s_own_is_the_same_each_time(tmp_path: Path) -> None:
    places = [tmp_path / "one", tmp_path / "two"]
    for directory in places:
        directory.mkdir()
        make_own_wheel(directory)
    one, two = (next(directory.iterdir()) for directory in places)
    assert one.read_bytes() == two.read_bytes()
    with zipfile.ZipFile(one) as archive:
        assert archive.testzip() is None
