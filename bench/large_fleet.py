"""A repository with many machine files: seconds until a push is checked, and until a one-file change is in force.

``python bench/large_fleet.py [MACHINES]``. The peer in the same run is git itself: what the push of the same change to a
repository without our check takes.
"""

import asyncio
import math
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from iluvatar_pxe.errors import FleetError
from iluvatar_pxe.fleet.models import Fleet
from iluvatar_pxe.gitops.follower import Follower
from iluvatar_pxe.gitops.origin import HostedOrigin
from iluvatar_pxe.gitops.repository.bare import Changes, Commit, Repository
from iluvatar_pxe.gitops.repository.git import Git
from iluvatar_pxe.gitops.repository.hosting import host

LAYER = (
    "kind: talos\ntalos: {version: v1.13.9, schematic: 376567988ad370138ad8b2698212367b8edcb69b5fd68c80be1f2ec7d603b4ba}\n"
    "config: {controlplane: configs/one.yaml, worker: configs/one.yaml}\n"
)


class Nobody:
    """Whom it does not concern."""

    async def adopt(
        self, fleet: Fleet, commit: Commit | None, *, rewritten: bool = False, most_age: float = math.inf
    ) -> None: ...

    async def reject(self, commit: Commit | None, error: FleetError) -> None: ...


def machine(number: int) -> bytes:
    mac = (
        f"52:54:{number >> 24 & 255:02x}:{number >> 16 & 255:02x}:{number >> 8 & 255:02x}:{number & 255:02x}"
    )
    return f'match:\n  macs: ["{mac}"]\nlayer: arda\nrole: worker\nlocal: exit\n'.encode()


def git(directory: Path, *arguments: str) -> float:
    started = time.perf_counter()
    identity = ("-c", "user.name=bench", "-c", "user.email=bench@localhost")
    subprocess.run(["git", *identity, *arguments], cwd=directory, check=True, capture_output=True)
    return time.perf_counter() - started


async def measure(directory: Path, machines: int) -> None:
    checked = await host(directory / "fleet.git", "main", checked=True, max_push=512)
    plain = Repository(Git(directory / "plain.git"), "main")
    git(directory, "init", "--quiet", "--bare", "--initial-branch=main", str(plain.path))
    files: dict[str, bytes | None] = {
        "fleet.yaml": b"",
        "layers/arda.yaml": LAYER.encode(),
        "configs/one.yaml": b"a: 1\n",
    }
    files |= {f"machines/m{number}.yaml": machine(number) for number in range(machines)}
    draft = await checked.draft(None, Changes("many\n", files))
    await checked.advance(None, draft)
    git(directory, "clone", "--quiet", str(checked.path), "clone")
    clone = directory / "clone"
    git(clone, "push", "--quiet", str(plain.path), "main")

    follower = Follower(HostedOrigin(checked), Nobody())
    started = time.perf_counter()
    await follower.start()
    print(f"start: read and validated {machines} machine files in {time.perf_counter() - started:.2f} s")
    for number in range(3):
        (clone / "machines" / "m1.yaml").write_bytes(machine(1) + b"# %d\n" % number)
        git(clone, "commit", "--quiet", "--all", "--message", "one file")
        with_check = git(clone, "push", "--quiet", str(checked.path), "main")
        without = git(clone, "push", "--quiet", str(plain.path), "main")
        started = time.perf_counter()
        await follower.refresh()
        print(
            f"one file changed: push {with_check:.2f} s, without the check {without:.2f} s (ratio {with_check / without:.1f});"
            f" then in force after {time.perf_counter() - started:.2f} s"
        )


def main() -> None:
    machines = int(sys.argv[1]) if len(sys.argv) > 1 else 10_000
    with tempfile.TemporaryDirectory() as directory:
        asyncio.run(measure(Path(directory), machines))


if __name__ == "__main__":
    main()
