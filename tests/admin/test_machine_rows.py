"""The rows of ``machines list`` in pages."""

from datetime import UTC, datetime
from itertools import chain

from cli.test_machines import DISPUTED, FAILED, JOINED, LISTED, PASSING
from support.fleets import fleet_of

from iluvatar_pxe.admin.describe import describe
from iluvatar_pxe.admin.machine_list import Entry, entry_of
from iluvatar_pxe.admin.machine_reads import page_of
from iluvatar_pxe.admin.requests.machines import ListMachines
from iluvatar_pxe.admin.requests.request import CommandResult
from iluvatar_pxe.cli.machines.listing import lines_of_pages, machine_lines

NOW = datetime(2026, 11, 22, 18, 30, tzinfo=UTC)
FLEET = fleet_of()
MACHINES = (JOINED, LISTED, DISPUTED, FAILED, PASSING)
ENTRIES = sorted((entry_of(one, FLEET) for one in MACHINES), key=lambda one: one.position)


def pages(entries: list[Entry], limit: int) -> list[CommandResult]:
    found = [page_of(entries, ListMachines(limit=limit), NOW)]
    while cursor := found[-1]["next"]:
        found.append(page_of(entries, ListMachines(limit=limit, cursor=cursor), NOW))
    return found


def test_pages_are_laid_out_as_all_at_once() -> None:
    cut = pages(ENTRIES, 1)
    (whole,) = pages(ENTRIES, 100)
    assert len(cut) == len(MACHINES) - 1
    assert list(chain.from_iterable(one["rows"] for one in cut)) == whole["rows"]
    described = [describe(one, FLEET) for one in MACHINES]
    for width in (None, 80, 200):
        expected = list(machine_lines(described, NOW, width, every=False))
        assert list(lines_of_pages(iter(cut), width)) == expected


def test_only_the_first_page_tells_of_the_whole_list() -> None:
    first, second, *_ = pages(ENTRIES, 2)
    assert (first["passing"], first["widths"]["name"], first["widths"]["MACs"]) == (1, len("arda-01"), 36)
    assert set(second) == {"rows", "next"}


def test_nobody() -> None:
    assert list(lines_of_pages(iter(pages([], 5)), None)) == ["No machines yet; boot one from the network."]
