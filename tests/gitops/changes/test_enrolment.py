"""The commit that opens or closes the enrolment window."""

from datetime import UTC, datetime, timedelta

import pytest

from iluvatar_pxe.fleet.daemon_files import EnrolmentFile
from iluvatar_pxe.fleet.parse import parse_fleet
from iluvatar_pxe.gitops.changes.enrolment import set_window

NOW = datetime(2026, 11, 29, 13, 30, 5, 900_000, tzinfo=UTC)


def said(known: EnrolmentFile | None, seconds: int, by: str, now: datetime) -> tuple[EnrolmentFile, str]:
    """Return what the fleet says after the commit, and the commit's message."""
    changes = set_window(known, seconds, by, now)
    files = {path: (text or b"").decode() for path, text in changes.files.items()}
    window = parse_fleet({"fleet.yaml": "", **files}).window
    assert window
    return window, changes.message


def test_who_opened_it_and_until_when() -> None:
    window, message = said(None, 1800, "anna on pi-1", NOW)
    assert (window.seconds, window.words) == (1800, "anna on pi-1 at 2026-11-29 13:30:05 UTC")
    assert message == "The enrolment window is open until 2026-11-29 14:00 UTC\n\nBy anna on pi-1.\n"


def test_who_closed_it() -> None:
    window, message = said(None, 0, "root (sudo: bert) on pi-2", NOW)
    assert window.seconds == 0
    assert message == "The enrolment window is closed\n\nBy root (sudo: bert) on pi-2.\n"


@pytest.mark.parametrize("by", ["änna: #1 on pi-1", 'a "b" \\ on pi-1', "🙂 on pi-1"])
def test_any_name_is_written_so_that_it_is_read(by: str) -> None:
    assert said(None, 0, by, NOW)[0].by == by


@pytest.mark.parametrize("now", [NOW, NOW - timedelta(hours=2), datetime(1970, 1, 1, tzinfo=UTC)])
def test_it_is_later_than_the_one_before_whatever_the_clock(now: datetime) -> None:
    first, _ = said(None, 1800, "anna on pi-1", NOW)
    second, _ = said(first, 1800, "anna on pi-1", now)
    assert second.moment - first.moment == timedelta(seconds=1)
    assert second.words != first.words


def test_a_fleet_without_the_file_says_nothing() -> None:
    assert parse_fleet({"fleet.yaml": ""}).window is None
