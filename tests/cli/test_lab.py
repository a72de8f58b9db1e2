"""``lab up``, ``boot`` and ``down`` with real firmware, and what is left when a part of it is killed: nothing."""

import json
import os
import re
import signal
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from support.daemon import HERE
from support.processes import (
    all_processes,
    lab_processes,
    names_on_the_host,
    namespaces_of,
    still_running,
    wait_for_ends,
)
from support.waiting import wait_until

from iluvatar_pxe.lab.running import Running
from iluvatar_pxe.lab.system.stand_ins import write_fleet

pytestmark = pytest.mark.firmware

CACHE = Path(__file__).parents[2] / ".cache"
HELD = "52:54:00:77:00:99"
LAST_LINE = "fetched its configuration"
LONGEST_SECONDS = 200.0


@dataclass(frozen=True)
class Home:
    """A user with a fleet, and nothing else."""

    directory: Path

    @property
    def environment(self) -> dict[str, str]:
        own = {key: value for key, value in os.environ.items() if not key.startswith("ILUVATAR_PXE_")}
        state = {
            "ILUVATAR_PXE_STATE__DIRECTORY": str(self.directory / "state"),
            "ILUVATAR_PXE_FLEET__SOURCE": str(self.directory / "state" / "fleet"),
        }
        return own | state | {"XDG_CACHE_HOME": str(CACHE)}

    @property
    def with_own_run(self) -> tuple[str, ...]:
        """What a command begins with that has ``run`` in this home for ``/run``, where root's lab keeps its state."""
        script = 'mount --bind "$0" /run && exec "$@"'
        return ("unshare", "--mount", "sh", "-c", script, str(self.directory / "run"))

    @property
    def state(self) -> Path:
        return self.directory / "run" / "iluvatar-pxe-lab" / "lab.json"

    @property
    def lab(self) -> Running:
        return Running(**json.loads(self.state.read_text()))

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [*self.with_own_run, *HERE, "lab", *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env=self.environment,
        )

    def run(self, *arguments: str) -> tuple[int, str]:
        return finished(self.start(*arguments))


def finished(process: subprocess.Popen[str]) -> tuple[int, str]:
    with process:
        output, _ = process.communicate(timeout=LONGEST_SECONDS)
    assert "Traceback" not in output, output
    return process.returncode, output


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    if os.geteuid() != 0:
        pytest.skip("needs root: network namespaces and taps")
    (tmp_path / "run").mkdir()
    write_fleet(tmp_path / "state" / "fleet")
    held = f'match: {{macs: ["{HELD}"]}}\nintent: hold\n'
    (tmp_path / "state" / "fleet" / "machines" / "held.yaml").write_text(held)
    home = Home(tmp_path)
    yield home
    if home.state.exists():
        home.run("down")


def parts_of(lab: Running) -> dict[int, str]:
    """Return the processes of a lab that is up, its holder among them."""
    return lab_processes(lab.holder) | {lab.holder: all_processes()[lab.holder]}


def test_a_lab_that_is_up_boots_machines_until_it_is_taken_down(home: Home) -> None:
    status, output = home.run("up")
    assert status == 0, output
    assert "Talos v1.13.9 for amd64. The lab boots a test image" in output
    assert home.run("up")[0] == 0
    assert home.run("up", "--fleet", str(CACHE))[0] == 1
    parts = parts_of(home.lab)
    namespaces, everyone = namespaces_of(parts), all_processes()
    watches = [os.pidfd_open(pid) for pid in parts]

    boots = [home.start("boot", "bios"), home.start("boot", "bios", "--mac", HELD)]
    status, output = finished(boots[0])
    assert status == 0, output
    assert LAST_LINE in output
    assert "arda-01  arda   controlplane" in output

    status, output = finished(boots[1])
    assert status == 1, output
    assert f"bios ({HELD}) did not reach the stage: config fetched" in output
    assert "Reason: the machine is told to wait" in output
    assert f'"mac": "{HELD}"' in output

    file = home.directory / "state" / "fleet" / "fleet.yaml"
    file.write_text("colour: red\n")
    status, output = home.run("boot", "bios")
    assert (status, output.count("\n")) == (2, 1)
    assert f"{file}:1: colour: no such key" in output

    assert home.run("down") == (0, "The lab is down.\n")
    assert wait_for_ends(watches) == []
    assert not namespaces & namespaces_of(still_running(everyone))
    assert not names_on_the_host()
    assert not home.state.exists()


def test_what_is_killed_takes_with_it_all_that_rests_on_it(home: Home) -> None:
    assert home.run("up")[0] == 0
    lab, parts = home.lab, parts_of(home.lab)

    boot = home.start("boot", "bios")
    assert boot.stdout
    with boot:
        assert "SeaBIOS" in boot.stdout.readline()
        machine = {pid: name for pid, name in lab_processes(boot.pid).items() if pid not in parts}
        assert any(name.startswith("qemu") for name in machine.values()), machine
        watches = [os.pidfd_open(pid) for pid in machine]
        boot.kill()
    assert wait_for_ends(watches) == []
    assert still_running(parts) == parts

    watches = [os.pidfd_open(pid) for pid in parts]
    os.kill(lab.holder, signal.SIGKILL)
    assert wait_for_ends(watches) == []
    assert home.run("down") == (0, "The lab is not up.\n")
    assert not home.state.exists()


def test_a_lab_whose_daemon_ends_ends(home: Home) -> None:
    assert home.run("up")[0] == 0
    watches = [os.pidfd_open(pid) for pid in parts_of(home.lab)]
    os.kill(home.lab.daemon, signal.SIGKILL)
    assert wait_for_ends(watches) == []
    assert not home.state.exists()


def test_up_that_is_interrupted_leaves_nothing(home: Home) -> None:
    with home.start("up") as up:
        wait_until(home.state.exists, "the lab being built")
        group = {pid: name for pid, name in all_processes().items() if is_of(home, pid)}
        watches = [os.pidfd_open(pid) for pid in group]
        up.send_signal(signal.SIGINT)
    assert len(group) > 1
    assert wait_for_ends(watches) == []
    assert home.run("down") == (0, "The lab is not up.\n")


def is_of(home: Home, pid: int) -> bool:
    """Say whether a process was started by one of this user's commands."""
    try:
        return str(home.directory) in Path(f"/proc/{pid}/environ").read_text()
    except OSError:
        return False


def test_a_kind_that_is_none_is_answered_with_the_known_ones(home: Home) -> None:
    status, output = home.run("boot", "pi4")
    assert status == 1
    assert (
        "pi4: unknown firmware; choose one of bios, uefi-x64, uefi-x64-http, uefi-arm64, uefi-arm64-http"
        in output
    )


def test_what_cannot_be_a_lab_is_told_in_one_line(home: Home) -> None:
    file = home.directory / "file"
    file.touch()
    assert home.run("up", "--fleet", str(file)) == (
        2,
        f"iluvatar-pxe: {file}: not a directory; name one\n",
    )
    home.state.mkdir(parents=True)
    for command in (["up"], ["boot", "bios"], ["down"]):
        status, output = home.run(*command)
        assert (status, output.count("\n")) == (1, 1)
        assert "/run/iluvatar-pxe-lab/lab.json" in output


def test_two_unlisted_machines_join_in_the_demonstration(home: Home) -> None:
    stand_ins = str(home.directory / "stand-ins")
    assert home.run("stand-ins", stand_ins)[0] == 0
    status, output = home.run("demo", stand_ins)
    assert status == 0, output
    assert output.count("is about to join") == output.count(LAST_LINE) == 2
    for kind, architecture in (("uefi-x64", "amd64"), ("uefi-arm64", "arm64")):
        assert re.search(rf"^{kind} *\| http.*/kernel-{architecture}\.\.\. ", output, re.MULTILINE), output
    assert re.search(r"^arda-01 .* controlplane .*\narda-02 .* worker ", output, re.MULTILINE)
    assert "\x1b" not in output
