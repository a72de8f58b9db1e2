"""The real cloud-init of a release of Debian, as far as it checks files: its packages are unpacked, and nothing is installed."""

import os
import shutil
import subprocess
from functools import cache
from pathlib import Path

import pytest

_UNPACKED = Path(__file__).parents[2] / ".cache/cloud-init"
_NEEDED = (
    *(
        "configobj",
        "jsonpatch",
        "json-pointer",
        "jsonschema",
        "requests",
        "urllib3",
        "chardet",
        "idna",
        "certifi",
    ),
    *("six", "attr", "pyrsistent", "jinja2", "markupsafe", "yaml", "netifaces", "oauthlib"),
)
"""What cloud-init imports; always Debian 12's, as is the Python that runs it."""
_KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"
_PYTHON = "/usr/bin/python3"
_SECONDS = 600


def faults(text: str, *, release: str = "bookworm", kind: str = "cloud-config") -> str:
    """Return what ``cloud-init schema`` says of a document that it refuses; empty where it takes it."""
    paths = [
        _unpacked(name) / "usr/lib/python3/dist-packages" for name in dict.fromkeys((release, "bookworm"))
    ]
    command = [_PYTHON, "-W", "ignore", "-m", "cloudinit.cmd.main", "schema", "-c", "/dev/stdin"]
    done = subprocess.run(
        [*command, *(["-t", kind] if release != "bookworm" else [])],
        input=text,
        capture_output=True,
        text=True,
        check=False,
        env={"PATH": os.environ["PATH"], "PYTHONPATH": ":".join(map(str, paths)), "LC_ALL": "C.UTF-8"},
    )
    said = done.stdout + done.stderr
    return said if done.returncode or "deprecated" in said.lower() else ""


@cache
def _unpacked(release: str) -> Path:
    """Return the directory with a release's packages, for this Python."""
    version = subprocess.run([_PYTHON, "--version"], capture_output=True, text=True, check=False).stdout
    if not version.startswith("Python 3.11.") or not shutil.which("apt-get"):
        pytest.skip("needs Debian 12's Python and apt")
    root = _UNPACKED / release
    if root.is_dir():
        return root
    _UNPACKED.mkdir(parents=True, exist_ok=True)
    making = Path(
        _run("mktemp", "--directory", "--tmpdir", "iluvatar-pxe-cloud-init-XXXXXX", cwd=_UNPACKED).strip()
    )
    try:
        options = _apt_of(release, making) if release != "bookworm" else ()
        names = ["cloud-init", *(f"python3-{name}" for name in _NEEDED if release == "bookworm")]
        _run("apt-get", *options, "download", *names, cwd=making)
        for package in making.glob("*.deb"):
            _run("dpkg-deb", "--extract", str(package), "root", cwd=making)
        (making / "root").rename(root)
    except OSError:
        if not root.is_dir():  # nobody else was faster
            raise
    finally:
        shutil.rmtree(making)
    return root


def _apt_of(release: str, directory: Path) -> tuple[str, ...]:
    """Return what makes apt know another release, from the archive that this host's apt uses."""
    targets = ("indextargets", "--format", "$(REPO_URI)", "Identifier: Packages", "Label: Debian")
    known = _run("apt-get", *targets, cwd=directory).split()
    if not known:
        pytest.skip("needs an apt that knows Debian's archive")
    (directory / "sources.list").write_text(f"deb [signed-by={_KEYRING}] {known[0]} {release} main\n")
    for name in ("lists/partial", "cache/archives/partial"):
        (directory / name).mkdir(parents=True)
    options = (
        f"-oDir::Etc::sourcelist={directory}/sources.list",
        "-oDir::Etc::sourceparts=/dev/null",
        f"-oDir::State::lists={directory}/lists",
        f"-oDir::Cache={directory}/cache",
        "-oAcquire::Languages=none",
    )
    _run("apt-get", *options, "update", cwd=directory)
    return options


def _run(*command: str, cwd: Path) -> str:
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False, timeout=_SECONDS)
    if done.returncode:
        pytest.skip(f"{command[0]}: {done.stderr[-400:]}")
    return done.stdout
