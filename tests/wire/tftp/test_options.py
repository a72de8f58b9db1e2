"""Option negotiation, row by row against RFC 2347, 2348, 2349 and 7440."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from iluvatar_pxe.wire.tftp.options import Limits, Terms, negotiate

LIMITS = Limits(max_blksize=1468, max_windowsize=64)


def agreed(*options: tuple[str, str], size: int = 1000, limits: Limits = LIMITS) -> Terms:
    return negotiate(options, size, limits)


def test_no_options_means_rfc_1350() -> None:
    assert agreed() == Terms(blksize=512, windowsize=1, timeout=None, accepted=())


@pytest.mark.parametrize(
    ("asked", "accepted"),
    [
        (("blksize", "8"), "8"),
        (("blksize", "512"), "512"),
        (("blksize", "1468"), "1468"),
        (("blksize", "1469"), "1468"),
        (("blksize", "65464"), "1468"),
        (("blksize", "0001024"), "1024"),
        (("windowsize", "1"), "1"),
        (("windowsize", "64"), "64"),
        (("windowsize", "65535"), "64"),
        (("timeout", "1"), "1"),
        (("timeout", "255"), "255"),
        (("tsize", "0"), "1000"),
        (("tsize", "77"), "1000"),
    ],
)
def test_valid_options_are_granted_up_to_the_limits(asked: tuple[str, str], accepted: str) -> None:
    assert agreed(asked).accepted == ((asked[0], accepted),)


@pytest.mark.parametrize(
    "option",
    [
        ("blksize", "7"),
        ("blksize", "65465"),
        ("blksize", "-8"),
        ("blksize", "+8"),
        ("blksize", "8.0"),
        ("blksize", " 512"),
        ("blksize", "5_12"),
        ("blksize", "५१२"),
        ("blksize", ""),
        ("blksize", "9" * 5000),
        ("windowsize", "0"),
        ("windowsize", "65536"),
        ("windowsize", "four"),
        ("timeout", "0"),
        ("timeout", "256"),
        ("tsize", "x"),
        ("tsize", ""),
        ("multicast", ""),
        ("rollover", "0"),
        ("utimeout", "100000"),
    ],
)
def test_invalid_and_unknown_options_count_as_not_sent(option: tuple[str, str]) -> None:
    assert agreed(option) == Terms()


def test_terms_follow_from_what_was_accepted_in_the_order_asked() -> None:
    terms = agreed(("tsize", "0"), ("odd", "1"), ("windowsize", "16"), ("timeout", "3"), ("blksize", "1024"))
    accepted = (("tsize", "1000"), ("windowsize", "16"), ("timeout", "3"), ("blksize", "1024"))
    assert terms == Terms(blksize=1024, windowsize=16, timeout=3, accepted=accepted)


def test_an_option_counts_once() -> None:
    assert agreed(("blksize", "1024"), ("blksize", "600")).accepted == (("blksize", "1024"),)
    assert agreed(("blksize", "1"), ("blksize", "600")).accepted == (("blksize", "600"),)


def test_a_window_never_spans_more_than_half_of_the_block_numbers() -> None:
    terms = agreed(("windowsize", "65535"), limits=Limits(65464, 65535))
    assert terms.windowsize == 32767
    assert terms.accepted == (("windowsize", "32767"),)


@given(st.lists(st.tuples(st.sampled_from(["blksize", "windowsize", "timeout", "tsize"]), st.text())))
def test_whatever_is_asked_the_terms_stay_within_the_limits(options: list[tuple[str, str]]) -> None:
    terms = negotiate(tuple(options), 5, LIMITS)
    assert 8 <= terms.blksize <= 1468
    assert 1 <= terms.windowsize <= 64
    assert len(dict(terms.accepted)) == len(terms.accepted)
