"""Which events are news for somebody who is away, told once, and summed up."""

from datetime import UTC, datetime
from uuid import UUID

import pytest
from support.fleets import fleet_of

from iluvatar_pxe.events import Event, EventKind, Fact
from iluvatar_pxe.fleet.models import Fleet
from iluvatar_pxe.fleet.notifications import NewsKind
from iluvatar_pxe.machines.boots import Stage
from iluvatar_pxe.machines.model import Machine
from iluvatar_pxe.machines.sighting import Firmware
from iluvatar_pxe.notifications.digest import MOST_CHARACTERS, Digest
from iluvatar_pxe.notifications.news import News, Teller, is_configured, news_of
from iluvatar_pxe.notifications.told import MOST_TOLD, QUIET_SECONDS, Told

NOW = datetime(2026, 11, 30, 15, 0, tzinfo=UTC)
MAC = "52:54:00:00:00:01"
MACHINE = Machine(
    id=UUID(int=1),
    macs=(MAC,),
    generation=4,
    reached=Stage.SCRIPT,
    furthest=Stage.SCRIPT,
    first_seen=NOW,
    last_seen=NOW,
    firmware=Firmware.UEFI_PXE,
    manufacturer="LENOVO",
    product="10MQ",
)
NOBODY, LISTED = fleet_of(), fleet_of(("named", MAC, "chain: hold\n"))


def event(kind: EventKind, words: str = "", subject: str = str(MACHINE.id), **facts: Fact) -> Event:
    return Event(number=1, at=NOW, kind=kind, subject=subject, words=words, facts=facts)


@pytest.mark.parametrize(
    ("told", "fleet", "news"),
    [
        (event(EventKind.MACHINE_KNOWN), NOBODY, (NewsKind.NEW_MACHINE, f"{MAC}: LENOVO 10MQ")),
        (event(EventKind.MACHINE_KNOWN), LISTED, None),
        (event(EventKind.MACHINE_NEW), NOBODY, None),
        (event(EventKind.MACHINE_PHASE, phase="joined", before="installed"), LISTED, (NewsKind.JOINED, "named")),
        (event(EventKind.MACHINE_PHASE, phase="installed", before="installing"), LISTED, None),
        (event(EventKind.MACHINE_HELD, cause="no kernel"), LISTED, (NewsKind.HELD, "named: no kernel")),
        (event(EventKind.BOOT_HAPPENING, stage="failed", detail="5 boots"), LISTED, (NewsKind.BOOT_LOOP, "named: 5 boots")),
        (event(EventKind.BOOT_HAPPENING, stage="fault", detail="no disk"), LISTED, (NewsKind.FAILED, "named: no disk")),
        (event(EventKind.BOOT_HAPPENING, stage="merged", detail="x"), LISTED, None),
        (event(EventKind.BOOT_STAGE, stage="script"), LISTED, None),
        (event(EventKind.PUSH_REFUSED, "ada: no"), NOBODY, (NewsKind.PUSH_REFUSED, "ada: no")),
        (event(EventKind.FLEET_REFUSED, "abc by Ada: no"), NOBODY, (NewsKind.PUSH_REFUSED, "abc by Ada: no")),
        (event(EventKind.FLEET_APPLIED, "abc by Ada"), NOBODY, None),
        (event(EventKind.DHCP_SERVER, "192.168.1.9"), NOBODY, (NewsKind.DHCP_SERVER, "192.168.1.9")),
        (event(EventKind.ACTION, "ada holds named"), NOBODY, None),
    ],
)  # fmt: skip
def test_an_event_is_news_or_not(told: Event, fleet: Fleet, news: tuple[NewsKind, str] | None) -> None:
    found = news_of(told, MACHINE, fleet)
    assert (found and (found.kind, found.line)) == news


def test_of_a_machine_that_is_gone_nothing_is_told() -> None:
    assert news_of(event(EventKind.MACHINE_KNOWN), None, NOBODY) is None


def one(kind: NewsKind = NewsKind.HELD, about: str = "m", cause: str = "", **more: Teller) -> News:
    return News(kind, about, f"{about}: {cause}", cause, **more)


def test_the_same_is_told_once_a_day_and_something_else_at_once() -> None:
    told = Told()
    assert [told.is_news(one(cause="no kernel"), 1000.0 + 30 * number) for number in range(100)].count(
        True
    ) == 1
    assert told.is_news(one(cause="no layer"), 5000.0)
    assert told.is_news(one(about="n", cause="no layer"), 5000.0)
    assert not told.is_news(one(cause="no layer"), 4999.0 + QUIET_SECONDS)
    assert told.is_news(one(cause="no layer"), 5000.0 + QUIET_SECONDS)
    assert told.is_news(one(cause="no layer"), 0.0), "the clock was set"


def test_a_restart_forgets_nothing_that_was_told() -> None:
    told = Told()
    told.configured("m", 0.0)
    assert told.is_news(one(cause="x"), 0.0)
    again = Told.of(told.document())
    assert not again.is_news(one(cause="x"), 1.0)
    assert again.is_news(one(NewsKind.JOINED, teller=Teller.CONFIGURED), 1.0)


@pytest.mark.parametrize("document", [b"", b"[]", b'{"told": 1}', b'{"told": [1]}', b"\xff", b'{"told": [["a", "b", "c"]]}'])  # fmt: skip
def test_a_damaged_document_is_refused(document: bytes) -> None:
    with pytest.raises(ValueError, match=r".*"):
        Told.of(document)


def test_only_the_daemon_that_configured_a_machine_tells_that_it_joined() -> None:
    joined = one(NewsKind.JOINED, cause="4", teller=Teller.CONFIGURED)
    configured = event(EventKind.MACHINE_PHASE, phase="installing", before="booting")
    assert is_configured(configured)
    assert not is_configured(event(EventKind.MACHINE_PHASE, phase="joined", before="installed"))
    told = Told()
    assert not told.is_news(joined, 0.0)
    told.configured("m", 0.0)
    assert told.is_news(joined, 0.0)


def test_what_is_remembered_is_bounded() -> None:
    told = Told()
    for number in range(2 * MOST_TOLD):
        told.is_news(one(about=str(number)), 0.0)
    assert len(told.document()) < 100 * MOST_TOLD


def test_a_thousand_machines_are_one_short_message() -> None:
    digest = Digest()
    for number in range(1000):
        digest.add(one(NewsKind.NEW_MACHINE, f"52:54:00:00:00:{number:02x}"))
    digest.add(one(NewsKind.HELD, "named", "no kernel"))
    message = digest.message("lab.home.arpa")
    assert message.title == "lab.home.arpa: 1000 new machines, 1 machine is held"
    lines = message.body.splitlines()
    assert lines[0] == "New machine: 52:54:00:00:00:00: "
    assert lines[5:] == ["and 995 more new machines", "Machine is held: named: no kernel"]


def test_what_comes_later_joins_what_could_not_be_delivered() -> None:
    digest, later = Digest(), Digest()
    digest.add(one(about="a"))
    for about in "bcdefg":
        later.add(one(about=about))
    digest.merge(later)
    assert digest.message("lab").title == "lab: 7 machines are held"
    assert digest.message("lab").body.splitlines()[-1] == "and 2 more machines are held"


def test_names_that_machines_choose_are_no_markup() -> None:
    digest = Digest()
    digest.add(one(about="<!channel> @everyone [x](http://evil) <script>\n\x1b[31m" + "a" * 9999))
    (line,) = digest.message("lab").body.splitlines()
    assert not set("<>[]`\x1b") & set(line)
    assert "@everyone" not in line
    assert len(line) < MOST_CHARACTERS + 50


@pytest.mark.parametrize(
    "link", ["https://evil.example/login", "ftp://10.0.0.1", "www.evil.example", "evil.example"]
)
def test_names_that_machines_choose_are_no_links(link: str) -> None:
    digest = Digest()
    digest.add(one(about=f"hardware of {link}"))
    body = digest.message("lab").body
    assert link not in body
    assert link in body.replace("\u200b", "")


def test_files_and_addresses_stay_as_they_are() -> None:
    digest = Digest()
    digest.add(one(about="machines/arda-01.yaml:3 of 192.168.1.5: 2.5 s. Try again"))
    assert "machines/arda-01.yaml:3 of 192.168.1.5: 2.5 s. Try again" in digest.message("lab").body
