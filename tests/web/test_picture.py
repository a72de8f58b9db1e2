"""The picture of boots: one scale for all, and nothing that leaves it."""

from datetime import UTC, datetime

import pytest

from iluvatar_pxe.admin.boot_parts import Part
from iluvatar_pxe.admin.boots import Boot, Segment
from iluvatar_pxe.machines.boots import Stage
from iluvatar_pxe.web.picture import Picture, picture_of

S, MIN = 1000.0, 60_000.0


def boot(*lengths: float) -> Boot:
    """Return a boot whose parts took so many milliseconds."""
    segments, start = [], 0.0
    for part, length in zip(Part, lengths, strict=False):
        segments.append(Segment(part=part, start=start, milliseconds=length))
        start += length
    return Boot(
        number=1,
        started=datetime(2026, 1, 1, tzinfo=UTC),
        reached=Stage.JOINED,
        is_current=True,
        segments=tuple(segments),
    )


def ends(picture: Picture) -> list[float]:
    return [round(bars[-1].x + bars[-1].width, 1) for _, bars in picture.rows]


def test_all_boots_are_on_one_scale_which_the_longest_fills() -> None:
    assert ends(picture_of([boot(S, 24 * S), boot(100 * S)])) == [50.0, 100.0]


def test_the_same_moment_is_at_the_same_place_in_each() -> None:
    (_, first), (_, second) = picture_of([boot(S, 3 * S), boot(S, 8 * S)]).rows
    assert first[1].x == second[1].x


@pytest.mark.parametrize("lengths", [(0.0,), (0.0, 0.0), (5 * MIN, 0.0), (1.0, 60 * MIN, 1.0)])
def test_every_part_is_seen_and_none_leaves_the_picture(lengths: tuple[float, ...]) -> None:
    ((_, bars),) = picture_of([boot(*lengths)]).rows
    assert len(bars) == len(lengths)
    assert all(bar.width >= 0.6 and bar.x >= 0 and bar.x + bar.width <= 100.1 for bar in bars)


def test_a_bar_has_its_word_where_there_is_room() -> None:
    ((_, bars),) = picture_of([boot(MIN, 1.0, 10 * MIN)]).rows
    assert [bar.label for bar in bars] == ["DHCP", "", "script"]


@pytest.mark.parametrize(
    ("longest", "ticks"),
    [(0.0, ["1 s"]), (20 * S, ["1 s", "5 s", "15 s"]), (10 * MIN, ["1 s", "15 s", "1 min", "5 min"])],
)
def test_the_scale_names_times_that_have_room(longest: float, ticks: list[str]) -> None:
    assert [one.words for one in picture_of([boot(longest)]).ticks] == ticks


def test_no_boots_are_no_picture() -> None:
    assert picture_of([]).parts == ()


def test_parts_that_any_boot_has_are_in_the_table() -> None:
    assert picture_of([boot(S), boot(S, S)]).parts == (Part.DHCP, Part.PROGRAM)
