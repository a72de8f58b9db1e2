"""``assets status|fetch|verify|import|gc`` as they are typed, beside a control socket and a small directory."""

import asyncio
import json
import re
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from support.command import Answer, Host, finished
from support.screen import Terminal
from support.wanted import SmallDesk, pinned, wanted

from iluvatar_pxe.admin.command import CommandContext
from iluvatar_pxe.assets.status import Leftover
from iluvatar_pxe.catalogue.download import Check, FirstUse
from iluvatar_pxe.catalogue.progress import Progress, State
from iluvatar_pxe.fleet.models import Fleet
from iluvatar_pxe.inventory.inventory import Inventory
from iluvatar_pxe.provisioning.assigner import DatabaseAssigner
from iluvatar_pxe.provisioning.enrolment import OwnWindow
from iluvatar_pxe.servers.control import ControlServer

KERNEL, INITRD, PI = "talos/37/v1.13.9/kernel-amd64", "talos/37/v1.13.9/initramfs-amd64.xz", "raspi/a.img"


class Site:
    """A host whose control socket is served by a desk of three wanted files, of which the publisher has two."""

    def __init__(self, host: Host, desk: SmallDesk) -> None:
        self.host = host
        self.desk = desk

    async def run(self, *arguments: str) -> Answer:
        return await asyncio.to_thread(self.host.run, "assets", *arguments)

    def now(self, name: str, progress: Progress) -> None:
        self.desk.wants[name] = replace(self.desk.wants[name], progress=progress)


@asynccontextmanager
async def serving(directory: Path) -> AsyncIterator[Site]:
    host = Host(directory)
    assets = host.state / "assets"
    assets.mkdir()
    checks: dict[str, Check] = {KERNEL: pinned(b"kernel"), INITRD: pinned(b"initrd"), PI: FirstUse()}
    wants = {name: wanted(name, check) for name, check in checks.items()}
    desk = SmallDesk(assets, {KERNEL: b"kernel", INITRD: b"initrd"}, wants)
    inventory = Inventory(f"sqlite:///{host.database}")
    await inventory.open()
    context = CommandContext(
        inventory=inventory,
        fleet_in_force=Fleet,
        assigner=DatabaseAssigner(inventory),
        window=OwnWindow(inventory),
        assets=desk,
    )
    server = ControlServer(host.socket, host.state, context)
    await server.bind()
    try:
        yield Site(host, desk)
    finally:
        await server.close()
        await inventory.close()


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[Site]:
    async with serving(tmp_path) as made:
        yield made


async def test_fetch_says_what_came_and_what_did_not(site: Site) -> None:
    answer = await site.run("fetch", "talos")
    assert (answer.status, answer.error, answer.lines) == (
        0,
        "",
        [f"{INITRD}: ready", f"{KERNEL}: ready", "fetched: 2 files."],
    )
    answer = await site.run("fetch")
    assert (answer.status, answer.error) == (1, "")
    assert answer.lines[:2] == [
        f"{PI}: waiting to try again: https://factory.example: no route to host",
        "1 of 1 files is missing; machines that need it wait.",
    ]
    assert (await site.run("fetch", "talos")).lines == ["Nothing is missing."]


async def test_a_name_that_nobody_knows(site: Site) -> None:
    answer = await site.run("fetch", "kernel-amd46")
    line = "iluvatar-pxe: kernel-amd46: there is no such file; did you mean kernel-amd64?\n"
    assert (answer.status, answer.output, answer.error) == (1, "", line)


async def test_status_is_1_until_everything_is_there(site: Site) -> None:
    answer = await site.run("status")
    assert answer.status == 1
    assert "3 of 3 files are missing; machines that need them wait." in answer.lines
    site.desk.publisher[PI] = b"image"
    assert (await site.run("fetch")).status == 0
    answer = await site.run("status", "--json")
    assert [(one["name"], one["ready"], one["checked_at"]) for one in answer.json] == [
        (name, True, "2026-11-29T15:00:00.000Z") for name in (PI, INITRD, KERNEL)
    ]
    answer = await site.run("status")
    assert (answer.status, "missing" in answer.output) == (0, False)


async def test_a_damaged_file_is_named_and_fetched_again(site: Site) -> None:
    await site.run("fetch", "talos")
    answer = await site.run("verify")
    assert (answer.status, answer.lines[-1]) == (0, "verified: 2 of 2 files.")
    path = site.desk.directory / KERNEL
    path.write_bytes(b"rotten")
    answer = await site.run("verify")
    assert (answer.status, answer.lines[-2:]) == (
        1,
        [f"{KERNEL}: its sha256 is not the pinned one", "verified: 1 of 2 files."],
    )
    assert path.read_bytes() == b"kernel"


async def test_a_stick_is_imported(site: Site, tmp_path: Path) -> None:
    stick = tmp_path / "stick"
    stick.mkdir()
    (stick / "kernel-amd64").write_bytes(b"kernel")
    (stick / "a.img").write_bytes(b"image")
    (stick / "other").write_bytes(b"photos")
    answer = await site.run("import", str(stick))
    assert (answer.status, answer.error) == (1, "")
    refusal = f"{PI}: no checksum of it is known; add --trust to pin this one"
    assert answer.lines[-2:] == [refusal, "1 of 2 files is there now."]
    answer = await site.run("import", "--trust", str(stick))
    assert (answer.status, answer.lines[-1]) == (0, "2 of 2 files are there now.")
    assert (site.desk.directory / PI).read_bytes() == b"image"
    assert sorted(site.desk.directory.rglob(".import/*")) == []


async def test_a_stick_with_nothing_wanted(site: Site, tmp_path: Path) -> None:
    answer = await site.run("import", str(tmp_path / "stick"))
    assert (answer.status, answer.error) == (
        1,
        f"iluvatar-pxe: {tmp_path}/stick: No such file or directory\n",
    )
    (tmp_path / "stick").mkdir()
    answer = await site.run("import", str(tmp_path / "stick"))
    assert (answer.status, answer.error) == (
        1,
        f"iluvatar-pxe: {tmp_path}/stick: has no file that the fleet wants; to see them: iluvatar-pxe assets status\n",
    )


async def test_gc_shows_and_then_removes(site: Site) -> None:
    old = Leftover(name="talos/1/v1.12.0/kernel-amd64", version="v1.12.0", size=7)
    site.desk.unwanted = [old, replace(old, name="ubuntu.img", only_named=True)]
    answer = await site.run("gc")
    assert (answer.status, answer.lines[-1]) == (0, "To remove 1 file, 7 B: iluvatar-pxe assets gc --yes")
    assert len(site.desk.unwanted) == 2
    answer = await site.run("gc", "--yes", "--json")
    assert [(one["name"], one["goes"]) for one in answer.json] == [(old.name, True), ("ubuntu.img", False)]
    assert (await site.run("gc", "ubuntu.img", "--yes")).lines[-1].split() == [
        "ubuntu.img",
        "7",
        "B",
        "removed",
    ]
    assert (await site.run("gc")).lines == ["There are no files that the fleet does not want."]


def loading(done: int) -> Progress:
    return Progress(state=State.LOADING, done=done, size=4_000_000, rate=1e6)


@pytest.mark.parametrize("as_json", [False, True])
async def test_each_change_is_a_line(site: Site, as_json: bool) -> None:  # noqa: FBT001 - a parameter of the test
    site.desk.slow = {KERNEL}
    site.now(KERNEL, loading(1_000_000))
    process = site.host.start("assets", "fetch", "kernel-amd64", *(["--json"] if as_json else []))
    assert process.stdout
    first = await asyncio.to_thread(process.stdout.readline)
    site.now(KERNEL, loading(2_000_000))
    second = await asyncio.to_thread(process.stdout.readline) if as_json else ""
    site.now(KERNEL, Progress(state=State.READY, done=4_000_000, size=4_000_000))
    answer = await asyncio.to_thread(finished, process)
    assert (answer.status, answer.error) == (0, "")
    if as_json:
        rows = [json.loads(line) for line in (first, second, *answer.lines)]
        assert [(row["name"], row["state"], row["percent"]) for row in rows] == [
            (KERNEL, "loading", 25),
            (KERNEL, "loading", 50),
            (KERNEL, "ready", 100),
        ]
    else:
        assert first == f"{KERNEL}: loading, 25% of 4.0 MB, 1.0 MB/s, 3 s left\n"
        assert answer.lines == [f"{KERNEL}: ready", "fetched: 1 file."]


async def test_an_interrupt_ends_the_watching_and_not_the_fetching(site: Site) -> None:
    site.desk.slow = {KERNEL}
    site.now(KERNEL, loading(1_000_000))
    process = site.host.start("assets", "fetch", "kernel-amd64")
    assert process.stdout
    assert await asyncio.to_thread(process.stdout.readline)
    process.send_signal(signal.SIGINT)
    answer = await asyncio.to_thread(finished, process)
    text = "iluvatar-pxe: the daemon goes on; iluvatar-pxe assets status shows how far it is\n"
    assert (answer.status, answer.output, answer.error) == (130, "", text)


async def test_bars_on_a_terminal(site: Site) -> None:
    site.desk.slow = {KERNEL, PI}
    site.now(KERNEL, loading(2_000_000))
    site.now(PI, Progress(state=State.BUILDING))
    with Terminal("assets", "fetch", "--config", str(site.host.config)) as terminal:
        await asyncio.to_thread(terminal.read_until, "the factory is building it")
        site.now(PI, Progress(state=State.READY, done=1, size=1))
        trouble = "the connection broke"
        site.desk.fail(KERNEL, trouble)
        assert await asyncio.to_thread(terminal.ends) == 1
    assert max(map(len, terminal.lines)) <= 80
    assert f"{KERNEL}: waiting to try again: {trouble}" in terminal.lines
    assert re.search(
        r"^\.\.\.[\w./]+/kernel-amd64 +━+.━+ 50% of 4\.0 MB, 1\.0 MB/s, 2 s left$",
        "\n".join(terminal.lines),
        re.MULTILINE,
    )
    assert terminal.written.rindex("\x1b[?25h") > terminal.written.rindex("\x1b[?25l"), "the cursor is shown"
