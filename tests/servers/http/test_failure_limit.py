"""Who guesses waits: counted by client and time, in a table that does not grow."""

from iluvatar_pxe.servers.http.failure_limit import MOST_CLIENTS, FailureLimit


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def test_a_client_that_fails_too_often_waits_and_others_do_not() -> None:
    clock = Clock()
    failures = FailureLimit(clock, most=3, seconds=60)
    for _ in range(2):
        failures.fail("a")
    assert failures.wait("a") == 0
    failures.fail("a")
    assert failures.wait("a") == 60
    assert failures.wait("b") == 0
    clock.now += 59
    assert failures.wait("a") == 1
    clock.now += 1
    assert failures.wait("a") == 0


def test_it_begins_to_count_anew_after_the_time() -> None:
    clock = Clock()
    failures = FailureLimit(clock, most=3, seconds=60)
    for _ in range(20):
        failures.fail("a")
        failures.fail("a")
        assert failures.wait("a") == 0
        clock.now += 60


def test_of_more_clients_than_it_remembers_those_count_who_failed_last() -> None:
    failures = FailureLimit(Clock(), most=1)
    for number in range(MOST_CLIENTS + 1):
        failures.fail(str(number))
    assert failures.wait("0") == 0
    assert failures.wait("1") > 0
    assert failures.wait(str(MOST_CLIENTS)) > 0
    assert len(failures._records) == MOST_CLIENTS
