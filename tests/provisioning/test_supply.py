"""The daemon downloads what its fleet wants, pins it, passes it on, and gets it from other daemons."""

import hashlib
import http.client
import json
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from support.daemon import Daemon, write_settings
from support.fleets import CONFIGURED, INITRAMFS, KERNEL
from support.hosted import Hosted
from support.publisher import Publisher, publisher
from support.repositories import git
from support.tftp_client import TftpClient
from support.waiting import PATIENCE, wait_until

from iluvatar_pxe.assets.arriving import WITHHELD
from iluvatar_pxe.boot.words import shortened
from iluvatar_pxe.wire.tftp.packet import Data

FILES = {
    KERNEL: b"kernel" * 100_000,
    INITRAMFS: b"initramfs" * 10_000,
    "ipxe/more.efi": b"program" * 1000,
}


def fleet_yaml(site: Publisher) -> str:
    """Return a fleet whose boot files are the publisher's, as a mirror of one whose certificate nobody trusts."""
    url = site.url("", tls=True)
    return f"""\
rules: [{{match: {{arch: x86_64}}, layer: arda}}]
assets:
  mirrors: {{"{url}/": ["{site.url("/")}"]}}
  entries:
    ipxe:
      version: "2.0.0"
      files: [{{name: ipxe/more.efi, urls: ["{url}/ipxe/more.efi"]}}]
    talos:
      architectures: [amd64]
      files:
        - name: talos/{{schematic}}/{{version}}/kernel-{{arch}}
          urls: ["{url}/talos/{{schematic}}/{{version}}/kernel-{{arch}}"]
        - name: talos/{{schematic}}/{{version}}/initramfs-{{arch}}.xz
          urls: ["{url}/talos/{{schematic}}/{{version}}/initramfs-{{arch}}.xz"]
"""


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Publisher]:
    (tmp_path / "tls").mkdir()
    with publisher(tmp_path / "tls") as running:
        for name, content in FILES.items():
            running.offer(f"/{name}", content)
        yield running


def files_of(site: Publisher) -> dict[str, str]:
    return {
        "fleet.yaml": fleet_yaml(site),
        "layers/arda.yaml": f"{CONFIGURED}controlPlanes: 1\n",
        "configs/controlplane.yaml": "machine: {type: controlplane}\n",
        "configs/worker.yaml": "machine: {type: worker}\n",
    }


def plain(directory: Path, site: Publisher, lock: str = "", **settings: Any) -> Daemon:
    """Return a daemon whose fleet is a plain directory."""
    directory.mkdir()
    daemon = Daemon(directory, {"assets": {"fetch": True, **settings}})
    files = files_of(site) | ({"assets.lock.yaml": lock} if lock else {})
    for name, text in files.items():
        (daemon.fleet / name).parent.mkdir(parents=True, exist_ok=True)
        (daemon.fleet / name).write_text(text)
    return daemon


def pins() -> str:
    lines = (
        f"  {name}: {{sha256: {hashlib.sha256(content).hexdigest()}, size: {len(content)}}}\n"
        for name, content in FILES.items()
    )
    return "files:\n" + "".join(lines)


def boots(daemon: Daemon) -> list[str]:
    """Return what keeps machines from booting."""
    lines: list[str] = daemon.ready()[1]["boot"]
    return lines


def test_what_the_fleet_wants_arrives_and_machines_boot_it(tmp_path: Path, site: Publisher) -> None:
    site.offers[f"/{KERNEL}"].rate = 600_000
    daemon = plain(tmp_path / "a", site)
    killed_import = daemon.assets / ".import/tmp1"
    killed_import.mkdir(parents=True)
    with daemon:
        assert not killed_import.exists()
        wait_until(
            lambda: any(f"{shortened(KERNEL)} is" in line for line in boots(daemon)),
            "the download to be told",
        )
        daemon.wait_for_log("asset.ready", len(FILES))
        wait_until(lambda: boots(daemon) == [], "nothing to be missing")
        assert {name: daemon.get(f"/assets/{name}") for name in FILES} == {
            name: (200, content) for name, content in FILES.items()
        }
        assert daemon.get("/assets/.index.json")[0] == 404
        assert [line["name"] for line in daemon.logged("asset.wanted")] == [
            line["name"] for line in daemon.logged("asset.wanted") if line["by"]
        ]
    own = json.loads((daemon.state / "assets.lock.json").read_text())
    assert own["files"].keys() == FILES.keys()


def test_pins_are_committed_and_a_later_daemon_goes_by_them(tmp_path: Path, site: Publisher) -> None:
    directory = tmp_path / "a"
    directory.mkdir()
    with Hosted(directory) as daemon:  # which fetches nothing of what the starter fleet wants
        for name in (KERNEL, INITRAMFS):
            (daemon.assets / name).unlink()
        owner = daemon.owner(tmp_path / "clone")
        owner.commit(files_of(site))
        owner.push()
        daemon.wait_for_log("fleet.applied", 2)
    daemon.settings["assets"]["fetch"] = True
    write_settings(directory / "config.toml", daemon.settings)
    with daemon:
        lock = wait_until(lambda: committed_lock(daemon, len(FILES)), "all pins to be committed")
        for name, content in FILES.items():
            assert (
                f'"{name}": {{sha256: "{hashlib.sha256(content).hexdigest()}", size: {len(content)}}}' in lock
            )
        daemon.fsck()
    assert len(site.asked) == len(FILES)


def committed_lock(daemon: Hosted, count: int) -> str:
    names = git(daemon.repository.path, "ls-tree", "--name-only", "main").split()
    text = git(daemon.repository.path, "show", "main:assets.lock.yaml") if "assets.lock.yaml" in names else ""
    return text if text.count("sha256:") == count else ""


def test_a_file_is_passed_on_to_many_while_it_arrives(tmp_path: Path, site: Publisher) -> None:
    site.offers[f"/{KERNEL}"].rate = 300_000
    with plain(tmp_path / "a", site) as daemon:
        daemon.wait_for_log("asset.wanted", len(FILES))
        with ThreadPoolExecutor() as pool:
            answers = list(pool.map(daemon.get, [f"/assets/{KERNEL}"] * 5))
        assert not [line for line in daemon.logged("asset.ready")[:-1] if line["name"] == KERNEL]
        assert answers == [(200, FILES[KERNEL])] * 5
    assert len(site.asked_for(f"/{KERNEL}")) == 1


def test_a_file_is_passed_on_by_tftp_while_it_arrives(tmp_path: Path, site: Publisher) -> None:
    program = bytes(range(256)) * 400
    site.offer("/ipxe/more.efi", program, rate=100_000)
    with plain(tmp_path / "a", site) as daemon:
        daemon.wait_for_log("asset.wanted", len(FILES))
        with TftpClient(daemon.tftp_port, "ipxe/more.efi") as client:
            first = client.receive()
            assert isinstance(first, Data), first
            assert not (daemon.assets / "ipxe/more.efi").exists()
            assert client.finish(first) == program
    assert len(site.asked_for("/ipxe/more.efi")) == 1


def test_a_file_with_another_checksum_is_cut_off(tmp_path: Path, site: Publisher) -> None:
    site.offers[f"/{KERNEL}"].content = bytes(reversed(FILES[KERNEL]))
    site.offers[f"/{KERNEL}"].rate = 600_000
    with plain(tmp_path / "a", site, pins()) as daemon:
        daemon.wait_for_log("asset.wanted", len(FILES))
        address = f"http://127.0.0.1:{daemon.http_port}/assets/{KERNEL}"
        with urllib.request.urlopen(address, timeout=PATIENCE) as answer:
            assert int(answer.headers["Content-Length"]) == len(FILES[KERNEL])
            with pytest.raises((http.client.IncompleteRead, ConnectionError)) as caught:
                answer.read()
        if isinstance(caught.value, http.client.IncompleteRead):
            assert len(caught.value.partial) <= len(FILES[KERNEL]) - WITHHELD
        assert daemon.wait_for_log("asset.trouble")["name"] == KERNEL
        assert daemon.wait_for_log("http.aborted")["asset"] == KERNEL
        assert not (daemon.assets / KERNEL).exists()


def test_a_file_that_is_not_begun_is_told_to_come(tmp_path: Path, site: Publisher) -> None:
    site.offers[f"/{KERNEL}"].status = 404
    with plain(tmp_path / "a", site) as daemon:
        daemon.wait_for_log("asset.trouble")
        status, body = daemon.get(f"/assets/{KERNEL}")
        assert status == 503, body
        assert body.startswith(
            f"503: {KERNEL} is missing, and its download waits for another attempt".encode()
        )
        assert daemon.get("/assets/talos/another")[0] == 404


def test_another_daemon_is_asked_before_the_publisher(tmp_path: Path, site: Publisher) -> None:
    with plain(tmp_path / "a", site, pins()) as first:
        first.wait_for_log("asset.ready", len(FILES))
        asked = len(site.asked)
        with plain(tmp_path / "b", site, pins(), peers=[f"127.0.0.1:{first.http_port}"]) as second:
            second.wait_for_log("asset.ready", len(FILES))
            assert {name: second.get(f"/assets/{name}")[1] for name in FILES} == FILES
            sources = {line["source"] for line in second.logged("asset.ready")}
        assert len(site.asked) == asked
        assert sources == {f"peer 127.0.0.1:{first.http_port}"}


def test_a_peer_that_sends_another_file_is_not_believed(tmp_path: Path, site: Publisher) -> None:
    with plain(tmp_path / "a", site, pins()) as first:
        first.wait_for_log("asset.ready", len(FILES))
        (first.assets / KERNEL).write_bytes(bytes(reversed(FILES[KERNEL])))
        with plain(tmp_path / "b", site, pins(), peers=[f"127.0.0.1:{first.http_port}"]) as second:
            second.wait_for_log("asset.ready", len(FILES))
            assert second.get(f"/assets/{KERNEL}")[1] == FILES[KERNEL]
    assert len(site.asked_for(f"/{KERNEL}")) == 2


def test_a_peer_that_is_gone_is_passed_over(tmp_path: Path, site: Publisher) -> None:
    with plain(tmp_path / "a", site, pins(), peers=["127.0.0.1:9", "192.0.2.1"]) as daemon:
        daemon.wait_for_log("asset.ready", len(FILES))


def test_nothing_is_asked_for_where_fetching_is_switched_off(tmp_path: Path, site: Publisher) -> None:
    with plain(tmp_path / "a", site, fetch=False) as daemon:
        line = daemon.wait_for_log("assets.missing")
        assert line["why"].endswith("bring them by: iluvatar-pxe assets import PATH")
    assert site.asked == []
