"""Plan to iPXE script, from the templates in ``boot_assets/ipxe``."""

import re
import textwrap
from collections.abc import Iterable
from functools import cache

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from iluvatar_pxe.boot.plan import BootLocal, CountDown, Hold, RunScript
from iluvatar_pxe.fleet.models import LocalMethod
from iluvatar_pxe.machines.sighting import Sighting
from iluvatar_pxe.replies.links import Links
from iluvatar_pxe.resources import data_directory
from iluvatar_pxe.wire.pxe import Platform

_UNSAFE = re.compile(r"[^A-Za-z0-9 .,:/_()+@=\[\]{}\"'*-]")
"""What may mean something to iPXE: ``$`` expands, ``;``, ``&&`` and ``||`` end a command, ``#`` all commands."""


_COLUMNS = 79
"""Characters in a line of a text screen, less the last: a full line may leave an empty one below it."""


def first_script(links: Links, *, network: bool) -> str:
    """Return the script any iPXE runs first; it tells who the machine is and chains to ``/ipxe``.

    ``network``: the script brings up the network itself, as ``autoexec.ipxe`` must: iPXE runs that before it
    has configured any interface.
    """
    return _render("boot.ipxe", links, network=network)


Shown = RunScript | BootLocal | Hold | CountDown
"""Plans that are an iPXE script."""


def machine_script(plan: Shown, sighting: Sighting, links: Links, ticket: str) -> str:
    """Return a machine's own script. ``ticket`` is for its configuration, if its chain has one."""
    if isinstance(plan, Hold):
        template = "unseen.ipxe" if plan.unseen else "hold.ipxe"
        return _render(template, links, sighting=sighting, name=plan.name, screen=plan.screen)
    if isinstance(plan, CountDown):
        return _render(
            "countdown.ipxe",
            links,
            sighting=sighting,
            name=plan.name,
            screen=plan.screen,
            seconds=plan.seconds,
        )
    if isinstance(plan, BootLocal):
        return _render("local.ipxe", links, name=plan.name, method=_method(plan, sighting))
    return _render(plan.template, links, name=plan.name, config=links.config(ticket), **plan.values)


def on_screen(text: str) -> str:
    """Make text fit for an ``echo``: nothing that iPXE would expand, split or run."""
    return _UNSAFE.sub("?", text.replace(";", ","))


def on_lines(lines: Iterable[str]) -> tuple[str, ...]:
    """Break lines at spaces to the width of a text screen, where they can be broken; they keep their indent."""
    return tuple(part for line in lines for part in _broken(line))


def _broken(line: str) -> list[str]:
    indent = " " * (len(line) - len(line.lstrip()))
    parts = textwrap.wrap(
        line, _COLUMNS, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False
    )
    return parts or [""]


def _method(plan: BootLocal, sighting: Sighting) -> str:
    if plan.method is LocalMethod.NOT_FOUND:
        return LocalMethod.EXIT.value  # an iPXE that is running already cannot be told "not found" any more
    if plan.method is None:
        return (LocalMethod.SANBOOT if sighting.platform is Platform.BIOS else LocalMethod.EXIT).value
    return plan.method.value


def _render(template: str, links: Links, **values: object) -> str:
    return _environment().get_template(template).render(links=links, **values)


@cache
def _environment() -> Environment:
    environment = Environment(  # noqa: S701 - iPXE scripts, not HTML; on_screen is their escaping
        loader=FileSystemLoader(data_directory("boot_assets") / "ipxe"),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters["on_screen"] = on_screen
    environment.filters["on_lines"] = on_lines
    return environment
