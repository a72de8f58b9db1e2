"""``iluvatar-pxe seed-card``, as it is typed."""

import json
import lzma
import subprocess
from hashlib import sha256
from pathlib import Path

import pytest
from support.command import Host
from support.eeprom_images import eeprom_image
from support.pi_images import RASPBERRY_PI_OS, Layout, make_image, needs_tools

from iluvatar_pxe.layers.ainur.seed_card.eeprom import Chip, configuration_of

pytestmark = needs_tools


@pytest.fixture
def host(tmp_path: Path) -> Host:
    return Host(tmp_path)


@pytest.mark.parametrize("chip", Chip)
def test_a_boot_order_is_written_with_the_catalogue_s_bootloader(
    host: Host, chip: Chip, tmp_path: Path
) -> None:
    place = host.state / f"assets/raspberry-pi-eeprom/{chip.number}"
    place.mkdir(parents=True)
    (place / "pieeprom-2026-05-26.bin").write_bytes(eeprom_image(chip))
    (place / "recovery-2026-05-26.bin").write_bytes(b"\x7f" * 9000)
    out = tmp_path / "eeprom.img"
    words = ("seed-card", "--eeprom", chip.number, "--out", str(out))
    answer = host.run(*words, "--set", "BOOT_ORDER=0xf26")
    assert answer.status == 0, answer.error
    assert "  BOOT_ORDER=0xf26" in answer.lines
    read = ("mtype", "-i", f"{out}@@1048576", "::/pieeprom.bin")
    image = subprocess.run(read, capture_output=True, check=True).stdout
    assert configuration_of(image).endswith("BOOT_ORDER=0xf26\n")

    again = host.run(*words)
    assert (again.status, again.error) == (
        1,
        f"iluvatar-pxe: {out}: exists; name another file, or replace it with --force\n",
    )


def test_imager_is_told_of_a_compressed_card(host: Host, tmp_path: Path) -> None:
    (tmp_path / "image").mkdir()
    image = make_image(tmp_path / "image", Layout(boot=RASPBERRY_PI_OS, label="bootfs"))
    packed, out = tmp_path / "card.img.xz", tmp_path / "list.json"
    packed.write_bytes(lzma.compress(image.read_bytes(), preset=0))
    words = ("seed-card", "--imager", "--image", str(packed), "--out", str(out))
    assert host.run(*words).status == 0
    (entry,) = json.loads(out.read_text())["os_list"]
    assert entry["url"] == packed.as_uri()
    assert entry["init_format"] == "cloudinit-rpi"
    assert entry["extract_size"] == image.stat().st_size
    assert entry["extract_sha256"] == sha256(image.read_bytes()).hexdigest()
    assert entry["image_download_size"] == packed.stat().st_size
    assert entry["image_download_sha256"] == sha256(packed.read_bytes()).hexdigest()

    url = "http://192.0.2.7:8080/assets/card.img.xz"
    assert host.run(*words, "--force", "--url", url).status == 0
    assert json.loads(out.read_text())["os_list"][0]["url"] == url


def test_an_image_of_something_else_is_not_offered_to_imager(host: Host, tmp_path: Path) -> None:
    (tmp_path / "image").mkdir()
    image = make_image(tmp_path / "image", Layout(label="EFI"))
    answer = host.run("seed-card", "--imager", "--image", str(image), "--out", str(tmp_path / "list.json"))
    assert answer.status == 1
    assert (
        f"{image}: has a boot partition 'EFI'; use an image of Ubuntu Server or Raspberry Pi OS"
        in answer.error
    )


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ("--eeprom 2711 --imager", "--imager and --eeprom write different files"),
        ("--imager", "--imager: needs the card's image"),
        ("--image /dev/null --fleet /dev/null", "--fleet /dev/null: is no directory"),
        ("--eeprom 2711 --set BOOT_ORDER=1", "is no boot order"),
        ("--eeprom 2711 --image /dev/null", "--image: has no meaning here; leave it out with --eeprom"),
        ("--imager --image /dev/null --fleet /", "--fleet: has no meaning here; leave it out with --imager"),
        ("--set BOOT_ORDER=0xf21", "--set: has no meaning here; it is for --eeprom"),
        ("--image none.img", "--image none.img: does not exist; correct it"),
        ("--image /dev/null --wheels none", "--wheels none: does not exist; correct it"),
        ("--imager --image /dev/null --url x", "--url x: is no address; write it as http://"),
    ],
)
def test_what_makes_no_sense_is_refused(host: Host, words: str, told: str) -> None:
    answer = host.run("seed-card", "--out", str(host.directory / "out"), *words.split())
    assert answer.status == 2
    assert told in answer.error


def test_a_catalogue_that_has_brought_nothing_is_told(host: Host) -> None:
    answer = host.run("seed-card", "--out", str(host.directory / "out"), "--eeprom", "2711")
    assert answer.status == 1
    assert (
        "raspberry-pi-eeprom/2711: has no pieeprom.bin and no pieeprom-DATE.bin; take the folder"
        in answer.error
    )


def test_without_an_image_that_is_kept_one_has_to_be_named(host: Host) -> None:
    answer = host.run("seed-card", "--out", str(host.directory / "card.img"))
    assert answer.status == 1
    assert "assets: keeps no image of a Raspberry Pi; name one: --image " in answer.error


def test_a_fleet_with_a_mistake_makes_no_card(host: Host, tmp_path: Path) -> None:
    host.write("fleet.yaml", "domain: lab.local\n")
    out = tmp_path / "card.img"
    answer = host.run(*("seed-card", "--out", str(out), "--image", "/dev/null", "--fleet", str(host.fleet)))
    assert answer.status == 2
    assert "fleet.yaml:1: domain" in answer.error
    assert not out.exists()


def test_a_device_is_refused_before_anything_is_done(host: Host) -> None:
    answer = host.run("seed-card", "--out", "/dev/full", "--force", "--image", "none", "--fleet", "none")
    assert answer.status == 1
    assert (
        "/dev/full: is a device; name a file, and write that to the card with Raspberry Pi Imager"
        in answer.error
    )
