"""Who makes room for a new connection: the longest silent one, of the same client first."""

from ipaddress import IPv4Address

from structlog.testing import capture_logs

from iluvatar_pxe.servers.connection_pool import ConnectionPool, nic_at


class Guest:
    def __init__(self, pool: ConnectionPool, client: str, *, is_served: bool = False) -> None:
        self.is_served = is_served
        self.gone = False
        self._pool = pool
        pool.enter(self, client)

    def abort(self) -> None:
        self.gone = True
        self._pool.leave(self)


def test_the_longest_silent_of_the_same_client_makes_room_first() -> None:
    pool = ConnectionPool("crowded", each=2, total=6)
    guests = {(client, number): Guest(pool, client) for client in "123" for number in range(2)}
    pool.heard(guests["1", 0])
    with capture_logs() as logs:
        Guest(pool, "2")
        Guest(pool, "4")
    assert {key for key, guest in guests.items() if guest.gone} == {("2", 0), ("1", 1)}
    assert [(line["event"], line["client"]) for line in logs] == [("crowded", "2")], "one line for a flood"
    assert len(pool) == 6
    pool.disperse()
    assert len(pool) == 0


def test_one_that_is_served_stays_while_another_is_silent() -> None:
    pool = ConnectionPool("crowded", each=2, total=3)
    downloads, silent = Guest(pool, "a", is_served=True), Guest(pool, "b")
    Guest(pool, "c")
    Guest(pool, "d")
    assert (downloads.gone, silent.gone) == (False, True)


def test_where_all_are_served_the_client_with_the_most_makes_room() -> None:
    pool = ConnectionPool("crowded", each=3, total=4)
    alone = Guest(pool, "a", is_served=True)
    crowd = [Guest(pool, "b", is_served=True) for _ in range(3)]
    late = Guest(pool, "c", is_served=True)
    assert [one.gone for one in (alone, *crowd, late)] == [False, True, False, False, False]
    more = [Guest(pool, "b", is_served=True) for _ in range(2)]
    assert [one.gone for one in (alone, late, *more)] == [False] * 4, "the crowd makes room for itself"


def test_a_client_is_counted_by_its_nic_and_one_behind_a_router_by_its_address() -> None:
    neighbours = {IPv4Address(f"10.0.0.{number}"): "02:00:00:00:00:01" for number in (1, 2)}
    assert nic_at("10.0.0.1", neighbours.get) == nic_at("10.0.0.2", neighbours.get) == "02:00:00:00:00:01"
    assert nic_at("10.1.0.1", neighbours.get) == "10.1.0.1"
