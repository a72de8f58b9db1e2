"""A download goes on only where the publisher proves that the file is the same."""

import hashlib
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from iluvatar_pxe.assets.download.ranges import (
    Complete,
    Continue,
    Contradiction,
    FromStart,
    Kept,
    Verdict,
    conditions,
    judge,
    length_of,
    validator_of,
)
from iluvatar_pxe.values import replace

SATURDAY, SUNDAY = "Sat, 28 Nov 2026 12:00:00 GMT", "Sun, 29 Nov 2026 12:00:00 GMT"
KEPT = Kept(100, '"a"', 1000)
UNSIZED = Kept(100, '"a"', None)
DATED = Kept(100, SATURDAY, 1000)
REST = {"Content-Range": "bytes 100-999/1000"}
TAG = {"ETag": '"a"'}
NAMES = ["ETag", "Content-Range", "Content-Length", "Last-Modified", "Date"]
DATES = st.from_regex(
    r"[A-Z][a-z]{2}, [0-9]{1,3} [A-Z][a-z]{2} [0-9]{1,5} [0-9:]{0,9} ([+-][0-9]{1,6}|GMT|\(.*)?"
)
NOON = "Sun, 29 Nov 2026 12:00:00 GMT"


@pytest.mark.parametrize(
    ("headers", "validator"),
    [
        ({"ETag": '"a"'}, '"a"'),
        ({"ETag": 'W/"a"'}, None),
        ({"ETag": "a"}, None),
        ({"ETag": '"a\r\nX: y"'}, None),
        ({"ETag": 'W/"a"', "Last-Modified": "Sat, 28 Nov 2026 12:00:00 GMT", "Date": NOON}, None),
        (
            {"Last-Modified": "Sat, 28 Nov 2026 12:00:00 GMT", "Date": NOON},
            "Sat, 28 Nov 2026 12:00:00 GMT",
        ),
        ({"Last-Modified": "Sun, 29 Nov 2026 11:59:30 GMT", "Date": NOON}, None),
        ({"Last-Modified": "Sun, 29 Nov 2026 12:59:30 GMT", "Date": NOON}, None),
        ({"Last-Modified": "Sat, 28 Nov 2026 12:00:00 GMT"}, None),
        ({"Last-Modified": "yesterday", "Date": NOON}, None),
        ({}, None),
    ],
)
def test_only_a_strong_validator_counts(headers: dict[str, str], validator: str | None) -> None:
    assert validator_of(headers) == validator


def test_the_rest_is_asked_for_on_condition() -> None:
    assert conditions(KEPT) == {"Range": "bytes=100-", "If-Range": '"a"'}
    assert conditions(None) == {}


@pytest.mark.parametrize(
    ("kept", "status", "headers", "verdict"),
    [
        (None, 200, {"Content-Length": "1000"}, FromStart(1000)),
        (None, 200, {}, FromStart(None)),
        (None, 206, {"Content-Range": "bytes 0-999/1000"}, Contradiction()),
        (KEPT, 200, {"Content-Length": "1000"}, FromStart(1000)),
        (KEPT, 206, REST | TAG, Continue(1000)),
        (KEPT, 206, REST, Contradiction()),
        (KEPT, 206, REST | {"ETag": '"b"'}, Contradiction()),
        (KEPT, 206, REST | {"ETag": 'W/"a"'}, Contradiction()),
        (KEPT, 206, REST | {"Last-Modified": SUNDAY}, Contradiction()),
        (DATED, 206, REST | {"Last-Modified": SATURDAY}, Continue(1000)),
        (DATED, 206, REST | {"Last-Modified": SATURDAY} | TAG, Continue(1000)),
        (DATED, 206, REST | {"Last-Modified": SUNDAY}, Contradiction()),
        (DATED, 206, REST | TAG, Contradiction()),
        (DATED, 206, REST, Contradiction()),
        (KEPT, 206, TAG | {"Content-Range": "bytes 100-999/*"}, Continue(1000)),
        (KEPT, 206, TAG | {"Content-Range": "bytes 101-999/1000"}, Contradiction()),
        (KEPT, 206, TAG | {"Content-Range": "bytes 0-999/1000"}, Contradiction()),
        (KEPT, 206, TAG | {"Content-Range": "bytes 100-998/1000"}, Contradiction()),
        (KEPT, 206, TAG | {"Content-Range": "bytes 100-998/*"}, Contradiction()),
        (KEPT, 206, TAG | {"Content-Range": "bytes 100-1999/2000"}, Contradiction()),
        (KEPT, 206, TAG, Contradiction()),
        (UNSIZED, 206, REST | TAG, Continue(1000)),
        (UNSIZED, 206, TAG | {"Content-Range": "bytes 100-999/*"}, Contradiction()),
        (KEPT, 416, {"Content-Range": "bytes */1000"}, Contradiction()),
        (KEPT, 416, {}, Contradiction()),
        (Kept(1000, '"a"', 1000), 416, {"Content-Range": "bytes */1000"}, Complete()),
        (Kept(1000, '"a"', 1000), 416, {"Content-Range": "bytes */1000", "ETag": '"b"'}, Contradiction()),
        (Kept(1000, '"a"', None), 416, {"Content-Range": "bytes */1000"}, Contradiction()),
        (Kept(1000, '"a"', None), 416, {"Content-Range": "bytes */1000", "ETag": '"a"'}, Complete()),
        (Kept(1000, '"a"', 2000), 416, {"Content-Range": "bytes */1000"}, Contradiction()),
    ],
)
def test_what_an_answer_has_to_do_with_what_is_kept(
    kept: Kept | None, status: int, headers: dict[str, str], verdict: Verdict
) -> None:
    assert judge(kept, status, headers) == verdict


@dataclass(frozen=True)
class Server:
    """A publisher that keeps to RFC 9110, 13.1.5 and 14.2, but may ignore ``If-Range``: it never lies."""

    content: bytes
    ranges: bool
    conditions: bool
    named: bool
    """Whether the validator is in every answer, and not only where all of the file is sent."""
    field: str

    @property
    def validator(self) -> str:
        text = hashlib.sha256(self.content).hexdigest()
        return f'"{text}"' if self.field == "ETag" else f"the date of {text}"

    def answer(self, asked: dict[str, str]) -> tuple[int, dict[str, str], bytes]:
        size, said = len(self.content), {self.field: self.validator}
        if not self.ranges or (self.conditions and asked.get("If-Range") != self.validator):
            return 200, said | {"Content-Length": str(size)}, self.content
        start, named = (
            int(asked["Range"].removeprefix("bytes=").removesuffix("-")),
            said if self.named else {},
        )
        if start >= size:
            return 416, named | {"Content-Range": f"bytes */{size}"}, b""
        return 206, named | {"Content-Range": f"bytes {start}-{size - 1}/{size}"}, self.content[start:]


@given(
    before=st.binary(min_size=1),
    after=st.binary(min_size=1),
    changes=st.booleans(),
    cut=st.integers(1),
    sized=st.booleans(),
    server=st.builds(
        Server,
        st.just(b""),
        st.booleans(),
        st.booleans(),
        st.booleans(),
        st.sampled_from(["ETag", "Last-Modified"]),
    ),
)
def test_what_is_put_together_is_the_file_of_one_moment(
    before: bytes, after: bytes, *, changes: bool, cut: int, sized: bool, server: Server
) -> None:
    """The first bytes are those of ``before``; then the publisher has ``after``, if the file changes."""
    first, then = replace(server, content=before), replace(server, content=after if changes else before)
    kept = before[: min(cut, len(before))]
    have = Kept(len(kept), first.validator, len(before) if sized else None)
    status, headers, body = then.answer(conditions(have))
    match judge(have, status, headers):
        case Continue(total):
            assert total == len(before)
            assert kept + body == before == then.content
        case FromStart(total):
            assert (body, total) == (then.content, len(then.content))
        case Complete():
            assert kept == before
        case Contradiction():
            assert before != then.content or not server.named


@given(
    st.none() | st.builds(Kept, st.integers(1), st.text(), st.none() | st.integers(1)),
    st.sampled_from([200, 206, 416]),
    st.dictionaries(st.sampled_from(NAMES), st.text() | DATES),
)
def test_whatever_is_answered_there_is_a_verdict(
    kept: Kept | None, status: int, headers: dict[str, str]
) -> None:
    assert isinstance(judge(kept, status, headers), Verdict)
    validator = validator_of(headers)
    assert validator is None or (validator.isascii() and validator.isprintable())
    length = length_of(headers)
    assert length is None or length >= 0
