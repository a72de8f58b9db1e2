"""The Debian package: built by ``make deb``, judged by lintian, installed, upgraded and removed in fresh systems."""

import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest
from support.debian import RELEASES, Debian, debian

ROOT = Path(__file__).parents[2]
MACHINES = {"amd64": "x86_64", "arm64": "aarch64"}
STATE = "/var/lib/iluvatar-pxe"
HOME = "/usr/lib/iluvatar-pxe"
UNITS = "/etc/systemd/system"
SECONDS = 900.0
NEEDED = "python3-venv ipxe git"

pytestmark = pytest.mark.long


def output_of(*command: str, cwd: Path = ROOT) -> str:
    done = subprocess.run(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        timeout=SECONDS,
        cwd=cwd,
    )
    assert done.returncode == 0, done.stdout
    return done.stdout


@dataclass(frozen=True)
class Built:
    """The packages of this checkout by architecture, and one of a later version for this host's."""

    packages: dict[str, Path]
    later: Path


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Built:
    directory, later = tmp_path_factory.mktemp("packages"), tmp_path_factory.mktemp("later")
    output_of("make", "deb", f"DEB_DIRECTORY={directory}")
    packages = {path.stem.rpartition("_")[2]: path for path in directory.iterdir()}
    assert packages.keys() == MACHINES.keys()
    for name in ("iluvatar_pxe", "boot_assets", "migrations", "systemd"):
        shutil.copytree(ROOT / name, later / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("README.md", "CHANGELOG.md", "LICENSE", "requirements.lock"):
        shutil.copy(ROOT / name, later / name)
    (later / ".venv").symlink_to(ROOT / ".venv")
    settings = (ROOT / "pyproject.toml").read_text()
    (later / "pyproject.toml").write_text(re.sub(r'(?m)^version = ".*"', 'version = "99.1"', settings))
    output_of("sh", "systemd/debian/build", architecture(), ".", cwd=later)
    return Built(packages, later / f"iluvatar-pxe_99.1_{architecture()}.deb")


def architecture() -> str:
    return output_of("dpkg", "--print-architecture").strip()


@pytest.mark.parametrize("name", MACHINES)
def test_lintian_finds_no_error(built: Built, name: str, tmp_path: Path) -> None:
    if not shutil.which("lintian"):
        pytest.skip("needs lintian")
    lintian = ("env", f"TMPDIR={tmp_path}", "lintian")  # it leaves some files there
    told = output_of(*lintian, "--allow-root", "--fail-on=error", str(built.packages[name]))
    assert "\nE: " not in f"\n{told}"


@pytest.mark.parametrize("name", MACHINES)
def test_it_carries_what_the_lock_pins_for_its_architecture(built: Built, name: str) -> None:
    listed = output_of("dpkg-deb", "--contents", str(built.packages[name]))
    wheels = re.findall(r"wheels/([^-\s]+)-([^-\s]+)-\S+-(\S+)\.whl", listed)
    assert {platform for *_, platform in wheels if MACHINES[name] not in platform} == {"any"}
    lock = (ROOT / "requirements.lock").read_text()
    pinned = set(re.findall(r"^(\S+)==(\S+) (?!; sys_platform == 'win32')", lock, re.MULTILINE))
    carried = {(re.sub(r"[._]", "-", wheel.lower()), version) for wheel, version, _ in wheels}
    assert {one for one in carried if one[0] != "iluvatar-pxe"} == pinned


@pytest.mark.parametrize("name", MACHINES)
def test_it_has_a_man_page_and_completion(built: Built, name: str) -> None:
    listed = output_of("dpkg-deb", "--contents", str(built.packages[name]))
    for file in ("man/man1/iluvatar-pxe.1.gz", "bash-completion/completions/iluvatar-pxe"):
        assert re.search(rf" [1-9]\d+ \S+ \S+ \./usr/share/{file}$", listed, re.MULTILINE), file


@pytest.mark.parametrize("release", RELEASES)
def test_it_is_installed_upgraded_and_removed(built: Built, release: str) -> None:
    with debian(release) as system:
        system.does(f"sudo apt-get install --quiet --quiet --yes {NEEDED}", online=True)
        for path in (built.packages[architecture()], built.later):
            shutil.copy(path, system.host.outside("/srv"))
        told = apt(system, f"install /srv/{built.packages[architecture()].name}")
        assert "iluvatar-pxe.service: started" in told
        fleet = what_is_kept(system)
        system.does("echo '# mine' | sudo tee --append /etc/iluvatar-pxe/config.toml")

        is_upgraded(system, built.later.name)
        is_made_again_for_another_python(system)
        is_removed(system)
        is_installed_although_it_cannot_start(system, built.later.name)
        assert what_is_kept(system) == fleet
        assert "# mine" in system.does("cat /etc/iluvatar-pxe/config.toml")
        assert f"Kept: {STATE}" in apt(system, "purge iluvatar-pxe")
        assert not system.host.outside("/etc/iluvatar-pxe").exists()
        assert system.host.outside(f"{STATE}/git/fleet.git").is_dir()


def apt(system: Debian, words: str) -> str:
    """Have the packages changed by somebody whose host reaches no network."""
    return system.does(f"sudo DEBIAN_FRONTEND=noninteractive apt-get --quiet --yes {words}")


def what_is_kept(system: Debian) -> str:
    assert system.host.shown("ActiveState") == "active"
    git = f"git -c safe.directory='*' -C {STATE}/git/fleet.git rev-parse main"
    return system.does(f"sudo {git} && sudo sha256sum {STATE}/tls/ca.crt")


def is_upgraded(system: Debian, name: str) -> None:
    fleet, before = what_is_kept(system), system.host.shown("MainPID")
    apt(system, f"install /srv/{name}")
    assert what_is_kept(system) == fleet
    assert system.host.shown("MainPID") != before
    (environment,) = environments(system)
    assert environment.startswith("venv-99.1-3.")
    assert f"{HOME}/{environment}/bin" in system.host.shown("ExecStart")
    assert "# mine" in system.does("cat /etc/iluvatar-pxe/config.toml")


def is_made_again_for_another_python(system: Debian) -> None:
    """Python's package has come, with another environment than there is one for."""
    (environment,) = environments(system)
    system.does(f"sudo mv {HOME}/{environment} {HOME}/venv-99.1-3.1")
    system.does(
        "sudo dpkg-trigger --by-package=python3-minimal /usr/bin/python3 && sudo dpkg --triggers-only --pending"
    )
    assert environments(system) == [environment]
    what_is_kept(system)


def is_installed_although_it_cannot_start(system: Debian, name: str) -> None:
    settings = "/etc/iluvatar-pxe/config.toml"
    system.does(f"echo 'colour = 1' | sudo tee --append {settings}")
    assert "When the cause is corrected: sudo iluvatar-pxe install" in apt(system, f"install /srv/{name}")
    system.does(f"sudo sed --in-place '/^colour/d' {settings} && sudo iluvatar-pxe install")


def environments(system: Debian) -> list[str]:
    return [path.name for path in system.host.outside(HOME).glob("venv-*")]


def is_removed(system: Debian) -> None:
    apt(system, "remove iluvatar-pxe")
    assert system.host.shown("LoadState") == "not-found"
    for path in (
        HOME,
        f"{UNITS}/iluvatar-pxe.service",
        f"{UNITS}/iluvatar-pxe.socket",
        "/usr/bin/iluvatar-pxe",
    ):
        assert not system.host.outside(path).exists(), path
    assert "# mine" in system.does("cat /etc/iluvatar-pxe/config.toml")
