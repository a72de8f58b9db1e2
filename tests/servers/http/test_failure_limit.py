"""Who guesses waits: counted by client and time, in a table that does not grow."""

from iluvatar_pxe.servers.http.failure_limit import MOST_CLIENTS, Throttle


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def test_a_client_that_fails_too_often_waits_and_others_do_not() -> None:
    clock = Clock()
    throttle = Throttle(clock, most=3, seconds=60)
    for _ in range(2):
        throttle.fail("a")
    assert throttle.wait("a") == 0
    throttle.fail("a")
    assert throttle.wait("a") == 60
    assert throttle.wait("b") == 0
    clock.now += 59
    assert throttle.wait("a") == 1
    clock.now += 1
    assert throttle.wait("a") == 0


def test_it_begins_to_count_anew_after_the_time() -> None:
    clock = Clock()
    throttle = Throttle(clock, most=3, seconds=60)
    for _ in range(20):
        throttle.fail("a")
        throttle.fail("a")
        assert throttle.wait("a") == 0
        clock.now += 60


def test_of_more_clients_than_it_remembers_those_count_who_failed_last() -> None:
    throttle = Throttle(Clock(), most=1)
    for number in range(MOST_CLIENTS + 1):
        throttle.fail(str(number))
    assert throttle.wait("0") == 0
    assert throttle.wait("1") > 0
    assert throttle.wait(str(MOST_CLIENTS)) > 0
    assert len(throttle._records) == MOST_CLIENTS
