"""One message by the real apprise, in a process of its own, to real services on loopback."""

import asyncio
import os
from pathlib import Path

import pytest
from support.notified import mailbox, service

from iluvatar_pxe.notifications.delivery import Delivery
from iluvatar_pxe.notifications.digest import Message
from iluvatar_pxe.notifications.outcome import Outcome

DEADLINE = 300.0
"""Seconds; no test waits for it."""
MESSAGE = Message("lab.home.arpa: 1 new machine", "New machine: 52:54:00:00:00:01 at 192.168.1.7")


async def deliver(address: str, deadline: float = DEADLINE) -> Outcome:
    return await Delivery(deadline).deliver(address, MESSAGE)


async def test_json_is_posted() -> None:
    with service() as web:
        assert await deliver(f"json://127.0.0.1:{web.port}/hook?redirect=yes") == Outcome()
    (sent,) = web.received
    assert sent.path == "/hook"
    assert (sent.json["title"], sent.json["message"]) == (MESSAGE.title, MESSAGE.body)


async def test_no_redirect_is_followed_and_no_secret_is_told() -> None:
    with service() as own:
        with service([307], f"http://ada:hidden@127.0.0.1:{own.port}/api/v1/machines") as web:
            outcome = await deliver(f"json://ada:password1@127.0.0.1:{web.port}/hook?redirect=yes")
        assert outcome.is_final
        assert outcome.fault == (
            "redirects to 127.0.0.1, and no redirect is followed; write the address that it leads to"
        )
        assert not own.received


@pytest.mark.long
@pytest.mark.parametrize(
    ("status", "is_final"), [(500, False), (503, False), (429, False), (401, True), (404, True)]
)
async def test_what_a_service_answers_is_told(status: int, *, is_final: bool) -> None:
    with service([status]) as web:
        outcome = await deliver(f"json://127.0.0.1:{web.port}/hook")
    assert outcome.fault.startswith(f"answers {status} ")
    assert outcome.is_final == is_final


@pytest.mark.long
async def test_nobody_there() -> None:
    with service() as gone:
        pass
    assert await deliver(f"json://127.0.0.1:{gone.port}/hook") == Outcome("cannot be reached")


@pytest.mark.long
async def test_a_service_that_hangs_is_left_and_its_process_killed() -> None:
    with service(hangs=True) as web:
        address = f"json://ada:password1@127.0.0.1:{web.port}/hook"
        assert await deliver(address, 1.0) == Outcome("no answer within 1 s")
        assert not _children()
        web.is_asked.clear()  # by the first one
        task = asyncio.create_task(deliver(address))
        assert await asyncio.to_thread(web.is_asked.wait, DEADLINE)
        (child,) = _children()
        told = b"".join((child / name).read_bytes() for name in ("cmdline", "environ"))
        assert b"notifications.child" in told
        assert b"password1" not in told
        task.cancel()
        await asyncio.wait([task])
        assert not _children(), "the daemon stops, and leaves nothing behind"


@pytest.mark.long
@pytest.mark.parametrize(
    ("address", "path", "text"),
    [
        ("ntfy://127.0.0.1:{}/lab?priority=high", "/", "message"),
        ("mmost://127.0.0.1:{}/abcdefghijklmnopqrstuvwxyz", "/hooks/abcdefghijklmnopqrstuvwxyz", "text"),
        ("gotify://127.0.0.1:{}/abcdefgh1234567", "/message", "message"),
        (
            "hassio://127.0.0.1:{}/long-lived-token",
            "/api/services/persistent_notification/create",
            "message",
        ),
    ],
)
async def test_services_of_the_home_get_what_they_expect(address: str, path: str, text: str) -> None:
    with service() as web:
        assert await deliver(address.format(web.port)) == Outcome()
    (sent,) = web.received
    assert sent.path == path
    assert MESSAGE.body in sent.json[text]


@pytest.mark.long
async def test_mail_is_sent() -> None:
    with mailbox() as box:
        address = f"mailto://127.0.0.1:{box.port}?from=pi@lab.example&to=ada@lab.example"
        assert await deliver(address) == Outcome()
    (mail,) = box.mails
    assert f"Subject: {MESSAGE.title}" in mail
    assert MESSAGE.body in mail
    assert "rcpt to:<ada@lab.example>" in [line.lower() for line in box.said]


@pytest.mark.long
async def test_an_address_that_the_service_does_not_know_is_told_without_its_parts() -> None:
    outcome = await deliver("tgram://NotAToken/AtAllAtAll")
    assert outcome.is_final
    assert outcome.fault.startswith("not an address of that service: ")
    assert not [part for part in ("NotAToken", "AtAllAtAll") if part in outcome.fault]


@pytest.mark.long
async def test_no_file_of_the_host_is_sent(tmp_path: Path) -> None:
    secret = tmp_path / "ticket.key"
    secret.write_text("{}")
    with service() as web:
        outcome = await deliver(f"workflow://127.0.0.1:{web.port}/w/s/?template={secret}")
        assert outcome.fault
        assert not web.received


def _children() -> list[Path]:
    """Return the processes that this one has begun and that deliver."""
    found = []
    for path in Path("/proc").glob("[0-9]*"):
        try:
            parent = int((path / "stat").read_text().rpartition(")")[2].split()[1])
            delivers = b"notifications" in (path / "cmdline").read_bytes()
        except OSError:  # it has just ended
            continue
        found += [path] if parent == os.getpid() and delivers else []
    return found
