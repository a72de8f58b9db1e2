"""No certificate is signed by a clock that cannot be right."""

import re
import tomllib
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from iluvatar_pxe.errors import ClockError
from iluvatar_pxe.layers.arda.clock import BUILT, ClockGuard

DAY, SECOND = timedelta(days=1), timedelta(seconds=1)
ROOT = Path(__file__).parents[3]
LATER = BUILT + 30 * DAY


@pytest.mark.parametrize(
    ("guard", "earliest", "what"),
    [
        (ClockGuard(), BUILT, "this version of iluvatar-pxe"),
        (ClockGuard(committed=LATER, commit="c1", recorded=BUILT), LATER, "the fleet's newest commit c1"),
        (ClockGuard(committed=BUILT, recorded=LATER), LATER, "the newest row of the inventory"),
        (ClockGuard(committed=BUILT - DAY, recorded=BUILT - DAY), BUILT, "this version of iluvatar-pxe"),
    ],
)
def test_a_clock_before_what_has_happened_is_refused_and_the_remedy_is_told(
    guard: ClockGuard, earliest: datetime, what: str
) -> None:
    guard.check(earliest)
    guard.check(earliest + DAY)
    for wrong in (earliest - SECOND, earliest - DAY, datetime(1970, 1, 1, tzinfo=UTC)):
        with pytest.raises(ClockError) as refused:
            guard.check(wrong)
        text = str(refused.value)
        assert f"the clock says {wrong:%Y-%m-%d %H:%M:%S} UTC, but {what} is of {earliest:%Y-%m-%d}" in text
        assert ("push another: git commit --allow-empty" in text) == ("commit" in what)
        assert text.endswith("set the clock: timedatectl set-ntp true")
        assert "\n" not in text


def test_the_day_of_this_version_is_not_before_that_of_its_entry_in_the_changelog() -> None:
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    entry = re.search(
        rf"^## \[{re.escape(version)}\] - (\S+)$", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE
    )
    assert not entry or BUILT.date().isoformat() == entry[1]
