"""Real daemons give each other what they downloaded, over HTTP."""

import hashlib
import json
import lzma
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from support.archives import file, tar_of
from support.daemon import Daemon, write_settings
from support.pi_images import UBUNTU_24_04, Layout, make_image, needs_tools
from support.publisher import Publisher, publisher
from support.waiting import wait_until
from support.warm import run_warm

from iluvatar_pxe.catalogue.schematic import Schematic

SCHEMATIC = Schematic(extensions=("siderolabs/iscsi-tools", "siderolabs/util-linux-tools")).id
FOLDER = f"talos/{SCHEMATIC}/v1.13.9"
KERNEL = b"kernel" * 100_000
INITRAMFS = b"initramfs" * 10_000
BUNDLE = tar_of([file("one", b"content of one")])
COUNT = 3
LAYER = """\
kind: talos
talos: {version: v1.13.9, extensions: [iscsi-tools, util-linux-tools]}
controlPlanes: 1
config: {controlplane: configs/controlplane.yaml, worker: configs/worker.yaml}
"""


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Publisher]:
    (tmp_path / "tls").mkdir()
    with publisher(tmp_path / "tls") as running:
        running.offer(f"/image/{SCHEMATIC}/v1.13.9/kernel-amd64", KERNEL)
        running.offer(f"/image/{SCHEMATIC}/v1.13.9/initramfs-amd64.xz", INITRAMFS)
        running.offer("/bundle.tar", BUNDLE)
        yield running


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def fleet_of(site: Publisher) -> dict[str, str]:
    """Return a fleet that wants two files of Talos, which are pinned, and an archive."""
    url = site.url("", tls=True)
    image = f"{url}/image/{{schematic}}/{{version}}"
    return {
        "fleet.yaml": f"""\
rules: [{{match: {{arch: x86_64}}, layer: arda}}]
assets:
  mirrors: {{"{url}/": ["{site.url("/")}"]}}
  entries:
    ipxe:
      version: "1"
      files:
        - name: bundle/{{version}}.tar
          urls: ["{url}/bundle.tar"]
          sha256: {sha256(BUNDLE)}
          unpack: archive
          members: {{one: bundle/one}}
    talos:
      architectures: [amd64]
      files:
        - {{name: "talos/{{schematic}}/{{version}}/kernel-{{arch}}", urls: ["{image}/kernel-{{arch}}"]}}
        - {{name: "talos/{{schematic}}/{{version}}/initramfs-{{arch}}.xz", urls: ["{image}/initramfs-{{arch}}.xz"]}}
""",
        "layers/arda.yaml": LAYER,
        "configs/controlplane.yaml": "machine: {type: controlplane}\n",
        "configs/worker.yaml": "machine: {type: worker}\n",
        "assets.lock.yaml": f"""\
files:
  {FOLDER}/kernel-amd64: {{sha256: {sha256(KERNEL)}, size: {len(KERNEL)}}}
  {FOLDER}/initramfs-amd64.xz: {{sha256: {sha256(INITRAMFS)}, size: {len(INITRAMFS)}}}
""",
    }


def fleet_of_pis(site: Publisher, image: bytes) -> dict[str, str]:
    """Return a fleet whose Pis boot an image, and which wants the same archive in place of what is apart from images."""
    apart = "".join(
        f"""\
    {entry}:
      version: "1"
      files:
        - {{name: "{entry}.tar", urls: ["{site.url("/bundle.tar")}"], sha256: {sha256(BUNDLE)}}}
"""
        for entry in (
            "ipxe",
            "raspberry-pi-firmware-2710",
            "raspberry-pi-firmware-2711",
            "provisioning-system",
        )
    )
    return {
        "fleet.yaml": f"""\
rules: [{{match: {{firmware: raspberry-pi}}, layer: ainur, role: agent}}]
assets:
  entries:
{apart}\
    mine:
      version: "7"
      image: mine-{{version}}
      files:
        - name: images/mine-{{version}}.img.xz
          urls: ["{site.url("/mine.img.xz")}"]
          sha256: {sha256(image)}
          unpack: pi-image
""",
        "layers/ainur.yaml": "kind: k3s\nimage: mine-7\nkernelArgs: [ds=none]\n",
    }


def daemon_in(directory: Path, fleet: Mapping[str, str], *peers: Daemon) -> Daemon:
    """Return a daemon with a peer that is away, and these; it takes simulated machines for real ones."""
    directory.mkdir()
    places = ["127.0.0.1:9", *(f"127.0.0.1:{peer.http_port}" for peer in peers)]
    daemon = Daemon(directory, {"assets": {"fetch": True, "peers": places}, "simulate": {"as_real": True}})
    for name, text in fleet.items():
        (daemon.fleet / name).parent.mkdir(parents=True, exist_ok=True)
        (daemon.fleet / name).write_text(text)
    return daemon


def sources(daemon: Daemon) -> set[str]:
    daemon.wait_for_log("asset.ready", COUNT)
    return {line["source"] for line in daemon.logged("asset.ready")}


def test_archives_and_files_come_from_a_peer_and_nobody_else_is_asked(
    tmp_path: Path, site: Publisher
) -> None:
    with daemon_in(tmp_path / "a", fleet_of(site)) as first:
        sources(first)
        asked = len(site.asked)
        with daemon_in(tmp_path / "b", fleet_of(site), first) as second:
            assert sources(second) == {f"peer 127.0.0.1:{first.http_port}"}
            assert second.get("/assets/bundle/one") == (200, b"content of one")
            assert second.get(f"/assets/{FOLDER}/kernel-amd64") == (200, KERNEL)
            assert second.get("/assets/.originals/" + sha256(BUNDLE))[0] == 404
        assert site.asked[asked:] == []  # the factory, too: no schematic was registered
    assert [one for one in site.asked if one.method == "POST"]


@needs_tools
def test_a_pi_boots_an_image_that_came_from_a_peer_and_was_taken_apart_here(
    tmp_path: Path, site: Publisher
) -> None:
    (tmp_path / "image").mkdir()
    image = lzma.compress(make_image(tmp_path / "image", Layout()).read_bytes(), preset=0)
    site.offer("/mine.img.xz", image)
    fleet, name = fleet_of_pis(site, image), "images/mine-7.img.xz"
    with daemon_in(tmp_path / "a", fleet) as first:
        first.wait_for_log("asset.ready", COUNT + 2)
        asked = len(site.asked)
        with daemon_in(tmp_path / "b", fleet, first) as second:
            second.wait_for_log("asset.ready", COUNT + 2)
            came = {line["name"]: line["source"] for line in second.logged("asset.ready")}
            assert came[name] == f"peer 127.0.0.1:{first.http_port}"
            assert len(site.asked) == asked
            ended = run_warm("simulate", "pi4", "--json", "--config", str(tmp_path / "b/config.toml"))
            (kernel,) = wait_until(
                lambda: [line for line in second.logged("boot") if line["stage"] == "kernel"],
                "the Pi's kernel",
            )
    report = json.loads(ended.output)
    assert (ended.status, report["reason"], report["boots"]) == (0, "", True), report
    assert (kernel["served"], kernel["bytes"]) == ("vmlinuz", len(UBUNTU_24_04["vmlinuz"]))
    theirs, own = ((one.assets / "raspberry-pi/mine-7/facts.json").read_text() for one in (first, second))
    assert theirs == own


def test_a_second_daemon_gets_what_the_first_one_is_downloading(tmp_path: Path, site: Publisher) -> None:
    kernel = f"/image/{SCHEMATIC}/v1.13.9/kernel-amd64"
    site.offers[kernel].rate = 130_000
    with daemon_in(tmp_path / "a", fleet_of(site)) as first:
        at_first = f"/assets/by-sha256/{sha256(KERNEL)}"
        address = f"127.0.0.1:{first.http_port}"
        wait_until(lambda: site.asked_for(kernel), "the first daemon to begin")
        with daemon_in(tmp_path / "b", fleet_of(site), first) as second:
            second.wait_for_log("asset.ready", COUNT)
            ready = {line["name"]: line["source"] for line in second.logged("asset.ready")}
            assert ready[f"{FOLDER}/kernel-amd64"] == f"peer {address}"
            assert second.get(at_first) == (200, KERNEL)
    assert len(site.asked_for(kernel)) == 1


def test_daemons_that_begin_at_once_do_not_wait_for_each_other(tmp_path: Path, site: Publisher) -> None:
    first = daemon_in(tmp_path / "a", fleet_of(site))
    second = daemon_in(tmp_path / "b", fleet_of(site), first)
    first.settings["assets"]["peers"].append(f"127.0.0.1:{second.http_port}")
    write_settings(tmp_path / "a/config.toml", first.settings)
    with first, second:
        for daemon in (first, second):
            daemon.wait_for_log("asset.ready", COUNT)
            assert daemon.get(f"/assets/{FOLDER}/kernel-amd64") == (200, KERNEL)
