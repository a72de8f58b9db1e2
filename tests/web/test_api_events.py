"""The stream of events: what is told, where it is taken up again, and that no id of another log is believed."""

import json
from pathlib import Path

import pytest
from support.api_site import ApiSite
from support.streams import read_to

from iluvatar_pxe.events import MOST_EVENTS, EventKind, EventLog
from iluvatar_pxe.web.api.events import AT_ONCE, MARK_EVERY, EventFeed, EventTexts

MAC = "52:54:00:00:00:01"


def log_of(count: int) -> EventLog:
    log = EventLog()
    publish(log, count)
    return log


def publish(log: EventLog, count: int, kind: EventKind = EventKind.BOOT_STAGE) -> None:
    for _ in range(count):
        log.publish(kind, "one", f"event {log.last + 1}")


def feed(log: EventLog, last: str | None, *kinds: EventKind, subject: str = "") -> EventFeed:
    return EventFeed(log, EventTexts(log), last, kinds, subject)


def told(text: str) -> list[str]:
    """Return the words of events."""
    lines = (line.removeprefix("data: ") for line in text.splitlines() if line.startswith("data: "))
    return [json.loads(line)["words"] for line in lines]


def test_who_asks_first_is_told_what_happens_from_then_on() -> None:
    log = log_of(3)
    fresh = feed(log, None)
    assert fresh() == ""
    publish(log, 1)
    assert told(fresh()) == ["event 4"]
    assert fresh() == ""


def test_who_comes_back_is_told_what_happened_meanwhile() -> None:
    log = log_of(3)
    text = feed(log, f"{log.epoch}-1")()
    assert told(text) == ["event 2", "event 3"]
    assert text.startswith(f"id: {log.epoch}-2\nevent: boot.stage\ndata: ")


@pytest.mark.parametrize(
    "last",
    [
        "",
        "0",
        "ffffffff-1",
        "{epoch}-4",
        "{epoch}--1",
        "{epoch}-" + "9" * 400,
        "{epoch}-\u0661",
        "x" * 4000,
        "{epoch}-1\r\nevent: evil",
    ],
)
def test_an_id_that_no_event_has_is_a_reset(last: str) -> None:
    log = log_of(3)
    back = feed(log, last.format(epoch=log.epoch))
    text = back()
    assert text.startswith(f"id: {log.epoch}-3\nevent: reset\n")
    assert "evil" not in text
    publish(log, 1)
    assert told(back()) == ["event 4"]


def test_who_comes_back_too_late_or_reads_too_slowly_is_told_so() -> None:
    log = log_of(1)
    slow = feed(log, f"{log.epoch}-1")
    publish(log, MOST_EVENTS + 1)
    assert "event: reset" in slow()
    assert "event: reset" in feed(log, f"{log.epoch}-1")()
    assert "event: reset" not in feed(log, f"{log.epoch}-2")()


def test_much_is_told_in_parts() -> None:
    log = log_of(AT_ONCE + 5)
    back = feed(log, f"{log.epoch}-0")
    assert [len(told(back())) for _ in range(3)] == [AT_ONCE, 5, 0]


def test_a_filter_leaves_out_the_rest_and_tells_how_far_it_is() -> None:
    log = log_of(0)
    one = feed(log, None, EventKind.MACHINE_NEW)
    other = feed(log, None, subject="other")
    publish(log, MARK_EVERY - 1)
    assert (one(), other()) == ("", "")
    publish(log, 1)
    assert one() == other() == f"id: {log.epoch}-{MARK_EVERY}\n\n"
    publish(log, 1, EventKind.MACHINE_NEW)
    assert len(told(one())) == 1


def test_a_machine_that_is_plugged_in_is_told_at_once(tmp_path: Path) -> None:
    with ApiSite(tmp_path) as site:
        machine = site.boots(MAC)
        asked = f"GET /api/v1/events?machine={MAC} HTTP/1.1\r\nHost: 127.0.0.1\r\nLast-Event-ID: {site.events.epoch}-0"
        with site.connect() as sock:
            sock.sendall(asked.encode() + b"\r\n\r\n")
            octets = read_to(sock, b"event: boot.stage")
            assert b"event: machine.new" in octets
            assert str(machine.id).encode() in octets
        for target in ("kind=none", "machine=none", "more=1"):
            answer = site.get(f"/api/v1/events?{target}")
            assert answer.status in {400, 404}
            assert answer.headers["content-type"].startswith("application/problem+json")
