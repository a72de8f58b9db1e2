"""Tickets: whose they are, how long they live, what is no ticket, and the key that makes them."""

import os
import stat
from pathlib import Path
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from structlog.testing import capture_logs

from iluvatar_pxe.provisioning.tickets import KEY_OCTETS, LIFETIME, OUTLIVES, Claim, Tickets, load_key, mask

KEY = bytes(range(KEY_OCTETS))
ONE = Claim(UUID(int=1), 1)
PURPOSE = "talos-config"
ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"


class Clock:
    def __init__(self, now: float = 1000.0) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


def office(clock: Clock | None = None, key: bytes = KEY) -> Tickets:
    return Tickets(key, clock or Clock())


def test_a_ticket_says_what_it_was_minted_for() -> None:
    issuer = office()
    assert issuer.check(issuer.mint(ONE, PURPOSE), PURPOSE) == ONE


def test_a_ticket_fits_into_a_url_as_it_is() -> None:
    for number in range(50):
        ticket = office().mint(Claim(UUID(int=number), number), PURPOSE)
        assert len(ticket) == 48
        assert set(ticket) <= set(ALPHABET)


def test_all_tickets_of_one_boot_are_the_same() -> None:
    issuer = office()
    assert issuer.mint(ONE, PURPOSE) == issuer.mint(ONE, PURPOSE)
    assert issuer.mint(ONE, PURPOSE) != issuer.mint(Claim(ONE.machine_id, 2), PURPOSE)
    assert issuer.mint(ONE, PURPOSE) != issuer.mint(Claim(UUID(int=2), 1), PURPOSE)


def test_a_ticket_is_for_one_purpose() -> None:
    issuer = office()
    assert issuer.check(issuer.mint(ONE, PURPOSE), "cloud-init") is None
    assert issuer.check(issuer.mint(ONE, "a"), "a\0") is None


def test_a_ticket_of_another_key_is_none() -> None:
    assert office().check(office(key=bytes(KEY_OCTETS)).mint(ONE, PURPOSE), PURPOSE) is None


@pytest.mark.parametrize(
    ("age", "valid"), [(0.0, True), (LIFETIME - 1, True), (LIFETIME, False), (1e9, False)]
)
def test_a_ticket_dies_of_age(age: float, *, valid: bool) -> None:
    clock = Clock()
    issuer = office(clock)
    ticket = issuer.mint(ONE, PURPOSE)
    clock.now += age
    assert (issuer.check(ticket, PURPOSE) == ONE) is valid


def test_asking_for_it_again_does_not_make_it_younger() -> None:
    clock = Clock()
    issuer = office(clock)
    ticket = issuer.mint(ONE, PURPOSE)
    clock.now += LIFETIME - 1
    assert issuer.mint(ONE, PURPOSE) == ticket
    clock.now += 1
    assert issuer.check(ticket, PURPOSE) is None


def test_the_next_boot_has_its_own_time() -> None:
    clock = Clock()
    issuer = office(clock)
    issuer.mint(ONE, PURPOSE)
    clock.now += LIFETIME - 1
    second = issuer.mint(Claim(ONE.machine_id, 2), PURPOSE)
    clock.now += LIFETIME - 1
    assert issuer.check(second, PURPOSE) == Claim(ONE.machine_id, 2)


def test_a_ticket_of_an_earlier_run_counts_from_the_start_of_this_one() -> None:
    ticket = office().mint(ONE, PURPOSE)
    clock = Clock()
    later = office(clock)
    clock.now += LIFETIME - 1
    assert later.check(ticket, PURPOSE) == ONE
    clock.now += 1
    assert later.check(ticket, PURPOSE) is None


def test_a_young_ticket_outlives_its_boot() -> None:
    clock = Clock()
    issuer = office(clock)
    issuer.mint(ONE, PURPOSE)
    clock.now += OUTLIVES - 1
    second = Claim(ONE.machine_id, 2)
    issuer.mint(second, PURPOSE)
    assert issuer.outlives_its_boot(ONE)
    clock.now += 1
    assert not issuer.outlives_its_boot(ONE)
    assert issuer.outlives_its_boot(second)


def test_a_ticket_that_was_not_made_in_this_run_does_not_outlive_its_boot() -> None:
    assert not office().outlives_its_boot(ONE)


def test_of_the_boots_of_a_machine_the_last_two_are_remembered() -> None:
    issuer = office()
    claims = [Claim(ONE.machine_id, boot) for boot in (1, 2, 3)]
    for claim in claims:
        issuer.mint(claim, PURPOSE)
    assert [issuer.outlives_its_boot(claim) for claim in claims] == [False, True, True]


@given(st.integers(0, 48 * 8 - 1))
def test_no_flipped_bit_goes_unseen(bit: int) -> None:
    issuer = office()
    octets = bytearray(issuer.mint(ONE, PURPOSE).encode())
    octets[bit // 8] ^= 1 << bit % 8
    assert issuer.check(octets.decode("latin-1"), PURPOSE) is None


@given(st.integers(0, 47), st.sampled_from(ALPHABET))
def test_no_changed_character_goes_unseen(place: int, character: str) -> None:
    issuer = office()
    ticket = issuer.mint(ONE, PURPOSE)
    changed = ticket[:place] + character + ticket[place + 1 :]
    assert issuer.check(changed, PURPOSE) == (ONE if changed == ticket else None)


@given(st.text() | st.text(ALPHABET + "=+/ \n", max_size=60))
def test_any_text_is_checked_without_failure(text: str) -> None:
    assert office().check(text, PURPOSE) is None


@pytest.mark.parametrize("wrap", ["{}=", "{}\n", " {}", "{}A", "{}%", "={}"])
def test_there_is_one_spelling(wrap: str) -> None:
    issuer = office()
    assert issuer.check(wrap.format(issuer.mint(ONE, PURPOSE)), PURPOSE) is None


def test_tickets_are_masked() -> None:
    ticket = office().mint(ONE, PURPOSE)
    assert mask(f"GET /talos/{ticket}/config.yaml HTTP/1.1") == "GET /talos/TICKET/config.yaml HTTP/1.1"
    assert mask(f"b'{ticket}' and {ticket}") == "b'TICKET' and TICKET"


@pytest.mark.parametrize(
    "text", ["", "/boot.ipxe", f"/assets/talos/{'376567988ad3' * 6}/kernel-amd64", "52:54:00:77:00:01"]
)
def test_nothing_else_is_masked(text: str) -> None:
    assert mask(text) == text


def test_the_key_is_made_once_and_closed_to_others(tmp_path: Path) -> None:
    file = tmp_path / "ticket.key"
    key = load_key(file)
    assert (len(key.octets), key.problem) == (KEY_OCTETS, None)
    assert load_key(file) == key
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert load_key(tmp_path / "other.key") != key
    assert sorted(path.name for path in tmp_path.iterdir()) == ["other.key", "ticket.key"]


def test_the_key_is_closed_to_others_whatever_the_umask(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        load_key(tmp_path / "ticket.key")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "ticket.key").stat().st_mode) == 0o600


@pytest.mark.parametrize("content", [b"", b"x", bytes(KEY_OCTETS - 1), bytes(KEY_OCTETS + 1)])
def test_a_damaged_key_is_told_and_replaced(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "ticket.key"
    file.write_bytes(content)
    with capture_logs() as lines:
        key = load_key(file)
    assert [(line["event"], line["why"]) for line in lines] == [
        ("tickets.key", f"held {len(content)} bytes, not 32")
    ]
    assert (file.read_bytes(), key.problem) == (key.octets, None)
    assert len(key.octets) == KEY_OCTETS


def test_a_key_that_cannot_be_read_is_left_and_another_used_until_then(tmp_path: Path) -> None:
    key = load_key(tmp_path)
    assert len(key.octets) == KEY_OCTETS
    assert key.problem
    assert key.problem.startswith(f"{tmp_path}: cannot be read: Is a directory; make it readable")


def test_a_key_that_cannot_be_written_is_used_until_then(tmp_path: Path) -> None:
    key = load_key(tmp_path / "none" / "ticket.key")
    assert len(key.octets) == KEY_OCTETS
    assert key.problem
    assert "/none/ticket.key: cannot be written: No such file or directory; make room" in key.problem
