"""What happens is told to those whom the fleet names: once, summed up, and again where a service fails."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from structlog.testing import capture_logs
from support.fleets import fleet_of
from support.notified import service
from support.waiting import until

from iluvatar_pxe.changed import Changed
from iluvatar_pxe.errors import OperationError
from iluvatar_pxe.events import EventKind, EventLog
from iluvatar_pxe.fleet.models import Fleet
from iluvatar_pxe.inventory.inventory import Inventory
from iluvatar_pxe.machines.boots import Happening, Stage
from iluvatar_pxe.machines.sighting import Firmware, Sighting
from iluvatar_pxe.notifications.delivery import Delivery
from iluvatar_pxe.notifications.digest import Message
from iluvatar_pxe.notifications.first_daemon import FirstDaemon
from iluvatar_pxe.notifications.notifier import Notifier, NotifierContext
from iluvatar_pxe.notifications.outcome import Outcome
from iluvatar_pxe.notifications.pace import Pace
from iluvatar_pxe.values import replace

Deliver = Callable[[str, Message], Awaitable[Outcome]]
QUICK = Pace(calm=0.1, longest=5.0, between=0.0, retries=(0.0, 0.0))
PHONE = "notifications: {phone: {address: 'ntfy://127.0.0.1/lab'}}\n"


@dataclass
class Postman:
    """Takes messages, after as many failures as it has; ``meanwhile`` happens at the first attempt."""

    failures: list[Outcome] = field(default_factory=list)
    tried: list[tuple[str, Message]] = field(default_factory=list)
    delivered: asyncio.Queue[Message] = field(default_factory=asyncio.Queue)
    meanwhile: Callable[[], None] | None = None

    async def deliver(self, address: str, message: Message) -> Outcome:
        self.tried.append((address, message))
        if self.meanwhile and len(self.tried) == 1:
            self.meanwhile()
        if self.failures:
            return self.failures.pop(0)
        self.delivered.put_nowait(message)
        return Outcome()


@dataclass
class Site:
    """One daemon, as far as it tells."""

    directory: Path
    fleet: Fleet = field(default_factory=lambda: fleet_of(fleet=PHONE))
    postman: Postman = field(default_factory=Postman)
    events: EventLog = field(default_factory=EventLog)
    changed: Changed = field(default_factory=Changed)
    daemons: Sequence[str] = ()
    port: int = 9
    pace: Pace = QUICK
    deliver: Deliver | None = None

    def __post_init__(self) -> None:
        self.inventory = Inventory(f"sqlite:///{self.directory}/i.db", events=self.events)
        context = NotifierContext(
            events=self.events,
            fleet=lambda: self.fleet,
            fleet_changed=self.changed,
            snapshot=lambda: self.inventory.snapshot,
            first=FirstDaemon(lambda: self.daemons, lambda: "", self.port, own="z"),
            deliver=self.deliver or self.postman.deliver,
            file=self.directory / "notifications.json",
            pace=self.pace,
        )
        self.notifier = Notifier(context)

    @asynccontextmanager
    async def running(self) -> AsyncIterator["Site"]:
        task = asyncio.create_task(self.notifier.run())
        await asyncio.sleep(0)
        yield self
        task.cancel()
        await asyncio.wait([task])

    async def message(self) -> Message:
        async with asyncio.timeout(60):
            return await self.postman.delivered.get()

    def refuse(self, why: str) -> None:
        self.events.publish(EventKind.PUSH_REFUSED, "ada", f"ada: {why}")


def boots(site: Site, number: int = 1) -> None:
    mac = f"52:54:00:00:{number >> 8:02x}:{number & 255:02x}"
    for firmware, stage in ((Firmware.UEFI_PXE, Stage.DISCOVER), (Firmware.IPXE, Stage.SCRIPT)):
        site.inventory.observe(Sighting(mac=mac, firmware=firmware), stage)


async def test_a_thousand_new_machines_are_one_message(tmp_path: Path) -> None:
    async with Site(tmp_path).running() as site:
        for number in range(1000):
            boots(site, number)
        assert (await site.message()).title == "lab.home.arpa: 1000 new machines"
    assert len(site.postman.tried) == 1


async def test_after_a_restart_only_what_is_new_is_told(tmp_path: Path) -> None:
    async with Site(tmp_path).running() as site:
        site.refuse("fleet.yaml:1: no")
        await site.message()
    async with Site(tmp_path).running() as again:
        again.refuse("fleet.yaml:1: no")
        again.refuse("fleet.yaml:2: no")
        assert (await again.message()).body == "Push refused: ada: fleet.yaml:2: no"


async def test_what_is_told_is_written_at_once_and_then_once_in_a_while_and_at_the_end(
    tmp_path: Path,
) -> None:
    file = tmp_path / "notifications.json"
    async with Site(tmp_path, pace=replace(QUICK, keeping=3600.0)).running() as site:
        site.refuse("one")
        first = (await until(file.exists)) and file.read_bytes()
        for number in range(100):
            site.refuse(str(number))
        await site.message()
        assert file.read_bytes() == first
    assert file.read_bytes() != first
    async with Site(tmp_path).running() as again:
        again.refuse("99")
        again.refuse("100")
        assert (await again.message()).title == "lab.home.arpa: 1 push refused"


async def test_a_machine_joins_once_and_a_restart_repeats_nothing(tmp_path: Path) -> None:
    async with Site(tmp_path).running() as site:
        boots(site)
        await site.message()
        talos = Sighting(mac="52:54:00:00:00:01", firmware=Firmware.TALOS)
        for stage in (Stage.CONFIG, Stage.INSTALLED, Stage.JOINED, Stage.STARTED, Stage.JOINED):
            machine = site.inventory.observe(talos, stage)
        assert (await site.message()).body == "Machine joined: 52:54:00:00:00:01"
        site.inventory.note(machine.id, Happening.FAULT, "no disk")
        site.inventory.note(machine.id, Happening.FAULT, "no network")
        assert (await site.message()).body == "Machine reports a fault: 52:54:00:00:00:01: no disk"


async def test_who_wants_to_know_little_is_told_little(tmp_path: Path) -> None:
    fleet = fleet_of(
        fleet="notifications:\n"
        "  all: {address: 'ntfy://127.0.0.1/all'}\n"
        "  pushes: {address: 'ntfy://127.0.0.1/pushes', about: [push-refused]}\n"
    )
    async with Site(tmp_path, fleet).running() as site:
        boots(site)
        assert "new machine" in (await site.message()).title
        site.refuse("no")
        for _ in range(2):
            assert "push refused" in (await site.message()).title
    assert [address for address, _ in site.postman.tried].count("ntfy://127.0.0.1/pushes") == 1


async def test_another_fleet_has_others_told(tmp_path: Path) -> None:
    async with Site(tmp_path, fleet_of()).running() as site:
        boots(site)
        await asyncio.sleep(0.01)
        site.fleet = fleet_of(fleet=PHONE)
        site.changed.tell()
        await asyncio.sleep(0.01)
        site.refuse("no")
        assert (await site.message()).title == "lab.home.arpa: 1 push refused"
        site.fleet = fleet_of(fleet=PHONE.replace("lab'", "other'"))
        site.changed.tell()
        site.refuse("never")
        await site.message()
    assert [address[-5:] for address, _ in site.postman.tried] == ["1/lab", "other"]


async def test_a_message_is_tried_again_and_takes_along_what_came_meanwhile(tmp_path: Path) -> None:
    postman = Postman([Outcome("answers 500"), Outcome("answers 500")])
    async with Site(tmp_path, postman=postman, pace=replace(QUICK, retries=(0.5, 0.5))).running() as site:
        postman.meanwhile = lambda: site.refuse("two")
        with capture_logs() as log:
            site.refuse("one")
            assert (await site.message()).title == "lab.home.arpa: 2 pushes refused"
    told = [(line["event"], line.get("why")) for line in log]
    assert told[:2] == [("notification.delayed", "answers 500"), ("notification.works-again", None)]


@pytest.mark.parametrize("failures", [[Outcome("redirects", is_final=True)], [Outcome("answers 500")] * 3])
async def test_what_cannot_be_delivered_is_given_up_and_logged(
    tmp_path: Path, failures: list[Outcome]
) -> None:
    postman = Postman(list(failures))
    async with Site(tmp_path, postman=postman).running() as site:
        with capture_logs() as log:
            site.refuse("one")
            await until(lambda: "notification.lost" in [line["event"] for line in log])
        assert site.notifier.lines == [f"phone: {failures[-1].fault}"]
        site.refuse("two")
        assert (await site.message()).body == "Push refused: ada: two"
        await until(lambda: not site.notifier.lines)
    assert len(postman.tried) == len(failures) + 1


@pytest.mark.parametrize(("is_up", "told"), [(True, "push"), (False, "commit")])
async def test_of_two_daemons_the_first_that_is_up_tells_what_both_know(
    tmp_path: Path, *, is_up: bool, told: str
) -> None:
    with service() as other:
        port = other.port if is_up else 9
        async with Site(tmp_path, daemons=("127.0.0.1", "z"), port=port).running() as site:
            site.events.publish(EventKind.FLEET_REFUSED, "abc", "commit abc")
            site.refuse("push")
            body = (await site.message()).body
    assert body.splitlines()[0] == (
        "Push refused: ada: push" if told == "push" else "Push refused: commit abc"
    )


async def test_a_damaged_memory_keeps_nobody_from_being_told(tmp_path: Path) -> None:
    (tmp_path / "notifications.json").write_bytes(b"\xff\x00")
    async with Site(tmp_path).running() as site:
        site.refuse("no")
        await site.message()


async def test_a_test_tells_how_it_ended_for_each(tmp_path: Path) -> None:
    sealed = "-----BEGIN AGE ENCRYPTED FILE-----\n"
    fleet = fleet_of(
        fleet="notifications: {phone: {address: 'ntfy://127.0.0.1/a'}, chat: {addressFile: chat.txt}}",
        chat_txt=sealed,
    )
    site = Site(tmp_path, fleet)
    ended = await site.notifier.test(None)
    assert ended["phone"] == Outcome()
    assert ended["chat"].fault.startswith("chat.txt is sealed, but not to this host's key")
    assert set(await site.notifier.test("phone")) == {"phone"}
    with pytest.raises(OperationError, match="there are: phone, chat"):
        await site.notifier.test("fax")
    site.fleet = fleet_of()
    with pytest.raises(OperationError, match="names no notifications"):
        await site.notifier.test(None)


@pytest.mark.long
async def test_a_service_that_fails_twice_gets_one_message(tmp_path: Path) -> None:
    with service([500, 500, 200]) as web:
        fleet = fleet_of(fleet=f"notifications: {{hook: {{address: 'json://127.0.0.1:{web.port}/hook'}}}}")
        delivery, ended = Delivery(300.0), asyncio.Queue[Outcome]()

        async def deliver(address: str, message: Message) -> Outcome:
            outcome = await delivery.deliver(address, message)
            ended.put_nowait(outcome)
            return outcome

        async with Site(tmp_path, fleet, deliver=deliver).running() as site:
            boots(site)
            faults = [(await ended.get()).fault for _ in range(3)]
    assert faults == ["answers 500 Internal Server Error"] * 2 + [""]
    assert [body["title"] for body in web.bodies] == ["lab.home.arpa: 1 new machine"] * 3
