"""TFTP programs of other projects fetch files from the server, byte for byte."""

import asyncio
import random
import shutil
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from ipaddress import IPv4Address
from pathlib import Path

import pytest
import tftpy
from support.tftp_peer import NOBODY, replying

from iluvatar_pxe.assets.opening import ListedFile
from iluvatar_pxe.assets.source import FileSource, Source
from iluvatar_pxe.servers.tftp.server import TftpServer, TransferReport
from iluvatar_pxe.settings.model import TftpSettings
from iluvatar_pxe.wire.tftp.transfer import Outcome

pytestmark = pytest.mark.interop

ADDRESS = IPv4Address("127.0.0.1")
SIZES = {
    "empty": 0,
    "one-byte": 1,
    "exact-multiple": 1468 * 512,
    "kernel": 5 * 1024 * 1024 + 17,
    "rollover-8": 8 * 66_000 + 5,
    "rollover-512": 512 * 66_000 + 5,
}
"""``rollover-N`` has more than 65536 blocks of N bytes."""
TEXT = b"first\nsecond\r\nthird\rfourth\n" * 100
PATIENCE = 120
"""Seconds after which a client counts as hung."""


@dataclass
class Running:
    port: int
    files: Path
    reports: list[TransferReport] = field(default_factory=list)


Result = tuple[int | None, str]
"""Exit status and output."""
Fetch = Callable[[Running, str, Path], Awaitable[Result]]


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("files")
    for name, size in SIZES.items():
        (directory / name).write_bytes(random.Random(name).randbytes(size))
    (directory / "text").write_bytes(TEXT)
    return directory


@asynccontextmanager
async def serving(files: Path) -> AsyncIterator[Running]:
    async def open_file(name: str, _client: IPv4Address, _server: IPv4Address) -> Source | None:
        return await FileSource.open(ListedFile(files / name)) if (files / name).is_file() else None

    running = Running(0, files)
    settings = TftpSettings().model_copy(update={"port": 0})
    server = TftpServer(settings, replying(open_file), running.reports.append, NOBODY.get)
    assert not server.serve([ADDRESS])
    running.port = server.listening[0][1]
    task = asyncio.create_task(server.run())
    try:
        yield running
    finally:
        await server.drain(5)
        await task


async def call(program: str, *arguments: str) -> Result:
    """Run a client to its end; return its exit status and what it printed."""
    path = shutil.which(program)
    if path is None:
        pytest.skip(f"{program} is not installed")
    process = await asyncio.create_subprocess_exec(
        path, *arguments, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    async with asyncio.timeout(PATIENCE):
        output, _ = await process.communicate()
    return process.returncode, output.decode(errors="replace")


def curl(*options: str) -> Fetch:
    async def fetch(running: Running, name: str, to: Path) -> Result:
        url = f"tftp://{ADDRESS}:{running.port}/{name}"
        return await call("curl", "--silent", "--show-error", *options, "--output", str(to), url)

    return fetch


def atftp(*options: str) -> Fetch:
    flags = [word for option in options for word in ("--option", option)]

    async def fetch(running: Running, name: str, to: Path) -> Result:
        return await call(
            "atftp", *flags, "--get", "--remote-file", name, "--local-file", str(to), str(ADDRESS), str(running.port)
        )  # fmt: skip

    return fetch


def tftp_hpa(mode: str) -> Fetch:
    async def fetch(running: Running, name: str, to: Path) -> Result:
        return await call("tftp", "-m", mode, str(ADDRESS), str(running.port), "-c", "get", name, str(to))

    return fetch


def busybox(*options: str) -> Fetch:
    async def fetch(running: Running, name: str, to: Path) -> Result:
        command = ("busybox", "tftp", "-g", *options, "-r", name, "-l", str(to))
        return await call(*command, str(ADDRESS), str(running.port))

    return fetch


def python_tftpy(**options: int) -> Fetch:
    async def fetch(running: Running, name: str, to: Path) -> Result:
        client = tftpy.TftpClient(str(ADDRESS), running.port, options)
        await asyncio.to_thread(client.download, name, str(to), timeout=10)
        return 0, ""

    return fetch


CLIENTS = {
    "curl": (curl(), 512, 1),
    "curl-1024": (curl("--tftp-blksize", "1024"), 1024, 1),
    "curl-no-options": (curl("--tftp-no-options"), 512, 1),
    "tftp-hpa": (tftp_hpa("binary"), 512, 1),
    "atftp": (atftp(), 512, 1),
    "atftp-tsize": (atftp("tsize", "timeout 3"), 512, 1),
    "atftp-window": (atftp("tsize", "blksize 1468", "windowsize 16"), 1468, 16),
    "atftp-wider-than-allowed": (atftp("tsize", "blksize 8192", "windowsize 128"), 1468, 64),
    "busybox": (busybox(), 512, 1),
    "busybox-1428": (busybox("-b", "1428"), 1428, 1),
    "tftpy": (python_tftpy(), 512, 1),
    "tftpy-1468": (python_tftpy(blksize=1468, tsize=0), 1468, 1),
}
REFUSED_BY_CLIENT = {("curl", "empty"), ("curl-1024", "empty")}
"""curl takes an OACK with ``tsize`` 0 for invalid (exit 71), so it gets empty files without options only."""


@pytest.mark.parametrize(
    ("client", "name"),
    [
        (client, name)
        for client in CLIENTS
        for name in ("empty", "one-byte", "exact-multiple", "kernel")
        if (client, name) not in REFUSED_BY_CLIENT
    ],
)
async def test_clients_get_the_same_bytes(client: str, name: str, files: Path, tmp_path: Path) -> None:
    fetch, blksize, windowsize = CLIENTS[client]
    async with serving(files) as running:
        status, output = await fetch(running, name, tmp_path / "got")
    assert status == 0, output
    assert (tmp_path / "got").read_bytes() == (files / name).read_bytes()
    (report,) = running.reports
    assert (report.outcome, report.bytes) == (Outcome.DONE, SIZES[name])
    assert (report.blksize, report.windowsize) == (blksize, windowsize)


@pytest.mark.parametrize("fetch", [tftp_hpa("netascii"), atftp("mode netascii")], ids=["tftp-hpa", "atftp"])
async def test_netascii_comes_back_as_the_text_it_was(fetch: Fetch, files: Path, tmp_path: Path) -> None:
    async with serving(files) as running:
        status, output = await fetch(running, "text", tmp_path / "got")
    assert status == 0, output
    assert (tmp_path / "got").read_bytes() == TEXT
    (report,) = running.reports
    assert report.bytes > len(TEXT)


@pytest.mark.parametrize(
    ("fetch", "expected"),
    [
        pytest.param(curl(), 68, id="curl"),  # CURLE_TFTP_NOTFOUND
        pytest.param(tftp_hpa("binary"), "Error code 1: ", id="tftp-hpa"),
        pytest.param(atftp("windowsize 8"), "no such file", id="atftp"),
        pytest.param(busybox(), "server error: (1)", id="busybox"),
    ],
)
async def test_a_missing_file_is_reported_by_the_client(
    fetch: Fetch, expected: int | str, files: Path, tmp_path: Path
) -> None:
    async with serving(files) as running:
        status, output = await fetch(running, "nothing", tmp_path / "got")
    assert status == expected or str(expected) in output, (status, output)
    assert [report.outcome for report in running.reports] == [Outcome.MISSING]


async def test_tftpy_reports_a_missing_file(files: Path, tmp_path: Path) -> None:
    async with serving(files) as running:
        with pytest.raises(tftpy.TftpFileNotFoundError):
            await python_tftpy(blksize=1468)(running, "nothing", tmp_path / "got")
    assert [report.outcome for report in running.reports] == [Outcome.MISSING]


ROLLOVERS = {
    "curl": (curl("--tftp-blksize", "8"), "rollover-8"),
    "tftp-hpa": (tftp_hpa("binary"), "rollover-512"),
    "atftp": (atftp("blksize 8"), "rollover-8"),
    "atftp-window": (atftp("blksize 8", "windowsize 16"), "rollover-8"),
    "tftpy": (python_tftpy(blksize=8), "rollover-8"),
}


LONG_ROLLOVERS = ("atftp", "tftpy")
"""Clients that roll over as one of the others does."""


@pytest.mark.parametrize(
    "client",
    [pytest.param(one, marks=pytest.mark.long if one in LONG_ROLLOVERS else ()) for one in ROLLOVERS],
)
async def test_block_numbers_roll_over_as_clients_expect(client: str, files: Path, tmp_path: Path) -> None:
    fetch, name = ROLLOVERS[client]
    async with serving(files) as running:
        status, output = await fetch(running, name, tmp_path / "got")
    assert status == 0, output
    assert (tmp_path / "got").read_bytes() == (files / name).read_bytes()
    assert [report.outcome for report in running.reports] == [Outcome.DONE]
