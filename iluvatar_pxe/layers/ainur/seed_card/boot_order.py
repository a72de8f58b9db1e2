"""The bootloader's configuration, a text of ``KEY=VALUE`` lines in sections, and how it is changed. Pure.

Raspberry Pi documentation, eeprom-bootloader.adoc. A section such as ``[gpio4=1]`` holds for some boards only, and
``[all]`` for every board, as what stands before the first section does.
"""

import re
from collections.abc import Iterable, Mapping
from types import MappingProxyType

from iluvatar_pxe.errors import UsageError

DEFAULTS: Mapping[str, str] = MappingProxyType({"BOOT_ORDER": "0xf21"})
"""SD card, then network, then from the start: what Raspberry Pi Imager calls Network Boot."""
_ALL = "[all]"
_SETTING = re.compile(r"([A-Z][A-Z0-9_]*)=([\x21-\x7e][\x20-\x7e]*)")
_ORDER = re.compile(r"0x[0-7ef]{1,8}")


def settings_of(words: Iterable[str]) -> dict[str, str]:
    """Return the settings that a person gives, ``KEY=VALUE`` each, over the defaults; raises UsageError."""
    settings = dict(DEFAULTS)
    for word in words:
        if not (found := _SETTING.fullmatch(word)):
            raise UsageError(f"--set {word}: is not KEY=VALUE; write it as BOOT_ORDER=0xf21")
        settings[found[1]] = found[2]
    order = settings["BOOT_ORDER"]
    if not _ORDER.fullmatch(order):
        raise UsageError(
            f"--set BOOT_ORDER={order}: is no boot order; write 0x and digits of 0 to 7, e and f"
        )
    return settings


def changed(text: str, settings: Mapping[str, str]) -> str:
    """Return a configuration where these settings hold for every board, and all others are as they were."""
    lines, is_for_all = list[str](), True
    for line in text.replace("\r\n", "\n").rstrip("\n").split("\n"):
        if line.lstrip().startswith("["):
            is_for_all = line.strip() == _ALL
        key = line.partition("=")[0].strip()
        if not (is_for_all and key in settings):
            lines.append(line)
    if not is_for_all:
        lines.append(_ALL)
    lines += [f"{key}={value}" for key, value in settings.items()]
    return "\n".join(lines).lstrip("\n") + "\n"
