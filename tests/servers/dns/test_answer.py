"""For how long an answer lies ready."""

from math import inf

import pytest

from iluvatar_pxe.servers.dns.answer import DnsAnswer, refusal
from iluvatar_pxe.wire.dns.message import Body
from iluvatar_pxe.wire.dns.types import Ede, Rcode

BODY = Body(Rcode.NOERROR, (1, 0, 0), b"", (), 60)


def test_what_counts_down_lies_ready_for_about_a_second_and_never_beyond_its_time() -> None:
    answers = [DnsAnswer(BODY, "192.0.2.1", stored=1000 + number / 7919) for number in range(500)]
    spans = [answer.until(1010) - 1010 for answer in answers]
    assert 0.5 <= min(spans) < 0.6
    assert 1.4 < max(spans) <= 1.5
    assert all(answer.until(1059.9) <= 1060 + number / 7919 + 1e-9 for number, answer in enumerate(answers))
    assert answers[0].age(1010.9) == 10


def test_what_is_the_fleets_own_lies_ready_until_it_changes() -> None:
    assert DnsAnswer(BODY, "fleet").until(1010) == inf


@pytest.mark.parametrize(
    "answer",
    [
        refusal(Rcode.REFUSED, "not allowed", Ede.PROHIBITED),
        DnsAnswer(BODY, "192.0.2.1", stored=0, stale=True),
        DnsAnswer(Body(Rcode.NOERROR), "joined of two", stored=1010),
    ],
)
def test_what_may_be_another_at_once_does_not(answer: DnsAnswer) -> None:
    assert answer.until(1010) <= 1010
