"""In which forms a question is sent, and what is learned of an upstream; stand-ins: tests/servers/dns/test_broken_routers."""

from collections.abc import Callable
from itertools import count

import pytest
from hypothesis import given
from hypothesis import strategies as st

from iluvatar_pxe.dns.inquiry import RETRY_SECONDS, Abilities, Ability, Inquiry
from iluvatar_pxe.wire.dns.name import name_of
from iluvatar_pxe.wire.dns.query import in_random_case, make_query, read_query, wants_signatures

QUERY = make_query(name_of("www.example.com"), 1)
_ADDRESS = b"\xc0\x0c\0\1\0\1\0\0\0\x3c\0\4\xc0\0\2\1"


def inquiry(abilities: Abilities, now: float = 0.0) -> Inquiry:
    """Return one whose ids count up, and whose case is all upper."""
    numbers = count(1)
    return Inquiry(
        QUERY,
        abilities,
        now,
        lambda octets: next(numbers).to_bytes(octets) if octets == 2 else b"\xff" * octets,
    )


def answered(query: bytes, rcode: int = 0) -> bytes:
    asked = read_query(query).asked
    return query[:2] + bytes([0x80, rcode]) + b"\0\1\0\1\0\0\0\0" + asked + _ADDRESS


def how(query: bytes) -> tuple[bool, bool]:
    """Return whether a question has EDNS, and random case."""
    read = read_query(query)
    return read.edns is not None, read.asked != read.asked.lower()


EVERYTHING, NO_EDNS, PLAIN = (True, True), (False, True), (False, False)


def sent(asked: Inquiry, moments: int) -> list[list[tuple[bool, bool]]]:
    return [[how(form) for form in asked.again()] for _ in range(moments)]


def test_silence_is_asked_in_plainer_forms_beside_the_full_one() -> None:
    last = [EVERYTHING, NO_EDNS, PLAIN]
    assert sent(inquiry(Abilities()), 4) == [[EVERYTHING], [EVERYTHING, NO_EDNS], last, last]


def test_an_upstream_that_knows_edns_is_asked_with_it_again() -> None:
    abilities = Abilities()
    abilities.edns.works()
    assert sent(inquiry(abilities), 3) == [[EVERYTHING], [EVERYTHING], [EVERYTHING, NO_EDNS, PLAIN]]


def test_each_form_has_an_id_of_its_own_and_a_late_answer_counts() -> None:
    abilities = Abilities()
    asked = inquiry(abilities)
    (first,), (second, _) = asked.again(), asked.again()
    assert first[:2] != second[:2]
    assert asked.take(answered(first)) == b""
    assert (asked.reply, asked.answered) == (answered(first), first)
    assert (list(asked.learn(0)), abilities.edns.proven, abilities.case.proven) == ([], True, True)


def lose(
    abilities: Abilities, begun: float, *, knows: Callable[[bytes], bool], outage: int = 0, seconds: float = 0
) -> list[str]:
    """Ask who drops what it does not know, and for some moments everything; return what is given up.

    The plainest form is answered first.
    """
    asked = inquiry(abilities, begun)
    for moment in count():
        forms = asked.again()
        for form in reversed(forms if moment >= outage else []):
            if knows(form):
                asked.take(answered(form))
        if asked.reply:
            return list(asked.learn(begun + seconds))
    raise AssertionError


def no_edns(form: bytes) -> bool:
    return not how(form)[0]


def no_case(form: bytes) -> bool:
    return not how(form)[1]


def plain(form: bytes) -> bool:
    return how(form) == PLAIN


def anything(_form: bytes) -> bool:
    return True


CASE = "random case (0x20)"


@pytest.mark.parametrize(
    ("knows", "given_up"),
    [
        (anything, [[], [], [], []]),
        (no_edns, [[], ["EDNS"], [], []]),
        (no_case, [[], [CASE], [], []]),
        (plain, [[], [CASE], [], ["EDNS"]]),
    ],
)
@pytest.mark.parametrize("outage", [0, 1, 2])
@pytest.mark.parametrize("proven", [True, False])
def test_silence_beside_an_answer_is_given_up_for_one_at_a_time(
    knows: Callable[[bytes], bool], given_up: list[list[str]], outage: int, *, proven: bool
) -> None:
    abilities = Abilities()
    if proven:
        abilities.edns.works()
    assert [lose(abilities, now, knows=knows, outage=outage) for now in range(4)] == given_up


def test_what_is_given_up_is_tried_again_and_once_more_is_enough_then() -> None:
    abilities = Abilities()
    assert [lose(abilities, now, knows=no_edns) for now in (0, 100)] == [[], ["EDNS"]]
    assert sent(inquiry(abilities, 99 + RETRY_SECONDS), 1) == [[NO_EDNS]]
    assert sent(inquiry(abilities, 100 + RETRY_SECONDS), 1) == [[EVERYTHING]]
    assert lose(abilities, 100 + RETRY_SECONDS, knows=no_edns) == ["EDNS"]


def test_a_question_that_is_answered_between_two_failures_clears_the_first() -> None:
    abilities = Abilities()
    assert [lose(abilities, 0, knows=one) for one in (no_edns, anything, no_edns)] == [[], [], []]


def test_questions_that_are_out_together_count_once() -> None:
    abilities = Abilities()
    begun = (0.0, 0.5, 1.9, 2.1)
    assert [lose(abilities, one, knows=no_edns, seconds=2) for one in begun] == [[], [], [], ["EDNS"]]


def test_the_answer_to_the_fuller_form_is_waited_for_and_preferred() -> None:
    asked = inquiry(Abilities())
    asked.again()
    full, without = asked.again()
    asked.take(answered(without))
    assert (asked.reply, asked.is_open) == (answered(without), True)
    asked.take(answered(full, 3))
    assert (asked.answered, asked.is_open) == (full, False)
    asked.take(answered(without))
    assert asked.answered == full


def test_what_is_out_when_it_is_given_up_does_not_put_off_the_next_try() -> None:
    ability = Ability()
    assert [ability.fails(now, now) for now in (0, 0, 800)] == [False, True, False]
    assert ability.is_usable(RETRY_SECONDS)


@pytest.mark.parametrize("rcode", [2, 5])
def test_a_failure_is_believed_of_who_knows_edns_and_else_only_without_it(rcode: int) -> None:
    asked = inquiry(Abilities())
    without = asked.take(answered(asked.again()[0], rcode))
    assert how(without) == NO_EDNS
    assert asked.take(answered(without, rcode)) == b""
    assert (asked.reply, list(asked.learn(0))) == (answered(without, rcode), [])
    proven = Abilities()
    proven.edns.works()
    asked = inquiry(proven)
    assert asked.take(answered(asked.again()[0], rcode)) == b""
    assert asked.reply


def test_what_only_edns_can_be_the_fault_of_is_not_believed_even_of_who_knows_it() -> None:
    abilities = Abilities()
    abilities.edns.works()
    for rcode, extended in ((1, 0), (4, 0), (0, 1)):
        asked = inquiry(abilities)
        (first,) = asked.again()
        opt = b"\0\0\x29\x04\xd0" + bytes([extended, 0, 0, 0, 0, 0])
        refusal = first[:2] + bytes([0x80, rcode]) + b"\0\1\0\0\0\0\0\1" + read_query(first).asked + opt
        assert how(asked.take(refusal)) == NO_EDNS


def test_an_answer_in_another_case_is_not_taken_and_the_right_one_still_is() -> None:
    abilities = Abilities()
    asked = inquiry(abilities)
    (first,) = asked.again()
    forged = answered(first).replace(b"WWW", b"www")
    lower = asked.take(forged)
    assert (how(lower), lower[:2] != first[:2], asked.reply) == ((True, False), True, b"")
    assert asked.take(forged) == b"", "asked in lower case once"
    asked.take(answered(first))
    assert (asked.reply, abilities.case.proven) == (answered(first), False)
    assert (list(asked.learn(0)), abilities.case.proven) == ([], True)


@given(st.lists(st.binary(max_size=60) | st.sampled_from([answered(QUERY), answered(QUERY, 2), QUERY])))
def test_whatever_comes_is_taken_or_not(replies: list[bytes]) -> None:
    asked = inquiry(Abilities())
    for reply in replies:
        number = asked.again()[0][:2]
        asked.take(number + reply[2:])
    list(asked.learn(0))


@given(st.binary(min_size=32, max_size=32))
def test_the_case_of_a_name_is_all_that_is_random(chance: bytes) -> None:
    query = make_query(name_of("a1-z.@[`{.example.com"), 28, do=True)
    assert in_random_case(query, chance).lower() == query.lower()
    assert read_query(in_random_case(query, chance)).name == read_query(query).name


@pytest.mark.parametrize("do", [True, False])
def test_a_question_tells_whether_it_wants_signatures(*, do: bool) -> None:
    assert wants_signatures(make_query(name_of("example.com"), 1, do=do)) is do
