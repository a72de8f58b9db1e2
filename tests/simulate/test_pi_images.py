"""Simulated Raspberry Pis of each generation boot the images of each layout, as the daemon unpacks them."""

import json
import sys
from collections.abc import Iterator
from http import HTTPStatus
from pathlib import Path
from typing import Any

import pytest
from support.pi_images import RASPBERRY_PI_OS, UBUNTU_24_04, UBUNTU_26_04, Layout, make_image, needs_tools
from support.simulated import BOOT_SECONDS
from support.simulated_site import FILES, PCS, simulated_site
from support.waiting import wait_until

from iluvatar_pxe.assets.unpack.unpack import unpack
from iluvatar_pxe.boot.chains.raspberry_pi import FOLDER
from iluvatar_pxe.catalogue.download import Download, FirstUse, Unpack
from iluvatar_pxe.lab.room.network import INTERFACE
from iluvatar_pxe.simulate.machine import Kind, random_mac

pytestmark = needs_tools

LAYOUTS = {"noble": UBUNTU_24_04, "resolute": UBUNTU_26_04, "trixie": RASPBERRY_PI_OS}
PIS = [kind for kind in Kind if kind.is_pi]
MACS = {(image, kind): random_mac(kind).hex(":") for image in LAYOUTS for kind in PIS}


LAST = "last"
"""A boot file that comes after all others."""


def unpack_images(scratch: Path, assets: Path) -> None:
    for name, boot in LAYOUTS.items():
        (scratch / name).mkdir()
        image = Download(
            name=f"images/{name}.img",
            version="1",
            urls=(),
            check=FirstUse(),
            unpack=Unpack.PI_IMAGE,
            folder=f"{FOLDER}/{name}",
        )
        unpack(image, make_image(scratch / name, Layout(boot=boot)), assets, lambda _done, _size: None)
    (assets / LAST).touch()


@pytest.fixture(scope="module")
def reports(cards: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[tuple[str, Kind], Any]]:  # noqa: ARG001 - a condition
    machines = {
        f"machines/{image}-{kind.value}.yaml": f'match: {{macs: ["{mac}"]}}\nlayer: ainur\nrole: agent\nimage: {image}\n'
        for (image, kind), mac in MACS.items()
    }
    with simulated_site(FILES | machines) as site:
        unpack_images(tmp_path_factory.mktemp("images"), site.namespace.outside(site.server.assets))
        asking = site.add("asking", 1)
        wait_until(
            lambda: asking.get(f"/assets/{LAST}").status == HTTPStatus.OK, "the daemon to list all files"
        )
        command = [sys.executable, "-m", "iluvatar_pxe", "simulate"]
        running = {
            (image, kind): site.namespace.start(
                f"{image}-{kind.value}",
                [*command, kind.value, "--mac", mac, "--interface", INTERFACE, "--json"],
                network=PCS,
            )
            for (image, kind), mac in MACS.items()
        }
        for process in running.values():
            process.wait(BOOT_SECONDS)
        yield {key: json.JSONDecoder().raw_decode(process.output)[0] for key, process in running.items()}


@pytest.mark.parametrize("kind", PIS)
@pytest.mark.parametrize("image", LAYOUTS)
def test_a_pi_boots_an_image(image: str, kind: Kind, reports: dict[tuple[str, Kind], Any]) -> None:
    report = reports[image, kind]
    assert not report["reason"]
    assert report["boots"]
    assert report["stages"][-1]["stage"] == "kernel"
