"""A push of one file to a fleet of 10,000 machines: until it is checked, accepted and applied, by the daemon and real git.

Usage: sudo .venv/bin/python -m bench.push [MACHINES]

The peer in the same run is git itself: the same push, by the same protocol and daemon, to a repository without a check.
What the hook takes by itself, where no checker answers, has a row of its own.
"""

import shutil
import socket
import subprocess
import sys
import tempfile
import time
from argparse import ArgumentParser
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from bench.rows import Row, report
from bench.servers import HERE, Server, Settings, free_ports, ours, running
from iluvatar_pxe.gitops.pre_receive import SOCKET

ROUNDS = 5
PATIENCE = 30.0
IN_FORCE = "refs/iluvatar/in-force"
LAYER = (
    "kind: talos\ntalos: {version: v1.13.9, schematic: 376567988ad370138ad8b2698212367b8edcb69b5fd68c80be1f2ec7d603b4ba}\n"
    "config: {controlplane: configs/one.yaml, worker: configs/one.yaml}\n"
)


def machine(number: int, note: int = 0) -> str:
    """Return a machine's file; ``note`` is in a comment."""
    mac = (0x525400000000 + number).to_bytes(6).hex(":")
    return f'match:\n  macs: ["{mac}"]\nlayer: arda\nrole: worker\nlocal: exit\n# {note}\n'


def git(directory: Path, *arguments: str) -> str:
    identity = ("-c", "user.name=bench", "-c", "user.email=bench@localhost")
    command = ["git", *identity, *arguments]
    return subprocess.run(
        command, cwd=directory, check=True, stdout=subprocess.PIPE, text=True
    ).stdout.strip()


def seconds(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


@dataclass(frozen=True)
class Site:
    """A daemon that hosts the fleet, and a clone of it with the fleet of so many machines."""

    place: Path
    port: int

    @property
    def clone(self) -> Path:
        return self.place / "clone"

    @property
    def fleet(self) -> Path:
        return self.place / "state/git/fleet.git"

    def command(self, *words: str) -> str:
        """Return what a command says."""
        command = [sys.executable, "-m", "iluvatar_pxe", *words, "--config", str(self.place / "config.toml")]
        return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout

    def answers(self, _: Server) -> bool:
        """Say whether the repository is there and applied, and the port open."""
        with closing(socket.socket()) as client:
            return client.connect_ex((HERE, self.port)) == 0 and self.in_force() != ""

    def in_force(self) -> str:
        """Return the commit that is applied and written down; empty before the first."""
        try:
            return (self.fleet / IN_FORCE).read_text().strip()
        except FileNotFoundError:
            return ""

    def prepare(self, machines: int) -> None:
        """Clone the fleet, and commit its machines."""
        told = self.command("fleet", "token", "add", "bench", "--write")
        token = next(word for word in told.split() if word.startswith("ilu_"))
        self.command("fleet", "repository", "add", "plain")
        url = f"http://any:{token}@{HERE}:{self.port}/git"
        git(self.place, "clone", "--quiet", f"{url}/fleet.git", "clone")
        git(self.clone, "remote", "add", "plain", f"{url}/plain.git")
        files = {"layers/arda.yaml": LAYER, "configs/one.yaml": "a: 1\n"}
        files |= {f"machines/m{number}.yaml": machine(number) for number in range(machines)}
        for path, text in files.items():
            file = self.clone / path
            file.parent.mkdir(exist_ok=True)
            file.write_text(text)
        git(self.clone, "add", "--all")
        git(self.clone, "commit", "--quiet", "--message", "many")

    def push(self, remote: str, branch: str = "main") -> float:
        return seconds(lambda: git(self.clone, "push", "--quiet", remote, f"HEAD:{branch}"))

    def change(self, note: int) -> str:
        """Commit a change of one file, and return the commit."""
        (self.clone / "machines/m1.yaml").write_text(machine(1, note))
        git(self.clone, "commit", "--quiet", "--all", "--message", "one file")
        return git(self.clone, "rev-parse", "HEAD")

    def check(self, commit: str, repository: Path | None = None) -> float:
        """Return what the hook takes for a commit that is on another branch already, as git runs it."""
        directory = repository or self.fleet
        update = f"{git(self.fleet, 'rev-parse', 'main')} {commit} refs/heads/main\n"
        hook = [str(self.fleet / "hooks/pre-receive")]
        return seconds(lambda: subprocess.run(hook, cwd=directory, input=update, text=True, check=True))

    def check_alone(self, commit: str) -> float:
        """Return what the hook takes for it where it finds no checker: in a repository that is the other but for its socket."""
        with tempfile.TemporaryDirectory(dir=self.place) as directory:
            for entry in self.fleet.iterdir():
                if entry.is_dir():
                    Path(directory, entry.name).symlink_to(entry)
                elif entry.name != SOCKET:
                    shutil.copy(entry, directory)
            return self.check(commit, Path(directory))

    def applied(self, commit: str) -> float:
        """Return the seconds until a commit is applied; exits if it never is."""
        deadline = time.monotonic() + PATIENCE
        started = time.perf_counter()
        while self.in_force() != commit:
            if time.monotonic() > deadline:
                sys.exit(f"{commit} is not applied")
            time.sleep(0.002)
        return time.perf_counter() - started


@dataclass(frozen=True)
class Round:
    """One push, in seconds each."""

    check: float
    alone: float
    push: float
    plain: float
    applied: float


def measure(site: Site, number: int) -> Round:
    """Check one commit, and push another one, which nobody has read before."""
    checked = site.change(2 * number)
    site.push("origin", "try")
    check, alone = site.check(checked), site.check_alone(checked)
    pushed = site.change(2 * number + 1)
    plain, push = site.push("plain"), site.push("origin")
    return Round(check, alone, push, plain, push + site.applied(pushed))


def main() -> None:
    parser = ArgumentParser(description="a push of one file to a large fleet")
    parser.add_argument("machines", nargs="?", type=int, default=10_000, help="in the fleet (default: 10000)")
    machines: int = parser.parse_args().machines
    with tempfile.TemporaryDirectory() as directory:
        port, tls = free_ports(2, socket.SOCK_STREAM)
        (tftp,) = free_ports(1, socket.SOCK_DGRAM)
        site = Site(Path(directory), port)
        settings: Settings = {
            "http": {"port": port, "tls_port": tls},
            "dns": {"enabled": False},
            "tftp": {"port": tftp},
        }
        command = ours(site.place, settings | {"fleet": {"source": "hosted"}})
        with running("iluvatar-pxe", port, command, 0, site.place, site.answers):
            site.prepare(machines)
            site.push("origin")
            site.push("plain")
            site.applied(git(site.clone, "rev-parse", "HEAD"))
            rounds = [measure(site, number) for number in range(1, ROUNDS + 1)]
    what = f"one file of {machines:,}"
    report(
        [
            Row(
                what=f"check of {what}",
                ours=median(one.check for one in rounds),
                unit="s",
                goal=0.25,
                less_is_better=True,
            ),
            Row(
                what=f"check of {what}, by the hook alone",
                ours=median(one.alone for one in rounds),
                unit="s",
                goal=None,
                less_is_better=True,
            ),
            Row(
                what=f"push of {what}, until it is accepted",
                ours=median(one.push for one in rounds),
                unit="s",
                goal=None,
                peer=median(one.plain for one in rounds),
                peer_name="git without a check",
                less_is_better=True,
            ),
            Row(
                what=f"push of {what}, until it is applied",
                ours=median(one.applied for one in rounds),
                unit="s",
                goal=1.0,
                less_is_better=True,
            ),
        ]
    )


if __name__ == "__main__":
    main()
