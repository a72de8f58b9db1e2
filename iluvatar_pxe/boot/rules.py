"""The fleet's rules: which one matches a machine, and why the others do not."""

from collections.abc import Iterable, Iterator, Sequence
from ipaddress import IPv4Address

from msgspec import Struct

from iluvatar_pxe.fleet.fields.globs import fits
from iluvatar_pxe.fleet.models import Boot, Rule
from iluvatar_pxe.machines.sighting import Firmware
from iluvatar_pxe.wire.pxe import CpuArch


class Asker(Struct, frozen=True, kw_only=True):
    """The properties of a machine that rules match; empty or None where unknown."""

    macs: tuple[str, ...]
    board: str = ""
    arch: CpuArch | None = None
    manufacturer: str = ""
    product: str = ""
    serial: str = ""
    firmware: Firmware | None = None
    """The machine's own, not iPXE, where that was loaded by it."""
    address: IPv4Address | None = None

    def texts(self) -> Iterator[tuple[str, Sequence[str]]]:
        """Give by a rule's key what this machine has to show for it; any of it may match."""
        yield "mac", self.macs
        yield "board", (self.board,)
        yield "arch", (self.arch or "",)
        yield "manufacturer", (self.manufacturer,)
        yield "product", (self.product,)
        yield "serial", (self.serial,)
        yield "firmware", (self.firmware or "",)


def matching_rule(rules: Iterable[Rule], asker: Asker) -> tuple[int, Rule] | None:
    """Return the first rule that matches, with its number from 1, or None."""
    return next(((number, rule) for number, rule in enumerate(rules, 1) if not why_not(rule, asker)), None)


def why_not(rule: Rule, asker: Asker) -> str:
    """Return why a rule does not match, in words; empty when it does.

    Every key of the rule has to match, by any of its patterns.
    """
    for key, told in asker.texts():
        globs: tuple[str, ...] = getattr(rule.match, key)
        if globs and not any(fits(text, glob) for text in told for glob in globs):
            return _differs(key, told, globs)
    subnets, address = rule.match.subnet, asker.address
    if subnets and not any(address in subnet for subnet in subnets if address):
        return _differs("address", (str(address or ""),), [str(subnet) for subnet in subnets])
    return ""


def may_match(rule: Rule, asker: Asker) -> bool:
    """Say whether a rule matches, or would if the machine tells what it has not told yet."""
    for key, told in asker.texts():
        globs: tuple[str, ...] = getattr(rule.match, key)
        known = [text for text in told if text]
        if globs and known and not any(fits(text, glob) for text in known for glob in globs):
            return False
    subnets, address = rule.match.subnet, asker.address
    return not subnets or address is None or any(address in subnet for subnet in subnets)


def title(number: int, rule: Rule) -> str:
    """Return what a rule is called: ``rule 2 "x86 machines" of fleet.yaml``."""
    name = f' "{rule.name}"' if rule.name else ""
    return f"rule {number}{name} of fleet.yaml"


def options_of(told: str, rules: Iterable[Rule]) -> Boot:
    """Return what the rule of that title says of how machines boot; nothing where it is not there any more."""
    return next((rule for number, rule in enumerate(rules, 1) if title(number, rule) == told), Boot())


def _differs(key: str, told: Iterable[str], asked: Iterable[str]) -> str:
    known, wanted = (_quoted(text for text in texts if text) for texts in (told, asked))
    return f"{key} is {known}, not {wanted}" if known else f"{key} is not known yet, and {wanted} is required"


def _quoted(texts: Iterable[str]) -> str:
    return " or ".join(f"'{text}'" for text in texts)
