"""Attempts: a machine that boots one chain again and again fails; whoever makes progress, or has joined, does not."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from iluvatar_pxe.machines.boots import Stage
from iluvatar_pxe.machines.observe import Step, first_seen, observed
from iluvatar_pxe.machines.report import Report
from iluvatar_pxe.machines.sighting import Firmware, Sighting
from iluvatar_pxe.machines.states import ATTEMPTS_WITHIN, Attempts, Directive, Intent, Phase
from iluvatar_pxe.values import replace

MAC = "52:54:00:12:34:56"
NOW = datetime(2026, 11, 22, 18, 30, tzinfo=UTC)
ONE_BOOT = (Stage.IPXE_DISCOVER, Stage.FIRST_SCRIPT, Stage.SCRIPT, Stage.KERNEL)
MINUTE = timedelta(minutes=1)


class Looping:
    """A machine that boots a chain, from its DISCOVER to some stage, again and again."""

    def __init__(self, chain: str = "talos", most_attempts: int = 5) -> None:
        self.chain = chain
        self.most_attempts = most_attempts
        self.now = NOW
        self.machine = first_seen(
            Sighting(mac=MAC, firmware=Firmware.UEFI_PXE), Step(Stage.DISCOVER, NOW), UUID(int=1)
        )

    def reach(self, *stages: Stage) -> Phase:
        """Come to these stages; where the machine has failed, its script is that of a hold, without a chain."""
        for stage in stages:
            asks = stage in {Stage.SCRIPT, Stage.CONFIRM} and self.machine.phase is not Phase.FAILED
            step = Step(stage, self.now, self.chain if asks else "", self.most_attempts)
            self.machine = observed(self.machine, Sighting(mac=MAC, firmware=Firmware.IPXE), step)
        return self.machine.phase

    def boot(self, *stages: Stage, after: timedelta = MINUTE) -> Phase:
        """Switch it on ``after`` the last boot, and return the phase in which the new boot begins."""
        self.now += after
        began = self.reach(Stage.DISCOVER)
        self.reach(*(stages or ONE_BOOT))
        return began


@pytest.mark.parametrize("most_attempts", [1, 2, 5])
def test_after_the_last_attempt_the_next_boot_begins_as_failed(most_attempts: int) -> None:
    looping = Looping(most_attempts=most_attempts)
    began = [looping.boot() for _ in range(most_attempts + 2)]
    assert began == [Phase.DISCOVERED, *[Phase.BOOTING] * (most_attempts - 1), Phase.FAILED, Phase.FAILED]
    assert looping.machine.attempts.best is Stage.KERNEL


@pytest.mark.parametrize("last", [Stage.SCRIPT, Stage.KERNEL, Stage.CONFIG])
def test_every_boot_as_far_as_the_one_before_is_no_progress(last: Stage) -> None:
    looping = Looping()
    stages = [stage for stage in Stage if Stage.IPXE_DISCOVER <= stage <= last]
    for _ in range(5):
        assert looping.boot(*stages) is not Phase.FAILED
    assert looping.boot(*stages) is Phase.FAILED


def test_asking_again_in_one_boot_is_one_attempt() -> None:
    looping = Looping()
    looping.boot(*ONE_BOOT, *[Stage.SCRIPT] * 50)
    assert looping.machine.attempts == Attempts("talos", Stage.KERNEL, (looping.now,), boot=1)


def test_a_count_down_and_the_script_after_it_are_one_attempt() -> None:
    looping = Looping()
    looping.boot(Stage.IPXE_DISCOVER, Stage.FIRST_SCRIPT, Stage.CONFIRM, Stage.SCRIPT, Stage.KERNEL)
    assert len(looping.machine.attempts.starts) == 1


def test_progress_begins_the_count_anew() -> None:
    looping = Looping()
    for _ in range(5):
        looping.boot()
    assert looping.machine.attempts.lately(looping.now) == 5
    looping.reach(Stage.INITRAMFS)
    assert looping.machine.attempts == Attempts("talos", Stage.INITRAMFS, (looping.now,), boot=5)
    assert [looping.boot() for _ in range(5)] == [Phase.BOOTING] * 4 + [Phase.FAILED]


def test_a_configuration_fetched_again_is_no_progress() -> None:
    looping = Looping()
    for _ in range(5):
        looping.boot(*ONE_BOOT, Stage.CONFIG, Stage.CONFIG)
    assert looping.machine.attempts.lately(looping.now) == 5


def test_another_chain_begins_the_count_anew() -> None:
    looping = Looping()
    for _ in range(5):
        looping.boot()
    looping.chain = "raspberry-pi"
    looping.reach(Stage.SCRIPT)
    assert looping.machine.attempts == Attempts("raspberry-pi", Stage.SCRIPT, (looping.now,), boot=5)
    assert looping.boot() is Phase.BOOTING


def test_a_script_of_the_fleet_is_run_as_often_as_its_owner_likes() -> None:
    looping = Looping(chain="ipxe")
    assert Phase.FAILED not in [looping.boot() for _ in range(20)]
    assert looping.machine.attempts == Attempts()


def test_a_script_that_was_chosen_by_hand_begins_the_count_anew() -> None:
    looping = Looping()
    for _ in range(5):
        looping.boot()
    looping.chain = "ipxe"
    looping.reach(Stage.SCRIPT)
    looping.chain = "talos"
    assert [looping.boot() for _ in range(6)] == [Phase.BOOTING] * 5 + [Phase.FAILED]


def test_attempts_of_more_than_an_hour_ago_do_not_count() -> None:
    looping = Looping()
    assert [looping.boot(after=ATTEMPTS_WITHIN / 4) for _ in range(20)].count(Phase.FAILED) == 0


@pytest.mark.parametrize("jump", [timedelta(days=-20_000), -ATTEMPTS_WITHIN * 2, timedelta(days=20_000)])
def test_a_clock_that_jumps_fails_nobody_and_still_counts_what_follows(jump: timedelta) -> None:
    looping = Looping()
    for _ in range(5):
        looping.boot()
    assert looping.boot(after=jump) is Phase.BOOTING
    assert [looping.boot() for _ in range(5)] == [Phase.BOOTING] * 4 + [Phase.FAILED]


def test_a_clock_set_back_by_minutes_still_counts() -> None:
    looping = Looping()
    for _ in range(5):
        looping.boot()
    assert looping.boot(after=-MINUTE * 10) is Phase.FAILED


def test_a_machine_that_joined_never_fails() -> None:
    looping = Looping()
    for _ in range(8):
        looping.boot()
        looping.machine = replace(looping.machine, phase=Phase.JOINED)
    assert looping.boot() is Phase.JOINED


def test_boots_that_never_got_a_chain_are_no_attempts() -> None:
    looping = Looping(chain="")
    assert {looping.boot() for _ in range(8)} == {Phase.DISCOVERED}
    assert looping.machine.attempts == Attempts()


@pytest.mark.parametrize("stage", [Stage.SCRIPT, Stage.CONFIRM])
def test_a_machine_boots_when_its_chain_is_served(stage: Stage) -> None:
    looping = Looping()
    assert looping.reach(Stage.IPXE_DISCOVER, Stage.FIRST_SCRIPT) is Phase.DISCOVERED
    assert looping.reach(stage) is Phase.BOOTING
    assert looping.reach(Stage.KERNEL, Stage.INITRAMFS) is Phase.BOOTING
    assert looping.reach(Stage.CONFIG) is Phase.INSTALLING


def test_the_wish_to_install_again_ends_when_the_configuration_is_fetched() -> None:
    looping = Looping()
    directive = Directive(Intent.REINSTALL, "ilu", "new disk")
    looping.machine = replace(looping.machine, phase=Phase.JOINED, directive=directive)
    looping.boot(*ONE_BOOT, Stage.INITRAMFS)
    assert looping.machine.directive == directive
    looping.reach(Stage.CONFIG)
    assert (looping.machine.directive, looping.machine.phase) == (Directive(), Phase.INSTALLING)


@pytest.mark.parametrize("intent", [Intent.BOOT, Intent.LOCAL, Intent.HOLD, Intent.IGNORE])
def test_every_other_wish_stays(intent: Intent) -> None:
    looping = Looping()
    looping.machine = replace(looping.machine, directive=Directive(intent, "ilu"))
    looping.boot(*ONE_BOOT, Stage.CONFIG)
    assert looping.machine.directive == Directive(intent, "ilu")


def test_a_machine_only_goes_forward_until_its_chain_is_booted_again() -> None:
    looping = Looping()
    looping.boot(*ONE_BOOT)
    told = (
        Stage.CONFIG,
        Stage.STARTED,
        Stage.INSTALLED,
        Stage.CONFIG,
        Stage.RUNNING,
        Stage.JOINED,
        Stage.INSTALLED,
    )
    found = [looping.reach(stage) for stage in told]
    assert found == [*[Phase.INSTALLING] * 2, *[Phase.INSTALLED] * 3, *[Phase.JOINED] * 2]
    assert looping.boot(*ONE_BOOT) is Phase.JOINED
    assert looping.machine.phase is Phase.BOOTING


def test_what_was_wrong_is_over_when_a_machine_has_joined() -> None:
    looping = Looping()
    looping.machine = replace(looping.machine, report=Report("one", 1, ("no disk matched",)))
    looping.boot(*ONE_BOOT, Stage.CONFIG, Stage.INSTALLED)
    assert looping.machine.report == Report("one", 1, ("no disk matched",))
    looping.reach(Stage.JOINED)
    assert (looping.machine.report, looping.machine.attempts) == (Report("one", 1), Attempts())


@pytest.mark.parametrize("phase", [Phase.INSTALLED, Phase.JOINED])
def test_a_machine_that_boots_its_disk_is_in_no_loop(phase: Phase) -> None:
    looping = Looping()
    for _ in range(5):
        looping.boot()
    looping.machine = replace(looping.machine, phase=phase)
    assert looping.boot(Stage.IPXE_DISCOVER) is phase
    looping.machine = replace(looping.machine, phase=Phase.INSTALLING, reached=Stage.INSTALLING)
    boots = looping.machine.generation
    assert looping.reach(Stage.STARTED) is Phase.INSTALLING
    assert looping.machine.generation == boots + 1


BOOTS = st.lists(
    st.tuples(st.sampled_from(Stage), st.integers(-7200, 7200), st.sampled_from(["talos", "ipxe"]))
)


@given(BOOTS, st.integers(1, 5))
def test_attempts_are_bounded_and_only_a_new_boot_fails(
    boots: list[tuple[Stage, int, str]], most_attempts: int
) -> None:
    looping = Looping(most_attempts=most_attempts)
    for stage, seconds, looping.chain in boots:
        before = looping.machine
        looping.now += timedelta(seconds=seconds)
        looping.reach(stage)
        assert len(looping.machine.attempts.starts) <= most_attempts
        assert looping.machine.attempts.boot <= looping.machine.generation
        if looping.machine.phase is Phase.FAILED and before.phase is not Phase.FAILED:
            assert looping.machine.generation == before.generation + 1
            assert before.attempts.lately(looping.now) >= most_attempts
