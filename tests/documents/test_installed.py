"""The installation as the README has it, word for word, and then every command for the host that it was made on.

That host is made of namespaces. ``sudo`` is a stand-in there, as everything is typed by root; and what pip fetches
comes over the network of the host outside.
"""

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path

import pytest
from documents.markdown import OURS
from documents.table import Where, commands_for, judge, typed
from support.booted import HOME, Booted, booted
from support.command import Host
from support.machines import machine_of

from iluvatar_pxe.machines.boots import Stage
from iluvatar_pxe.machines.model import BootEvent, Machine
from iluvatar_pxe.machines.states import Assignment, Phase, Role

STATE = "/var/lib/iluvatar-pxe"
LEFT = f"sudo find /etc /opt /usr/local /var/lib -name '*{OURS}*'"
"""Lists what the installation has left, once everything is removed."""
TIMEOUT = 400.0
NOW = datetime(2026, 1, 1, tzinfo=UTC)
ENVIRONMENT = os.environ | {
    "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "COLUMNS": "200",
    "PIP_COMPILE": "0",  # Python compiles what it imports; pip would compile everything, for ten seconds
}
CHECKOUT = "/run/checkout"
"""Where the host has it: what lies in /tmp or /opt here is hidden there."""
EMPTY = f"""
mkdir {CHECKOUT} && mount --bind {HOME}/checkout {CHECKOUT}
umount {HOME}/python {HOME}/checkout {HOME}/packages && rm -rf {HOME}
mount -t tmpfs -o mode=755 local /usr/local && mkdir /usr/local/bin
printf '%s\\n' '#!/bin/sh' 'exec "$@"' >/usr/local/bin/sudo && chmod 755 /usr/local/bin/sudo
mkdir {STATE}
"""
WARM = """
import json, shlex, sys
from support.warm import run_warm
for line in sys.stdin:
    ended = run_warm(*shlex.split(line))
    print(json.dumps([ended.status, ended.output + ended.error]), flush=True)
"""


class Typist:
    """Somebody at the host, in a checkout."""

    def __init__(self, host: Booted) -> None:
        self._host = host

    def types(self, line: str) -> tuple[int, str]:
        """Return the exit status of a command, and what it prints."""
        ours = line.removeprefix("sudo ").partition(f"{OURS} ")
        return self._shell(line) if ours[0] or "|" in line else self._warm(ours[2])

    def _shell(self, line: str) -> tuple[int, str]:
        done = subprocess.run(
            [*self._enter(network="/bin/pip " not in line), "sh", "-c", f"cd {CHECKOUT} && {line}"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
            timeout=TIMEOUT,
            env=ENVIRONMENT,
        )
        return done.returncode, done.stdout

    def _warm(self, words: str) -> tuple[int, str]:
        process = self._ours
        assert process.stdin
        assert process.stdout
        print(words, file=process.stdin, flush=True)
        status, output = json.loads(process.stdout.readline())
        return status, output

    @cached_property
    def _ours(self) -> subprocess.Popen[str]:
        """The installed program without a second of start-up for each command."""
        return subprocess.Popen(
            [*self._enter(network=True), "--wdns=/", f"{HOME}/bin/python", "-c", WARM],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=ENVIRONMENT | {"PYTHONPATH": f"{CHECKOUT}/tests"},
        )

    def leaves(self) -> None:
        """End what was begun for this."""
        with self._ours as process:
            process.kill()

    def _enter(self, *, network: bool) -> list[str]:
        enter = ["nsenter", f"--target={self._host.pid}", "--mount", "--pid", "--uts", "--ipc", "--cgroup"]
        return [*enter, "--net"] if network else enter


@pytest.fixture
def typist(tmp_path: Path) -> Iterator[Typist]:
    """Somebody at a host that knows three machines from an earlier installation, of which nothing else is left."""
    inventory = known_machines(tmp_path)
    with booted() as running:
        running.run("sh", "-ec", EMPTY)
        shutil.copy(inventory, running.outside(STATE))
        typist = Typist(running)
        yield typist
        typist.leaves()


def known_machines(directory: Path) -> Path:
    """Return an inventory that knows the machines of which the documents' commands speak."""
    known = Host(directory)
    one, two = named(1), named(2)
    seen = BootEvent(at=NOW, machine_id=one.id, generation=1, stage=Stage.DISCOVER, detail="ipxe/snponly.efi")
    three = machine_of("52:54:00:00:00:03", last_seen=datetime.now(UTC))  # it is not kept for long
    known.know(one, two, three, events=[seen])
    return known.database


def named(number: int) -> Machine:
    place = Assignment(name=f"arda-0{number}", layer="arda", role=Role.WORKER, rule="rule 1", at=NOW)
    return machine_of(f"52:54:00:00:00:0{number}", phase=Phase.INSTALLING, assignment=place)


def test_everything_that_is_typed_on_an_installed_host(typist: Typist) -> None:
    for command in commands_for(Where.INSTALLED):
        judge(command, *typist.types(typed(command)))
    assert typist.types(LEFT) == (0, "")
