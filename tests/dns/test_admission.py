"""A flood leaves room for others."""

from hypothesis import given
from hypothesis import strategies as st

from iluvatar_pxe.dns.admission import Admission, Bounds
from iluvatar_pxe.wire.dns.name import name_of

BOUNDS = Bounds(total=6, client=4, domain=2)


def test_random_names_below_one_domain_leave_room_for_other_names() -> None:
    admission = Admission(BOUNDS)
    assert [admission.enter("1", name_of(f"{n}.x.victim.com")) for n in range(4)] == [
        True,
        True,
        False,
        False,
    ]
    assert admission.enter("1", name_of("www.example.com"))


def test_one_client_leaves_room_for_others() -> None:
    admission = Admission(BOUNDS)
    entered = [admission.enter("1", name_of(f"a.b{n}.com")) for n in range(6)]
    assert entered == [True] * 4 + [False] * 2
    assert admission.enter("2", name_of("www.example.com"))


def test_all_together_are_bounded() -> None:
    admission = Admission(BOUNDS)
    assert sum(admission.enter(str(n), name_of(f"a.b{n}.com")) for n in range(9)) == 6


def test_the_root_and_top_level_names_count_for_themselves() -> None:
    admission = Admission(BOUNDS)
    assert all(admission.enter("1", name_of(text)) for text in (".", "com", "org", "com"))
    assert not admission.enter("2", name_of("com"))


@given(st.lists(st.tuples(st.sampled_from("123"), st.sampled_from(["a.b.c", "d.b.c", "e.f"]), st.booleans())))
def test_what_is_settled_makes_room_again(steps: list[tuple[str, str, bool]]) -> None:
    admission = Admission(BOUNDS)
    out: list[tuple[str, bytes]] = []
    for client, text, settle in steps:
        if settle and out:
            admission.leave(*out.pop())
        elif admission.enter(client, name_of(text)):
            out.append((client, name_of(text)))
        assert admission.total == len(out) <= 6
        assert max([sum(who == client for who, _ in out) for client in "123"]) <= 4
    while out:
        admission.leave(*out.pop())
    assert (admission.total, dict(admission._out)) == (0, {})
