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
    """Each has failed once before, and is told apart by whether it has to wait after its second failure."""
    failures = FailureLimit(Clock(), most=2)
    for number in range(MOST_CLIENTS):
        failures.fail(str(number))
    failures.fail("0")
    failures.fail("another")
    for client in ("0", "1", "2", "another"):
        failures.fail(client)
    waiting = {client for client in ("0", "1", "2", "another") if failures.wait(client)}
    assert waiting == {"0", "another"}, "1 had made room for another, and 2 then for 1"
    assert len(failures._records) == MOST_CLIENTS


def test_a_client_that_fails_again_outlives_older_ones_in_a_full_table() -> None:
    failures = FailureLimit(Clock(), most=1)
    for number in range(MOST_CLIENTS):
        failures.fail(str(number))
    failures.fail("0")
    failures.fail("another")
    assert failures.wait("0") > 0
    assert failures.wait("1") == 0
    assert failures.wait("2") > 0
