"""The wheel: built, installed from the lock into an empty environment, and started far from the checkout."""

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from support.daemon import Daemon

from iluvatar_pxe.layers.ainur.seed_card.wheels import make_own_wheel

ROOT = Path(__file__).parents[1]
DATA = ("boot_assets", "migrations", "systemd")
TIMEOUT = 300


def pip(*arguments: str) -> None:
    command = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=TIMEOUT, cwd=ROOT)
    assert done.returncode == 0, done.stderr


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("wheel")
    pip("wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", str(directory), str(ROOT))
    (built,) = directory.iterdir()
    return built


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory, wheel: Path) -> Path:
    """An environment that holds the wheel and what the lock names, and nothing of this one."""
    directory = tmp_path_factory.mktemp("environment")
    subprocess.run(
        [sys.executable, "-m", "venv", "--without-pip", str(directory)], check=True, timeout=TIMEOUT
    )
    python = str(directory / "bin" / "python")
    pip(
        "--python",
        python,
        "install",
        "--no-compile",
        "--require-hashes",
        "--requirement",
        str(ROOT / "requirements.lock"),
    )
    pip("--python", python, "install", "--no-compile", "--no-deps", str(wheel))
    return directory


def files_below(directory: Path) -> set[str]:
    return {
        path.relative_to(directory).as_posix()
        for path in directory.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }


def test_the_wheel_carries_its_data(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        packed = set(archive.namelist())
    for name in DATA:
        expected = {f"iluvatar_pxe/_data/{name}/{file}" for file in files_below(ROOT / name)}
        assert expected
        assert expected <= packed


def test_the_wheel_holds_the_package_and_nothing_else(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        packed = set(archive.namelist())
    assert {name.split("/")[0].split("-")[0] for name in packed} == {"iluvatar_pxe"}
    modules = {name for name in packed if name.endswith(".py") and "/_data/" not in name}
    assert modules == {
        f"iluvatar_pxe/{file}" for file in files_below(ROOT / "iluvatar_pxe") if file.endswith(".py")
    }
    assert not [name for name in packed if name.endswith((".pyc", ".efi", ".kpxe"))]


def test_a_seed_card_s_wheel_has_the_same_files(wheel: Path, tmp_path: Path) -> None:
    """It is made of what runs, without what builds wheels."""
    make_own_wheel(tmp_path)
    (own,) = tmp_path.iterdir()
    assert own.name == wheel.name
    contents = [contents_of(path) for path in (wheel, own)]
    assert contents[0] == contents[1]


def contents_of(wheel: Path) -> dict[str, bytes]:
    """Return its files but for those that differ by how it was made, and by when this environment was."""
    made = ("/METADATA", "/RECORD", "/WHEEL")
    with zipfile.ZipFile(wheel) as archive:
        names = [name for name in archive.namelist() if not name.endswith(made) and "/licenses/" not in name]
        return {name: archive.read(name) for name in names}


def test_the_lock_names_no_index() -> None:
    lines = (ROOT / "requirements.lock").read_text(encoding="utf-8").splitlines()
    assert not [
        line
        for line in lines
        if "://" in line or line.lstrip().startswith(("-i", "--index", "--extra", "-f"))
    ]
    pinned = [line for line in lines if "==" in line]
    assert pinned
    assert sum("--hash=sha256:" in line for line in lines) >= len(pinned)


@pytest.mark.long  # documents/test_installed.py installs it likewise, without a wheel
def test_the_installed_daemon_serves(environment: Path, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    command = [str(environment / "bin" / "iluvatar-pxe")]
    with Daemon(tmp_path, command=command, working_directory=elsewhere) as daemon:
        status, report = daemon.ready()
        assert (status, report["ready"]) == (200, True)
        assert daemon.get("/boot.ipxe")[1].startswith(b"#!ipxe\n")
        assert b"waits." in daemon.get("/ipxe?mac=52:54:00:77:00:01")[1]
        assert (daemon.fleet / "fleet.yaml").is_file(), "the starter fleet is in the wheel"
        modules = Path(f"/proc/{daemon.process.pid}/maps").read_text(encoding="utf-8")
        assert str(ROOT / ".venv") not in modules
        assert daemon.stop() == 0
    assert not list(elsewhere.iterdir())
