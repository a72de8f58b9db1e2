"""``iluvatar-pxe seed-card``: cards for Raspberry Pis, as files that Raspberry Pi Imager or dd writes to them."""

from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from iluvatar_pxe.cli.options import ConfigOption, be_quiet
from iluvatar_pxe.cli.running import settings_of_daemon
from iluvatar_pxe.cli.tables import say
from iluvatar_pxe.errors import UsageError
from iluvatar_pxe.layers.ainur.seed_card.boot_order import settings_of
from iluvatar_pxe.layers.ainur.seed_card.card_file import new_file
from iluvatar_pxe.layers.ainur.seed_card.eeprom import Chip
from iluvatar_pxe.layers.ainur.seed_card.imager import measured
from iluvatar_pxe.layers.ainur.seed_card.os_list import os_list
from iluvatar_pxe.layers.ainur.seed_card.recovery_card import bootloader_in, write_recovery_card

_EEPROMS = "raspberry-pi-eeprom"
"""Where the catalogue puts bootloaders, in the assets directory."""


class Family(StrEnum):
    """A family of chips."""

    BCM2711 = "2711"
    BCM2712 = "2712"


def seed_card(
    *,
    out: Annotated[Path, typer.Option(help="File to write.")],
    image: Annotated[
        Path | None, typer.Option(help="With --imager: the card's image, perhaps compressed.")
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
    """Make a card for a Raspberry Pi, as a file."""
    be_quiet()
    if imager and eeprom:
        raise UsageError("--imager and --eeprom write different files; use one of them")
    if eeprom:
        _recovery_card(out, eeprom, eeprom_files, settings or [], config, force=force)
    elif imager and image:
        _imager_list(out, image, url, force=force)
    else:
        raise UsageError("nothing to write; use --eeprom 2711, --eeprom 2712, or --imager with --image FILE")


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


def _imager_list(out: Path, image: Path, url: str | None, *, force: bool) -> None:
    card = measured(image, url)
    with new_file(out, 0, force=force) as file:
        file.write_text(os_list(card), encoding="utf-8")
    say([f"{out}: names {card.url}. To use it: rpi-imager --repo {out}"])
