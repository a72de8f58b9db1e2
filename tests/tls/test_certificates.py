"""The certificate in use follows the time, the names and the files, while it is used."""

import asyncio
import os
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import Encoding
from structlog.testing import capture_logs
from support.tls import Given, fingerprint_of
from support.waiting import until

from iluvatar_pxe.settings.model import HttpSettings
from iluvatar_pxe.tls import certificates as module
from iluvatar_pxe.tls.certificates import Certificates
from iluvatar_pxe.tls.names import Names, names_of

NOW = datetime(2026, 7, 1, 12, tzinfo=UTC)


class Clock:
    def __init__(self, now: datetime) -> None:
        self.now = now

    def __call__(self) -> datetime:
        return self.now


def names(*addresses: str) -> Names:
    return names_of(os.uname().nodename, "lab.home.arpa", map(IPv4Address, addresses))


def own(directory: Path, clock: Callable[[], datetime]) -> Certificates:
    return Certificates.load(HttpSettings(), directory / "tls", "lab.home.arpa", clock)


async def test_it_is_renewed_in_time_and_not_before(tmp_path: Path) -> None:
    clock = Clock(NOW)
    certificates = own(tmp_path, clock)
    await certificates.renew(names())
    first = certificates.shown
    clock.now += timedelta(days=59)
    await certificates.renew(names())
    assert certificates.shown is first
    clock.now += timedelta(days=1)
    await certificates.renew(names())
    assert certificates.shown.expires == clock.now + timedelta(days=90)
    assert certificates.shown.fingerprint == first.fingerprint, "the CA stays"
    assert certificates.shown.context is not first.context


async def test_it_is_renewed_when_the_clock_is_set(tmp_path: Path) -> None:
    clock = Clock(datetime(1970, 1, 1, tzinfo=UTC))
    certificates = own(tmp_path, clock)
    clock.now = NOW + timedelta(days=365)
    await certificates.renew(names())
    assert certificates.shown.expires == clock.now + timedelta(days=90)


async def test_it_is_renewed_for_a_new_address_alone(tmp_path: Path) -> None:
    certificates = own(tmp_path, Clock(NOW))
    await certificates.renew(names("10.0.0.1"))
    first = certificates.shown
    await certificates.renew(names())
    assert certificates.shown is first, "an address that went away does no harm"
    await certificates.renew(names("10.0.0.2"))
    assert certificates.shown is not first
    assert certificates.shown.is_good(names("10.0.0.2"), NOW)


async def test_many_that_ask_at_once_get_one(tmp_path: Path) -> None:
    certificates = own(tmp_path, Clock(NOW))
    shown = set()

    async def renew() -> None:
        await certificates.renew(names("10.0.0.1"))
        shown.add(certificates.shown.certificate.serial_number)

    await asyncio.gather(*(renew() for _ in range(20)))
    assert len(shown) == 1


async def test_it_says_what_is_shown_at_first_and_after_every_change(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "CHECK_SECONDS", 0.01)
    clock = Clock(NOW)
    certificates = own(tmp_path, clock)
    wanted = [names("10.0.0.1")]
    await certificates.renew(wanted[0])
    with capture_logs() as logs:
        async with asyncio.TaskGroup() as group:
            running = group.create_task(certificates.run(lambda: wanted[0]))
            await until(lambda: len(logs) == 1)
            clock.now += timedelta(days=70)
            await until(lambda: len(logs) == 2)
            wanted[0] = names("10.0.0.2")
            await until(lambda: len(logs) == 3)
            await certificates.renew(names("10.0.0.2", "10.0.0.3"))
            await until(lambda: len(logs) == 4)
            running.cancel()
    authority = fingerprint_of(tmp_path / "tls" / "ca.crt")
    assert {(line["event"], line["fingerprint"]) for line in logs} == {("tls", authority)}
    days = [(datetime.fromisoformat(line["expires"]) - NOW).days for line in logs]
    assert days == [90, 160, 160, 160]


async def test_given_files_are_read_again_and_faulty_ones_change_nothing(tmp_path: Path) -> None:
    given = Given.make(tmp_path)
    certificates = Certificates.load(
        HttpSettings.model_validate(given.settings), tmp_path / "tls", "lab.home.arpa", Clock(NOW)
    )
    first = certificates.shown
    await certificates.renew(names("10.0.0.1"))
    assert certificates.shown is first
    key = given.key.read_bytes()
    with capture_logs() as logs:
        given.key.write_text("nonsense")
        await certificates.renew(names())
        await certificates.renew(names())
        assert certificates.shown is first
        assert certificates.problem
        assert certificates.problem.startswith(f"{given.key}: holds no private key")
        given.key.unlink()
        await certificates.renew(names())
        assert certificates.shown is first
        given.key.write_bytes(key)
        await certificates.renew(names())
        assert certificates.problem is None
    assert [line["event"] for line in logs] == ["tls.failed", "tls.failed"], "one line for each fault"
    assert certificates.shown.certificate == first.certificate

    Given.make(tmp_path)
    await certificates.renew(names())
    assert certificates.shown.certificate.public_bytes(Encoding.PEM) == given.certificate.read_bytes()
    assert certificates.authority is None
