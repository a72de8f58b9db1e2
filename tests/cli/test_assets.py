"""``assets status|fetch|verify|import|gc`` as they are typed, beside a control socket and a fetcher of three files."""

import asyncio
import json
import re
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from subprocess import Popen
from typing import Any

import pytest
from support.command import Answer, Host, finished
from support.fetching import damage
from support.no_secrets import no_secrets
from support.screen import Terminal
from support.three_files import INITRD, KERNEL, PI, ThreeFiles, three_files

from iluvatar_pxe.admin.command import CommandContext
from iluvatar_pxe.admin.data import utc
from iluvatar_pxe.catalogue.progress import State
from iluvatar_pxe.fleet.models import Fleet
from iluvatar_pxe.inventory.inventory import Inventory
from iluvatar_pxe.provisioning.assigner import DatabaseAssigner
from iluvatar_pxe.provisioning.enrolment import OwnWindow
from iluvatar_pxe.servers.control import ControlServer
from iluvatar_pxe.values import replace

CONTENT = bytes(4_000_000)


class Site:
    """A host whose control socket is served by the commands on three wanted files, of which the publisher has two."""

    def __init__(self, host: Host, files: ThreeFiles) -> None:
        self.host = host
        self.files = files
        self.bench = files.bench

    async def run(self, *arguments: str) -> Answer:
        return await asyncio.to_thread(self.host.run, "assets", *arguments)

    async def offer(self, name: str, content: bytes, **how: Any) -> None:
        """Let the publisher have another file in the place of one."""
        await self.files.want(self.files.of(name, content, **how))


@asynccontextmanager
async def serving(directory: Path, **how: Any) -> AsyncIterator[Site]:
    host = Host(directory)
    inventory = Inventory(f"sqlite:///{host.database}")
    await inventory.open()
    async with three_files(host.state, **how) as files:
        context = CommandContext(
            inventory=inventory,
            fleet_in_force=Fleet,
            assigner=DatabaseAssigner(inventory),
            window=OwnWindow(inventory),
            secrets=no_secrets(inventory),
            assets=files.bench.commands,
        )
        server = ControlServer(host.socket, host.state, context)
        await server.bind()
        try:
            yield Site(host, files)
        finally:
            await server.close()
            await inventory.close()


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[Site]:
    async with serving(tmp_path) as made:
        yield made


async def test_fetch_says_what_came_and_what_did_not(site: Site) -> None:
    answer = await site.run("fetch", "talos")
    assert (answer.status, answer.error, answer.lines[-1]) == (0, "", "fetched: 2 files.")
    assert {f"{INITRD}: ready", f"{KERNEL}: ready"} < {*answer.lines}
    answer = await site.run("fetch")
    assert (answer.status, answer.error) == (1, "")
    publisher = f"127.0.0.1:{site.files.publisher.port}"
    assert (
        f"{PI}: waiting to try again: {publisher} has no such file (404); correct the version, or the address\n"
        "1 of 1 file is missing; machines that need it wait.\n"
    ) in answer.output
    assert (await site.run("fetch", "talos")).lines == ["Nothing is missing."]


async def test_a_name_that_nobody_knows(site: Site) -> None:
    answer = await site.run("fetch", "kernel-amd46")
    line = "iluvatar-pxe: kernel-amd46: there is no such file; did you mean kernel-amd64?\n"
    assert (answer.status, answer.output, answer.error) == (1, "", line)


async def test_status_is_1_until_everything_is_there(site: Site) -> None:
    answer = await site.run("status")
    assert answer.status == 1
    assert "3 of 3 files are missing; machines that need them wait." in answer.lines
    await site.offer(PI, b"image")
    assert (await site.run("fetch")).status == 0
    answer = await site.run("status", "--json")
    records = site.bench.index.records
    assert [(one["name"], one["ready"], one["checked_at"]) for one in answer.json] == [
        (name, True, utc(records[name].checked_at)) for name in (PI, INITRD, KERNEL)
    ]
    answer = await site.run("status")
    assert (answer.status, "missing" in answer.output) == (0, False)


async def test_a_damaged_file_is_named_and_fetched_again(tmp_path: Path) -> None:
    async with serving(tmp_path, fetch=True) as site:
        for name in (INITRD, KERNEL):
            await site.bench.reach(name, State.READY)
        answer = await site.run("verify")
        assert (answer.status, answer.lines[-1]) == (0, "verified: 2 of 2 files.")
        damage(site.bench.assets / KERNEL)
        answer = await site.run("verify")
        assert (answer.status, answer.lines[-1]) == (1, "verified: 1 of 2 files.")
        assert answer.lines[-2].startswith(f"{KERNEL}: has another checksum than the pinned one, ")
        await site.bench.reach(KERNEL, State.READY)
        assert site.bench.content(KERNEL) == b"kernel"


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
    assert site.bench.content(PI) == b"image"
    assert sorted(site.bench.assets.rglob(".import/*")) == []


async def test_a_stick_with_nothing_wanted(site: Site, tmp_path: Path) -> None:
    answer = await site.run("import", str(tmp_path / "stick"))
    assert (answer.status, answer.error) == (
        1,
        f"iluvatar-pxe: {tmp_path}/stick: No such file or directory; correct the path, or make it readable\n",
    )
    (tmp_path / "stick").mkdir()
    answer = await site.run("import", str(tmp_path / "stick"))
    assert (answer.status, answer.error) == (
        1,
        f"iluvatar-pxe: {tmp_path}/stick: has no file that the fleet wants; to see them: iluvatar-pxe assets status\n",
    )


async def test_what_is_bad_on_a_stick_is_named_and_the_rest_imported(site: Site, tmp_path: Path) -> None:
    """A link, a name of several wanted files, and a path of two lines that is not there."""
    stick, other = tmp_path / "stick", "ubuntu/a.img"
    stick.mkdir()
    (stick / "kernel-amd64").symlink_to("/etc/hostname")
    (stick / "initramfs-amd64.xz").write_bytes(b"initrd")
    (stick / "a.img").write_bytes(b"image")
    await site.files.want(site.files.of(other, b"image"))
    answer = await site.run("import", str(stick), f"{tmp_path}/no\nsuch")
    assert answer.status == 1
    link = f"{stick}/kernel-amd64: is not a regular file; links are not followed: put the file itself there"
    assert answer.lines[-2:] == [link, "1 of 2 files is there now."]
    assert answer.error.splitlines() == [
        f"iluvatar-pxe: {stick}/a.img: may be {PI} or {other}; put it into folders of that name",
        f"iluvatar-pxe: {tmp_path}/no\\nsuch: No such file or directory; correct the path, or make it readable",
    ]
    assert site.bench.content(INITRD) == b"initrd"


async def test_the_copy_that_is_right_is_imported(site: Site, tmp_path: Path) -> None:
    stick = tmp_path / "stick"
    for folder, content in (("a", b"old"), ("b", b"older")):
        (stick / folder).mkdir(parents=True)
        (stick / folder / "kernel-amd64").write_bytes(content)
    answer = await site.run("import", str(stick))
    assert answer.status == 1
    assert answer.lines[-1] == "0 of 1 file is there now."
    assert answer.error.startswith(f"iluvatar-pxe: {stick}/a/kernel-amd64: kernel-amd64: has sha256 ")
    assert len(answer.error.splitlines()) == 1
    (stick / "c").mkdir()
    (stick / "c/kernel-amd64").write_bytes(b"kernel")
    answer = await site.run("import", str(stick))
    assert (answer.status, answer.error) == (0, "")
    assert answer.lines[-1] == "1 of 1 file is there now."
    assert site.bench.content(KERNEL) == b"kernel"


async def test_an_empty_path_is_not_this_directory(site: Site) -> None:
    answer = await site.run("import", "")
    line = "iluvatar-pxe: PATH is empty; name a file or a directory, or . for this one\n"
    assert (answer.status, answer.output, answer.error) == (2, "", line)


async def test_gc_shows_and_then_removes(site: Site) -> None:
    old, ubuntu = (site.files.of(name, b"content") for name in ("talos/1/v1.12.0/kernel-amd64", "ubuntu.img"))
    await site.bench.get(old, replace(ubuntu, withdrawn=True))
    await site.bench.get(site.files.downloads[KERNEL])
    await site.files.want()
    paths = [site.bench.assets / one.name for one in (old, ubuntu)]
    answer = await site.run("gc")
    assert (answer.status, answer.lines[-1]) == (0, "To remove 1 file, 7 B: iluvatar-pxe assets gc --yes")
    assert [path.exists() for path in paths] == [True, True]
    answer = await site.run("gc", "--yes", "--json")
    assert [(one["name"], one["goes"]) for one in answer.json] == [(old.name, True), ("ubuntu.img", False)]
    assert [path.exists() for path in paths] == [False, True]
    answer = await site.run("gc", "ubuntu.img", "--yes")
    assert answer.lines[-1].split() == ["ubuntu.img", "7", "B", "removed"]
    assert [path.exists() for path in paths] == [False, False]
    assert (await site.run("gc")).lines == ["There are no files that the fleet does not want."]


def loading_line(process: Popen[str]) -> str:
    """Read lines until one says that a file is loading, and return that one."""
    assert process.stdout
    return next(line for line in process.stdout if "loading" in line)


async def test_each_change_is_a_line(site: Site) -> None:
    await site.offer(KERNEL, CONTENT, rate=4e6)
    process = site.host.start("assets", "fetch", "kernel-amd64")
    line = await asyncio.to_thread(loading_line, process)
    assert re.fullmatch(rf"{KERNEL}: loading(, \d+% of 4\.0 MB)?(, [\d.]+ [kM]B/s, \d+ s left)?\n", line), (
        line
    )
    answer = await asyncio.to_thread(finished, process)
    assert (answer.status, answer.error) == (0, "")
    assert answer.lines == [f"{KERNEL}: ready", "fetched: 1 file."]


async def test_each_change_is_a_line_of_json(site: Site) -> None:
    await site.offer(KERNEL, CONTENT, rate=2e6)
    process = site.host.start("assets", "fetch", "kernel-amd64", "--json")
    answer = await asyncio.to_thread(finished, process)
    assert (answer.status, answer.error) == (0, "")
    rows = [json.loads(line) for line in answer.lines]
    assert {row["name"] for row in rows} == {KERNEL}
    assert (rows[-1]["state"], rows[-1]["percent"]) == ("ready", 100)
    shares = [row["percent"] for row in rows if row["state"] == "loading" and row["rate"]]
    assert shares == sorted({*shares}), "each line is further"
    assert len(shares) > 1


async def test_an_interrupt_ends_the_watching_and_not_the_fetching(site: Site) -> None:
    await site.offer(KERNEL, CONTENT, stall=1_000_000)
    process = site.host.start("assets", "fetch", "kernel-amd64")
    await asyncio.to_thread(loading_line, process)
    process.send_signal(signal.SIGINT)
    answer = await asyncio.to_thread(finished, process)
    text = "iluvatar-pxe: the daemon goes on; iluvatar-pxe assets status shows how far it is\n"
    assert (answer.status, answer.output, answer.error) == (130, "", text)
    assert site.bench.progress(KERNEL).state is State.LOADING


async def test_bars_on_a_terminal(tmp_path: Path) -> None:
    async with serving(tmp_path, stall=2.0) as site:
        await site.offer(KERNEL, CONTENT, stall=2_000_000)
        built = site.files.of(PI, b"image", builds=1.0)
        await site.files.want(replace(built, builds=True))
        with Terminal("assets", "fetch", "--config", str(site.host.config)) as terminal:
            for text in ("the factory is building it", "50% of 4.0 MB"):
                await asyncio.to_thread(terminal.read_until, text)
            await site.bench.reach(PI, State.READY)
            site.files.publisher.offer(f"/{KERNEL}", status=404)
            assert await asyncio.to_thread(terminal.ends) == 1
        trouble = site.bench.progress(KERNEL).trouble
    assert "404" in trouble
    assert max(len(line) for line in terminal.lines if "━" in line) <= 80
    assert f"{KERNEL}: waiting to try again: {trouble.removeprefix(f'{KERNEL}: ')}" in terminal.lines
    bar = r"^\.\.\.[\w./]+/kernel-amd64 +━+.━+ 50% of 4\.0 MB(, [\d.]+ [kM]B/s, \d+ s left)?$"
    assert re.search(bar, "\n".join(terminal.lines), re.MULTILINE)
    assert terminal.written.rindex("\x1b[?25h") > terminal.written.rindex("\x1b[?25l"), "the cursor is shown"
