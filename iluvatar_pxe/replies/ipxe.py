"""Plan to iPXE script."""

import re
import textwrap
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import NamedTuple

from iluvatar_pxe.boot.chains.menu import OWN
from iluvatar_pxe.boot.plan import BootLocal, CountDown, Hold, RunScript, ShowMenu
from iluvatar_pxe.bounded import Recent
from iluvatar_pxe.fleet.models import LocalMethod
from iluvatar_pxe.machines.sighting import Sighting
from iluvatar_pxe.replies.links import Links
from iluvatar_pxe.replies.templates import environment_of
from iluvatar_pxe.wire.pxe import Platform

_UNSAFE = re.compile(r"[^A-Za-z0-9 .,:/_()+@=%\[\]{}\"'*-]")
"""Characters that iPXE may interpret: ``$`` expands, ``;``, ``&&`` and ``||`` end a command, ``#`` all commands."""


_COLUMNS = 79
_NUMBER, _NO_BREAK = re.compile(r"((?<![^ (])[0-9.]+) (?=[A-Za-z%])"), "\N{NO-BREAK SPACE}"
"""Characters in a line of a text screen, less the last: a full line may leave an empty one below it."""

MOST_UNANSWERED = 10
"""Tries of a held machine that nobody answers, and more where it asks often, before it restarts to find another daemon."""
_LOST_SECONDS = 300
"""In which a daemon that is only started again answers: for so long at least, a held machine waits for it."""

_MOST_LINKS = 64
"""Addresses of this host for which the first scripts are remembered."""

_MOST_SCRIPTS = 1024
"""Machines whose script is remembered, without its ticket; the one whose was made longest ago goes first."""
_ANY_TICKET = "TICKET--" * 6
"""Stands for a machine's ticket in what is remembered, and is as long."""

Shown = RunScript | BootLocal | Hold | CountDown | ShowMenu
"""Plans that are an iPXE script."""


class _Made(NamedTuple):
    asked: tuple[str, str, tuple[str, ...], Mapping[str, object], Links, bool]
    """The plan's template, name, notes and values, the links, and whether there are other daemons."""
    pieces: tuple[str, ...]
    """The script, cut where the URL with its ticket belongs."""


class Scripts:
    """Makes scripts from templates, the texts of the files in ``boot_assets/ipxe`` by file name."""

    def __init__(self, templates: Mapping[str, str]) -> None:
        self._environment = environment_of(templates)
        self._environment.filters |= {"on_screen": on_screen, "on_lines": on_lines}
        self._template = lru_cache(len(templates))(self._environment.get_template)
        self._first_script = lru_cache(_MOST_LINKS)(self._make_first_script)
        self._made: Recent[str, _Made] = Recent(_MOST_SCRIPTS)

    def first_script(self, links: Links, *, network: bool) -> str:
        """Return the script any iPXE runs first; it tells who the machine is and chains to ``/ipxe``.

        ``network``: the script brings up the network itself, as ``autoexec.ipxe`` must: iPXE runs that before it
        has configured any interface.
        """
        return self._first_script(links, network)

    def machine_script(
        self, plan: Shown, sighting: Sighting, links: Links, ticket: str, *, others: bool = False
    ) -> str:
        """Return a machine's own script. ``ticket`` is for its configuration, if its chain has one.

        ``others``: other daemons serve the fleet, which a machine finds by a restart where this one answers no more.
        """
        if isinstance(plan, Hold):
            period = _period(plan)
            return self._render(
                "unseen.ipxe" if plan.unseen else "hold.ipxe",
                links,
                sighting=sighting,
                name=plan.name,
                screen=plan.screen,
                left=plan.seconds,
                awaits_file=plan.awaits_file,
                period=min(period, plan.seconds or period),
                others=others,
                most_unanswered=max(MOST_UNANSWERED, _LOST_SECONDS // period),
            )
        if isinstance(plan, CountDown):
            return self._render(
                "countdown.ipxe",
                links,
                sighting=sighting,
                name=plan.name,
                screen=plan.screen,
                seconds=plan.seconds,
            )
        if isinstance(plan, ShowMenu):
            return self._render(
                "menu.ipxe",
                links,
                name=plan.name,
                own=plan.own,
                own_choice=OWN,
                entries=plan.entries,
                seconds=plan.seconds,
            )
        if isinstance(plan, BootLocal):
            return self._render("local.ipxe", links, name=plan.name, method=_method(plan, sighting))
        asked = plan.template, plan.name, plan.notes, plan.values, links, others
        made = self._made.get(sighting.mac)
        if made is None or made.asked != asked:
            made = _Made(asked, self._cut(plan, links, others=others))
            self._made.put(sighting.mac, made)
        return links.config(ticket).join(made.pieces)

    def _cut(self, plan: RunScript, links: Links, *, others: bool) -> tuple[str, ...]:
        config = links.config(_ANY_TICKET)
        text = self._render(
            plan.template,
            links,
            name=plan.name,
            config=config,
            notes=plan.notes,
            others=others,
            **plan.values,
        )
        return tuple(text.split(config))

    def _make_first_script(self, links: Links, network: bool) -> str:  # noqa: FBT001 - a cache's key
        return self._render("boot.ipxe", links, network=network)

    def _render(self, template: str, links: Links, **values: object) -> str:
        return self._template(template).render(links=links, **values)


def on_screen(text: str) -> str:
    """Make text fit for an ``echo``: nothing that iPXE would expand, split or run."""
    return _UNSAFE.sub("?", text.replace(";", ","))


def on_lines(lines: Iterable[str]) -> tuple[str, ...]:
    """Break lines at spaces to the width of a text screen, where they can be broken; they keep their indent.

    A number stays on the line of its unit.
    """
    return tuple(part for line in lines for part in _broken(line))


def _broken(line: str) -> list[str]:
    indent = " " * (len(line) - len(line.lstrip()))
    parts = textwrap.wrap(
        _NUMBER.sub(rf"\1{_NO_BREAK}", line),
        _COLUMNS,
        subsequent_indent=indent,
        break_long_words=False,
        break_on_hyphens=False,
    )
    return [part.replace(_NO_BREAK, " ") for part in parts] or [""]


def _period(plan: Hold) -> int:
    """Return the seconds until a machine on hold asks again."""
    if plan.unseen:
        return 3
    return 5 if plan.awaits_file else 30


def _method(plan: BootLocal, sighting: Sighting) -> str:
    if plan.method is LocalMethod.NOT_FOUND:
        return LocalMethod.EXIT.value  # an iPXE that is running already cannot be told "not found" any more
    if plan.method is None:
        return (LocalMethod.SANBOOT if sighting.platform is Platform.BIOS else LocalMethod.EXIT).value
    return plan.method.value
