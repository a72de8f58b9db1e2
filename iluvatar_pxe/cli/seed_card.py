"""``iluvatar-pxe seed-card``: cards for Raspberry Pis, as files that Raspberry Pi Imager or dd writes to them."""

import asyncio
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated

import typer

from iluvatar_pxe.assets.kept_images import kept_images
from iluvatar_pxe.cli.options import ConfigOption, be_quiet
from iluvatar_pxe.cli.running import settings_of_daemon
from iluvatar_pxe.cli.tables import say
from iluvatar_pxe.errors import SeedCardError, UsageError
from iluvatar_pxe.fleet.notification_checks import secrets_in_clear
from iluvatar_pxe.gitops.bundle import bundle_fleet
from iluvatar_pxe.layers.ainur.seed_card.boot_order import settings_of
from iluvatar_pxe.layers.ainur.seed_card.card_file import check_out, new_file
from iluvatar_pxe.layers.ainur.seed_card.eeprom import Chip
from iluvatar_pxe.layers.ainur.seed_card.imager import measured
from iluvatar_pxe.layers.ainur.seed_card.os_list import os_list
from iluvatar_pxe.layers.ainur.seed_card.recovery_card import bootloader_in, write_recovery_card
from iluvatar_pxe.layers.ainur.seed_card.seed import SeedCard, write_seed_card
from iluvatar_pxe.layers.ainur.seed_card.wheels import WheelSource
from iluvatar_pxe.resources import requirements_lock

_EEPROMS = "raspberry-pi-eeprom"
"""Where the catalogue puts bootloaders, in the assets directory."""
_SCHEMES = ("http://", "https://", "file:///")
"""Of what Raspberry Pi Imager downloads."""
_BRANCH = "main"
"""What a daemon without settings of its own reads."""


class Family(StrEnum):
    """A family of chips."""

    BCM2711 = "2711"
    BCM2712 = "2712"


def seed_card(
    *,
    out: Annotated[Path, typer.Option(help="File to write.")],
    image: Annotated[
        Path | None,
        typer.Option(
            help="Image of Ubuntu Server or Raspberry Pi OS, perhaps compressed; with --imager, the card's. "
            "Default: one that the daemon has downloaded and kept."
        ),
    ] = None,
    fleet: Annotated[
        Path | None, typer.Option(help="Directory or clone of the fleet. Default: the starter fleet.")
    ] = None,
    wheels: Annotated[
        Path | None, typer.Option(help="Folder with the wheels. Default: pip downloads them.")
    ] = None,
    imager: Annotated[
        bool,
        typer.Option(
            "--imager", help="Write the list of systems that Raspberry Pi Imager takes with --repo."
        ),
    ] = False,
    url: Annotated[
        str | None, typer.Option(help="With --imager: where Imager finds the image. Default: this file.")
    ] = None,
    eeprom: Annotated[
        Family | None,
        typer.Option(
            help="Write a card that sets the boot order: 2711 for Pi 4, 400, CM4; 2712 for Pi 5, 500, CM5."
        ),
    ] = None,
    eeprom_files: Annotated[
        Path | None,
        typer.Option(
            help="With --eeprom: folder with pieeprom.bin and recovery.bin. Default: those of the catalogue."
        ),
    ] = None,
    settings: Annotated[
        list[str] | None,
        typer.Option(
            "--set", metavar="KEY=VALUE", help="With --eeprom: a setting. Default: BOOT_ORDER=0xf21."
        ),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace the file.")] = False,
    config: ConfigOption = None,
) -> None:
    """Make a card that turns a blank Raspberry Pi into the first of a fleet, or sets a boot order, as a file."""
    be_quiet()
    check_out(out, force=force)
    if imager and eeprom:
        raise UsageError("--imager and --eeprom write different files; use one of them")
    _refuse_unused(
        "--eeprom" if eeprom else "--imager" if imager else "",
        {
            "--image": (image, ("", "--imager")),
            "--fleet": (fleet, ("",)),
            "--wheels": (wheels, ("",)),
            "--url": (url, ("--imager",)),
            "--eeprom-files": (eeprom_files, ("--eeprom",)),
            "--set": (settings, ("--eeprom",)),
        },
    )
    for option, path in {"--image": image, "--wheels": wheels}.items():
        if path and not path.exists():
            raise UsageError(f"{option} {path}: does not exist; correct it")
    if eeprom:
        _recovery_card(out, eeprom, eeprom_files, settings or [], config, force=force)
    elif imager:
        _imager_list(out, image, url, force=force)
    else:
        place = image or _kept_image(config)
        with _bundled(fleet) as bundle:
            source = WheelSource(requirements_lock(), wheels)
            _tell(out, place, write_seed_card(out, place, source, bundle, force=force))


def _refuse_unused(mode: str, options: Mapping[str, tuple[object, tuple[str, ...]]]) -> None:
    """Raise UsageError where an option is given that means nothing; ``options`` have their value and their modes by name."""
    for option, (value, modes) in options.items():
        if value and mode not in modes:
            use = f"leave it out with {mode}" if mode else f"it is for {modes[0]}"
            raise UsageError(f"{option}: has no meaning here; {use}")


def _kept_image(config: Path | None) -> Path:
    """Return the newest image of Ubuntu, else of another system; raises SeedCardError where none is kept."""
    directory = settings_of_daemon(config).assets_directory
    images = asyncio.run(kept_images(directory))
    if not images:
        raise SeedCardError(
            f"{directory}: keeps no image of a Raspberry Pi; name one: --image "
            "ubuntu-24.04.5-preinstalled-server-arm64+raspi.img.xz"
        )
    name = max(images, key=lambda one: ("ubuntu" in one, one))
    say([f"{images[name]}: is {name}"])
    return images[name]


@contextmanager
def _bundled(fleet: Path | None) -> Iterator[Path | None]:
    """Yield a bundle of a fleet; raises RepositoryError and FleetError."""
    if fleet is None:
        yield None
        return
    if not fleet.is_dir():
        raise UsageError(f"--fleet {fleet}: is no directory; name that of a fleet, or a clone")
    with TemporaryDirectory() as place:
        bundle, revision = asyncio.run(bundle_fleet(fleet, _BRANCH, Path(place)))
        for line in secrets_in_clear(revision.fleet):
            typer.echo(f"warning: {fleet}/{line}; the card's files can be read by whoever has it", err=True)
        yield bundle


def _tell(out: Path, image: Path, card: SeedCard) -> None:
    say(
        [
            f"{out}: {card.system.name} of {image.name}, and {card.wheels} wheels for its Python {card.facts.python}"
        ]
    )
    if not card.facts.has_git:
        say(
            ["The image has no git: the Pi downloads it at its first start, and needs the internet for that."]
        )
    say(["Write it to a card with Raspberry Pi Imager, or with: sudo dd if=FILE of=DEVICE bs=4M conv=fsync"])


def _recovery_card(
    out: Path, family: Family, folder: Path | None, words: list[str], config: Path | None, *, force: bool
) -> None:
    settings = settings_of(words)
    chip = next(one for one in Chip if one.number == family.value)
    place = folder or settings_of_daemon(config).assets_directory / _EEPROMS / chip.number
    text = write_recovery_card(out, bootloader_in(place, chip), settings, datetime.now(UTC), force=force)
    say(
        [
            f"{out}: sets the bootloader of a {chip.number} to:",
            "",
            *(f"  {line}" for line in text.splitlines()),
        ]
    )


def _imager_list(out: Path, image: Path | None, url: str | None, *, force: bool) -> None:
    if image is None:
        raise UsageError("--imager: needs the card's image; name it: --image FILE")
    if url and not url.startswith(_SCHEMES):
        raise UsageError(
            f"--url {url}: is no address; write it as http://192.168.1.10:8080/assets/{image.name}"
        )
    card = measured(image, url)
    with new_file(out, 0, force=force) as file:
        file.write_text(os_list(card), encoding="utf-8")
    say([f"{out}: names {card.url}. To use it: rpi-imager --repo {out}"])
