"""The judge of Talos' own library: the Go program of tests/judge, built once for each contract."""

import fcntl
import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from iluvatar_pxe.layers.arda.documents import Contract

PROGRAM = Path(__file__).parents[1] / "judge"
TAGS = {Contract.V1_13: "talos_1_13", Contract.V1_14: ""}
_BUILT = Path(__file__).parents[2] / ".cache/judge"
_GO = (1, 26)
_SECONDS = 900.0


class Refused(Exception):  # noqa: N818  # the judge's verdict, not a fault of the test
    """What Talos' library says about what it does not take."""


@dataclass(frozen=True)
class Judge:
    """A running judge; every method raises Refused with the library's own words."""

    contract: Contract
    process: subprocess.Popen[str]

    def version(self) -> str:
        return str(self._ask(do="library")["version"])

    def load(self, config: str) -> list[str]:
        """Validate a machine configuration for metal, and return the warnings."""
        return self._ask(do="load", config=config)["warnings"] or []

    def patch(self, config: str, *patches: str) -> str:
        """Return the configuration with the patches applied one after the other."""
        return str(self._ask(do="patch", config=config, patches=patches)["config"])

    def check_secrets(self, secrets: str) -> None:
        self._ask(do="secrets", secrets=secrets, contract=self.contract)

    def generate(self, secrets: str, cluster: str, endpoint: str, kubernetes: str) -> dict[str, str]:
        """Return what ``talosctl gen config`` makes: controlplane, worker and talosconfig."""
        return self._ask(
            do="generate",
            secrets=secrets,
            contract=self.contract,
            cluster=cluster,
            endpoint=endpoint,
            kubernetes=kubernetes,
        )

    def call(self, method: str, address: str, talosconfig: str = "", **arguments: Any) -> Any:
        """Call Talos' API by its own client; without a talosconfig as in maintenance."""
        said = self._ask(do="call", method=method, address=address, talosconfig=talosconfig, **arguments)
        return json.loads(said["message"]) if "message" in said else said

    def _ask(self, **request: Any) -> dict[str, Any]:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(json.dumps(request) + "\n")
        self.process.stdin.flush()
        answer: dict[str, Any] = json.loads(self.process.stdout.readline())
        if "error" in answer:
            raise Refused(answer["error"])
        return answer


@contextmanager
def judging(contract: Contract) -> Iterator[Judge]:
    """Start the judge of a contract; skips the test where it cannot be built."""
    with subprocess.Popen(
        [built(contract)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        yield Judge(contract, process)


def built(contract: Contract) -> Path:
    """Return the judge's program, built at the first call; the others' workers wait for it meanwhile."""
    _skip_without_go()
    program = _BUILT / f"{contract}-{_digest()}"
    _BUILT.mkdir(parents=True, exist_ok=True)
    with (_BUILT / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not program.exists():
            _build(contract, program)
    return program


def go(command: str, contract: Contract, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a command of Go on the judge; it never fetches another Go."""
    return subprocess.run(
        ["nice", "go", command, f"-modfile=talos-{contract}.mod", f"-tags={TAGS[contract]}", *arguments],
        cwd=PROGRAM,
        env=_environment(),
        capture_output=True,
        text=True,
        timeout=_SECONDS,
        check=False,
    )


def _environment() -> dict[str, str]:
    return os.environ | {"GOTOOLCHAIN": "local", "GOFLAGS": "", "GOWORK": "off"}


def _skip_without_go() -> None:
    if shutil.which("go") is None:
        pytest.skip("Talos' own library judges where Go is installed")
    said = subprocess.check_output(["go", "env", "GOVERSION"], env=_environment(), text=True)
    found = re.match(r"go(\d+)\.(\d+)", said)
    if found is None or (int(found[1]), int(found[2])) < _GO:
        pytest.skip(f"Talos' own library judges with Go 1.26 or newer; this is {said.strip()}")


def _build(contract: Contract, program: Path) -> None:
    sources = go("list", contract, "-deps", ".")
    if sources.returncode:
        pytest.skip(f"Talos' library {contract} is not to be had here: {sources.stderr.splitlines()[-1]}")
    new = program.with_suffix(".new")
    done = go("build", contract, "-buildvcs=false", "-trimpath", "-ldflags=-s -w", "-o", str(new), ".")
    assert done.returncode == 0, done.stderr
    for old in _BUILT.glob(f"{contract}-*"):
        if old != new:
            old.unlink()
    new.rename(program)


def _digest() -> str:
    files = sorted(path for path in PROGRAM.iterdir() if path.suffix in {".go", ".mod", ".sum"})
    return sha256(b"".join(path.read_bytes() for path in files)).hexdigest()[:16]
