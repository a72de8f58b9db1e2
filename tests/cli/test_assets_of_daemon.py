"""``assets`` beside a real daemon and without one: files of the tests' publisher, from the first byte to the last."""

import hashlib
import os
import shutil
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from support.command import Host
from support.daemon import Daemon
from support.fetching import damage
from support.publisher import Publisher, publisher
from support.rights import NOBODY, directory_for_nobody
from support.waiting import wait_until

CONTENT = b"a program" * 100_000


@dataclass
class Site:
    """A host whose fleet wants two files of a publisher, which has them, and in place of iPXE none."""

    host: Host
    shop: Publisher

    @property
    def assets(self) -> Path:
        return self.host.state / "assets"


def fleet(shop: Publisher) -> str:
    sha256 = hashlib.sha256(CONTENT).hexdigest()
    entries = {"ipxe": "memtest/{version}/memtest.efi", "memtest": "memtest/{version}/other.efi"}
    lines = "".join(
        f'    {entry}:\n      version: "7"\n      files:\n'
        f'        - name: {name}\n          urls: ["{shop.url(f"/{entry}.efi")}"]\n          sha256: "{sha256}"\n'
        for entry, name in entries.items()
    )
    return f"domain: lab.home.arpa\nassets:\n  entries:\n{lines}"


@contextmanager
def site_in(directory: Path) -> Iterator[Site]:
    """Prepare a host and its publisher."""
    with publisher(directory) as shop:
        for name in ("ipxe", "memtest"):
            shop.offer(f"/{name}.efi", CONTENT)
        host = Host(directory)
        host.write("fleet.yaml", fleet(shop))
        yield Site(host, shop)


@pytest.fixture(params=["daemon", "alone"])
def site(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Site]:
    with ExitStack() as running:
        made = running.enter_context(site_in(tmp_path))
        if request.param == "daemon":
            running.enter_context(Daemon(tmp_path))
        yield made


def test_from_nothing_to_everything(site: Site) -> None:
    answer = site.host.run("assets", "status")
    assert (answer.status, answer.error) == (1, "")
    assert "2 of 2 files are missing; machines that need them wait." in answer.lines
    assert site.shop.asked == []
    answer = site.host.run("assets", "fetch")
    assert (answer.status, answer.error, answer.lines[-1]) == (0, "", "fetched: 2 files.")
    assert (site.assets / "memtest/7/memtest.efi").read_bytes() == CONTENT
    (one, other) = site.host.run("assets", "status", "--json").json
    assert (one["ready"], one["check"], other["wanted_by"]) == (
        True,
        "sha256 pinned",
        ["assets in fleet.yaml"],
    )
    assert one["source"] == site.shop.url("/ipxe.efi")


def test_a_damaged_file_is_removed_and_not_served(site: Site) -> None:
    site.host.run("assets", "fetch")
    path = site.assets / "memtest/7/memtest.efi"
    damage(path)
    answer = site.host.run("assets", "verify")
    assert (answer.status, answer.error) == (1, "")
    fault = "memtest/7/memtest.efi: has another checksum than the pinned one, and was removed"
    assert answer.lines[-2:] == [f"{fault}; fetch or import it again", "verified: 1 of 2 files."]
    assert not path.exists()
    assert site.host.run("assets", "fetch").status == 0
    assert path.read_bytes() == CONTENT


def test_a_file_that_the_publisher_does_not_have_comes_by_a_stick(site: Site, tmp_path: Path) -> None:
    del site.shop.offers["/memtest.efi"]
    answer = site.host.run("assets", "fetch")
    assert (answer.status, answer.error) == (1, "")
    (tmp_path / "stick").mkdir()
    (tmp_path / "stick/memtest.efi").write_bytes(CONTENT)
    answer = site.host.run("assets", "import", str(tmp_path / "stick"))
    assert (answer.status, answer.error, answer.lines[-1]) == (0, "", "1 of 1 file is there now.")


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root")
def test_what_root_brings_without_the_daemon_belongs_to_its_user(tmp_path: Path) -> None:
    """Also from a stick that only root may read."""
    (tmp_path / "memtest.efi").write_bytes(CONTENT)
    tmp_path.chmod(0o700)
    with directory_for_nobody() as directory, site_in(directory) as site:
        for path in (site.host.state, *site.host.state.rglob("*")):
            os.chown(path, NOBODY, NOBODY)
        del site.shop.offers["/memtest.efi"]
        assert site.host.run("assets", "fetch", "memtest.efi").status == 0
        answer = site.host.run("assets", "import", str(tmp_path))
        assert (answer.status, answer.error, answer.lines[-1]) == (0, "", "1 of 1 file is there now.")
        files = [path for path in site.host.state.rglob("*") if not path.is_relative_to(site.host.fleet)]
        assert {(path.stat().st_uid, path.stat().st_gid) for path in files} == {(NOBODY, NOBODY)}
        assert (site.assets / "memtest/7/other.efi").read_bytes() == CONTENT


UNCHECKED = """\
domain: lab.home.arpa
assets:
  entries:
    ipxe:
      version: "7"
      files:
        - name: memtest/{version}/memtest.efi
          urls: ["https://127.0.0.1:9/memtest.efi"]
"""
LISTED = f"""\
{UNCHECKED}\
          sums: {{urls: ["https://127.0.0.1:9/SHA256SUMS"], name: memtest.efi}}
"""


def test_a_stick_is_checked_by_the_list_beside_the_file(tmp_path: Path) -> None:
    host = Host(tmp_path)
    host.write("fleet.yaml", LISTED)
    stick, sums = tmp_path / "stick", tmp_path / "stick/SHA256SUMS"
    stick.mkdir()
    (stick / "memtest.efi").write_bytes(CONTENT)
    name = "memtest/7/memtest.efi"

    def imported(*options: str) -> tuple[int, str]:
        answer = host.run("assets", "import", *options, str(stick))
        assert answer.error == ""
        return answer.status, answer.lines[-2]

    refusal = (1, f"{name}: is checked by its publisher's list; put SHA256SUMS beside the file")
    assert (imported(), imported("--trust")) == (refusal, refusal)
    sums.write_text(f"{'0' * 64}  memtest.efi\n")
    status, line = imported("--trust")
    assert (status, f"but {name} must have {'0' * 64}; fetch it again" in line) == (1, True), line
    assert not (host.state / "assets" / name).exists()
    sums.write_text(f"{hashlib.sha256(CONTENT).hexdigest()} *memtest.efi\n")
    assert imported() == (0, f"{name}: ready")
    assert (host.state / "assets" / name).read_bytes() == CONTENT
    assert not (host.state / "assets.lock.json").exists(), "the list is enough"
    (row,) = host.run("assets", "status", "--json").json
    assert (row["ready"], row["source"]) == (True, "imported")


def test_a_file_that_nothing_checks_is_pinned_when_it_is_in_place(tmp_path: Path) -> None:
    host = Host(tmp_path)
    host.write("fleet.yaml", UNCHECKED)
    stick = tmp_path / "stick"
    stick.mkdir()
    (stick / "memtest.efi").touch()
    answer = host.run("assets", "import", "--trust", str(stick))
    assert (answer.status, answer.error) == (1, "")
    assert answer.lines[-2] == "memtest.efi: is empty; fetch it again"
    assert not (host.state / "assets.lock.json").exists()
    (stick / "memtest.efi").write_bytes(CONTENT)
    answer = host.run("assets", "import", "--trust", str(stick))
    assert (answer.status, answer.lines[-1]) == (0, "1 of 1 file is there now.")
    assert (host.state / "assets.lock.json").exists()
    (row,) = host.run("assets", "status", "--json").json
    assert (row["ready"], row["check"], row["source"]) == (True, "sha256 pinned on first use", "imported")


def test_without_a_daemon_a_fault_is_one_line(tmp_path: Path) -> None:
    """Also where it stops the work: a disk with too little space, and a directory that cannot be made."""
    host = Host(tmp_path)
    host.write("fleet.yaml", UNCHECKED)
    file = tmp_path / "memtest.efi"
    with file.open("wb") as opened:
        opened.truncate(1 << 43)  # a hole of 8 TiB
    answer = host.run("assets", "import", "--trust", str(file))
    assert (answer.status, answer.error) == (1, "")
    fault, count = answer.lines[-2:]
    assert (fault.startswith("memtest/7/memtest.efi: no space left in"), "assets gc" in fault) == (
        True,
        True,
    ), fault
    assert count == "0 of 1 file is there now."
    shutil.rmtree(host.state / "assets")
    (host.state / "assets").touch()
    answer = host.run("assets", "import", "--trust", str(file))
    fault = f"{host.state}/assets: cannot be made: File exists; make it writable"
    assert (answer.status, answer.error) == (1, f"iluvatar-pxe: {fault}\n")


IMAGE = """\
    mine:
      version: "7"
      image: mine-{version}
      files:
        - name: images/mine-{version}.img
          urls: ["https://127.0.0.1:9/mine.img"]
          unpack: pi-image
"""


@pytest.mark.parametrize(
    ("fetch", "how"),
    [(True, "being downloaded; without internet"), (False, "[assets] fetch is false; to bring them")],
)
def test_a_daemon_that_starts_says_what_is_missing_and_how_to_bring_it(
    tmp_path: Path,
    fetch: bool,  # noqa: FBT001 - a parameter of the test
    how: str,
) -> None:
    """Nobody listens at the publisher's address, as without internet."""
    Host(tmp_path).write("fleet.yaml", LISTED)
    with Daemon(tmp_path, {"assets": {"fetch": fetch}, "log": {"format": "console"}}) as daemon:
        wait_until(lambda: "Or ask: curl" in daemon.output, "the addresses")
        text = f"missing: memtest 7 ({how}: iluvatar-pxe assets import PATH)"
        assert f"Boot files: {daemon.assets}; {text}" in daemon.output.splitlines()


def test_an_image_is_called_by_its_own_name(tmp_path: Path) -> None:
    host = Host(tmp_path)
    host.write("fleet.yaml", LISTED + IMAGE)
    host.write("layers/ainur.yaml", "kind: k3s\nimage: mine-7\nnames: ainur-##\nservers: 1\n")
    with Daemon(tmp_path, {"log": {"format": "console"}}) as daemon:
        wait_until(lambda: "Or ask: curl" in daemon.output, "the addresses")
        (line,) = (one for one in daemon.output.splitlines() if one.startswith("Boot files: "))
        assert ", mine-7 (" in line.replace(" mine-7,", " mine-7 ("), line
