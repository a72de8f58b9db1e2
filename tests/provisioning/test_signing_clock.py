"""The time by which certificates are signed is not before the newest row, whatever a wrong clock writes since."""

from datetime import datetime, timedelta

import pytest
from support.machines import machine_of
from support.revisions import revision_of

from iluvatar_pxe.errors import ClockError
from iluvatar_pxe.gitops.repository.bare import Commit
from iluvatar_pxe.gitops.repository.revision import Revision
from iluvatar_pxe.layers.arda.clock import BUILT
from iluvatar_pxe.machines.model import Snapshot
from iluvatar_pxe.provisioning.signing_clock import SigningClock
from iluvatar_pxe.values import replace

DAY, SECOND = timedelta(days=1), timedelta(seconds=1)
LATER = BUILT + 30 * DAY


class Host:
    """What a host knows, and what its clock says."""

    def __init__(self, *, seen: datetime | None = None, committed: str = "") -> None:
        self.time = LATER
        self.snapshot = Snapshot()
        if seen:
            self.see(seen)
        base = revision_of({})
        commit = Commit("c" * 40, "ada", committed, "A change")
        self.revision = Revision(base.fleet, commit, base.tree) if committed else None
        self.clock = SigningClock(lambda: self.revision, lambda: self.snapshot, lambda: self.time)

    def see(self, when: datetime) -> None:
        machine = replace(machine_of("52:54:00:00:00:01"), last_seen=when)
        self.snapshot = Snapshot.of([machine])

    def at(self, time: datetime) -> datetime:
        self.time = time
        return self.clock.now()


def test_without_rows_and_commits_the_version_counts() -> None:
    host = Host()
    assert host.at(BUILT) == BUILT
    with pytest.raises(ClockError, match="this version of iluvatar-pxe"):
        host.at(BUILT - SECOND)


def test_the_newest_row_counts_also_when_a_wrong_clock_wrote_it_again() -> None:
    host = Host(seen=LATER)
    assert host.at(LATER) == LATER
    host.see(BUILT + DAY)  # the only machine boots while the clock is wrong
    with pytest.raises(ClockError, match="the newest row of the inventory is of 2026-12-29 00:00:00 UTC"):
        host.at(BUILT + DAY)
    assert host.at(LATER + DAY) == LATER + DAY


def test_rows_that_were_written_since_the_start_count() -> None:
    host = Host(seen=LATER)
    host.see(LATER + DAY)
    with pytest.raises(ClockError, match="the newest row"):
        host.at(LATER)


@pytest.mark.parametrize(
    "at", ["2026-12-29T02:00:00+02:00", "2026-12-29T00:00:00Z", "2026-12-28T19:00:00-05:00"]
)
def test_a_commit_counts_in_whatever_zone_it_was_made(at: str) -> None:
    host = Host(committed=at)
    assert host.at(LATER) == LATER
    with pytest.raises(ClockError, match="the fleet's newest commit cccccccc is of 2026-12-29 00:00:00 UTC"):
        host.at(LATER - SECOND)


@pytest.mark.parametrize(
    "at",
    [
        "2023-11-18T01:52:20+99:59",
        "2026-12-29T00:00:00+24:00",
        "10000-01-01T00:00:00Z",
        "9999-12-31T23:59:59-05:00",
    ],
)
def test_a_commit_with_a_date_that_is_none_is_named_and_the_remedy_told(at: str) -> None:
    with pytest.raises(ClockError, match=r"commit cccccccc is of .*no time.*push another commit") as refused:
        Host(committed=at).at(LATER)
    assert at in str(refused.value)
