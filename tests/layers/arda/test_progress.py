"""What a Talos machine's events, lines and resources come to."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from iluvatar_pxe.layers.arda.api.model import MachineStatus, UnattendedInstall, UnmetCondition
from iluvatar_pxe.layers.arda.events import (
    Addresses,
    Body,
    ConfigurationFault,
    Event,
    Phase,
    Restart,
    Sequence,
    ServiceState,
    Task,
    Unknown,
)
from iluvatar_pxe.layers.arda.events import Stage as TalosStage
from iluvatar_pxe.layers.arda.progress import (
    Fault,
    Found,
    Reached,
    Restarts,
    Started,
    of_event,
    of_line,
    of_status,
)
from iluvatar_pxe.machines.boots import Stage
from iluvatar_pxe.machines.report import LONGEST

NOT_READY = (UnmetCondition("nodeReady", 'node "one" is not ready'), UnmetCondition("time", "not synced"))
WAITS = 'not ready: nodeReady: node "one" is not ready; time: not synced'
RUNNING, READY = (
    TalosStage("running", is_ready=False, unmet=NOT_READY),
    TalosStage("running", is_ready=True, unmet=()),
)
BEGINS = Sequence("initialize", "start", "", is_fatal=False)
FATAL = Sequence("install", "noop", "error running phase 1: no disk matched", is_fatal=True)
LOCKED = Sequence("reboot", "noop", "locked", is_fatal=False)
INSTALLING, REBOOTING = (
    TalosStage("installing", is_ready=True, unmet=()),
    TalosStage("rebooting", is_ready=True, unmet=()),
)
INSTALLED = Reached(Stage.INSTALLED, "it restarts after the install")

HISTORIES: dict[str, tuple[tuple[Body, ...], tuple[Found, ...]]] = {
    "1.13 installs itself": (
        (BEGINS, Phase("install", begins=True), INSTALLING, Phase("install", begins=False), REBOOTING, Restart("restart")),
        (Started("id-0"), Reached(Stage.INSTALLING), INSTALLED, Restarts("rebooting"), Restarts("restart")),
    ),
    "1.13 has no disk; the sequence ends before its error": (
        (INSTALLING, Sequence("install", "stop", "", is_fatal=False), FATAL, REBOOTING, Restart("restart")),
        (
            Reached(Stage.INSTALLING),
            Fault("install: error running phase 1: no disk matched"),
            Restarts("rebooting"),
            Restarts("restart"),
        ),
    ),
    "1.13 has no disk; the sequence ends after its error": (
        (INSTALLING, FATAL, Sequence("install", "stop", "", is_fatal=False), REBOOTING),
        (Reached(Stage.INSTALLING), Fault("install: error running phase 1: no disk matched"), Restarts("rebooting")),
    ),
    "a restart after a power cut in the middle of an install": (
        (INSTALLING, BEGINS, REBOOTING),
        (Reached(Stage.INSTALLING), Started("id-1"), Restarts("rebooting")),
    ),
    "it is switched off in the middle of an install": (
        (INSTALLING, TalosStage("shutting down", is_ready=True, unmet=()), Restart("power off")),
        (Reached(Stage.INSTALLING), Restarts("shutting down"), Restarts("power off")),
    ),
    "an installed one joins": (
        (BEGINS, TalosStage("booting", is_ready=False, unmet=NOT_READY), RUNNING, READY),
        (Started("id-0"), Reached(Stage.RUNNING, WAITS), Reached(Stage.JOINED)),
    ),
    "1.14 restarts: its kernel log has told of the install": ((REBOOTING,), (Restarts("rebooting"),)),
    "a lock is harmless": ((LOCKED,), ()),
    "an error without words": ((Sequence("boot", "noop", "", is_fatal=True),), (Fault("boot: failed"),)),
    "a configuration that cannot be loaded": (
        (ConfigurationFault("404 Not Found"),),
        (Fault("configuration: 404 Not Found"),),
    ),
    "what says nothing of it": (
        (
            Task("mountState", begins=True),
            ServiceState("etcd", "failed", "exit code 1", is_healthy=False),
            Addresses("one", ("10.0.0.1",)),
            Unknown("machine.New"),
            Sequence("boot", "start", "", is_fatal=False),
            TalosStage("maintenance", is_ready=True, unmet=()),
        ),
        (),
    ),
}  # fmt: skip


def played(bodies: tuple[Body, ...]) -> tuple[Found, ...]:
    writes, found = False, list[Found]()
    for number, body in enumerate(bodies):
        writes, news = of_event(Event(f"id-{number}", "", body), writes=writes)
        found += news
    return tuple(found)


@pytest.mark.parametrize(("bodies", "found"), HISTORIES.values(), ids=HISTORIES.keys())
def test_events(bodies: tuple[Body, ...], found: tuple[Found, ...]) -> None:
    assert played(bodies) == found


def test_a_start_without_an_id_is_none_that_can_be_known_again() -> None:
    assert of_event(Event("", "", BEGINS), writes=False) == (False, ())


TAIL = '{"component": "controller-runtime", "controller": "runtime.UnattendedInstallController", '
LINES = {
    f'[talos] installing Talos {TAIL}"disk": "/dev/sda", "image": "i:v1"}}\n': Reached(
        Stage.INSTALLING, "i:v1 on /dev/sda"
    ),
    "[talos] installing Talos\n": Reached(Stage.INSTALLING),
    "[talos] installing Talos to disk /dev/nvme0n1": Reached(Stage.INSTALLING, "/dev/nvme0n1"),
    f"[talos] install successful {TAIL[:-2]}}}\n": Reached(Stage.INSTALLED),
    "[talos] requesting reboot after successful install": Reached(Stage.INSTALLED),
    "[talos] machine is running and ready {broken\n": None,
    "[talos] machine is running and ready\n": Reached(Stage.JOINED),
    "[talos] task install (1/1): failed: no disk matched\n": Fault("task install (1/1): failed: no disk matched"),
    "[talos] phase install (2/5): failed": Fault("phase install (2/5): failed"),
    f'[talos] controller failed {TAIL}"error": "failed to run installer: exit code 1"}}': Fault(
        "install: failed to run installer: exit code 1"
    ),
    '[talos] controller failed {"controller": "k8s.NodeController", "error": "not yet"}': None,
    "[talos] task install (1/1): starting": None,
    "[talos] etcd is waiting to join the cluster": None,
    "[talos] it said: install successful": None,
    "install successful": None,
    "some program: [talos] install successful": None,
    "": None,
}  # fmt: skip


@pytest.mark.parametrize(("line", "found"), LINES.items())
def test_lines(line: str, found: Found | None) -> None:
    assert of_line(line) == (() if found is None else (found,))


@given(st.text() | st.text().map("[talos] {}".format) | st.text().map("[talos] task {} failed".format))
def test_whatever_a_line_holds_its_words_are_bounded(line: str) -> None:
    for found in of_line(line * 20):
        assert len(getattr(found, "words", "")) <= LONGEST


@pytest.mark.parametrize(
    ("status", "install", "found"),
    [
        (None, None, ()),
        (
            MachineStatus("booting", is_ready=False, unmet=NOT_READY),
            UnattendedInstall("pending", "i:v1", "no disk matched the selector"),
            (Fault("install: no disk matched the selector"),),
        ),
        (None, UnattendedInstall("installing", "i:v1", ""), (Reached(Stage.INSTALLING, "i:v1"),)),
        (None, UnattendedInstall("failed", "i:v1", "exit code 1"), (Fault("install: exit code 1"),)),
        (None, UnattendedInstall("waiting-for-reboot", "i:v1", ""), (Reached(Stage.INSTALLED),)),
        (
            MachineStatus("running", is_ready=True, unmet=()),
            UnattendedInstall("installed", "i:v1", ""),
            (Reached(Stage.INSTALLED), Reached(Stage.JOINED)),
        ),
        (MachineStatus("running", is_ready=False, unmet=NOT_READY), None, (Reached(Stage.RUNNING, WAITS),)),
    ],
)
def test_resources(
    status: MachineStatus | None, install: UnattendedInstall | None, found: tuple[Found, ...]
) -> None:
    assert of_status(status, install, is_on_disk=False) == found


@pytest.mark.parametrize(
    ("stage", "install", "found"),
    [
        ("booting", None, (Reached(Stage.INSTALLED),)),
        ("running", None, (Reached(Stage.INSTALLED), Reached(Stage.JOINED))),
        ("installing", None, ()),
        ("maintenance", None, ()),
        ("booting", UnattendedInstall("pending", "i:v1", ""), ()),
    ],
)
def test_what_boots_with_a_system_disk_is_installed_unless_1_14_says_otherwise(
    stage: str, install: UnattendedInstall | None, found: tuple[Found, ...]
) -> None:
    assert of_status(MachineStatus(stage, is_ready=True, unmet=()), install, is_on_disk=True) == found
