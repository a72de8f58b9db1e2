"""The views for people with ``sqlite3``."""

from collections.abc import Iterator
from datetime import timedelta
from ipaddress import IPv4Address
from pathlib import Path

import pytest
from inventory.samples import NOW, batch, event, machine, rows, url_of

from iluvatar_pxe.inventory.database.store import Store
from iluvatar_pxe.machines.boots import Happening, Stage
from iluvatar_pxe.machines.states import Assignment, Directive, Intent, Phase, Role
from iluvatar_pxe.values import replace

GIVEN = Assignment(name="arda-01", layer="arda", role=Role.WORKER, rule="rule 1 of fleet.yaml", at=NOW)


@pytest.fixture
def store(file: Path) -> Iterator[Store]:
    opened = Store(url_of(file))
    opened.open()
    yield opened
    opened.close()


def test_the_overview_says_the_most_important_things_first(store: Store, file: Path) -> None:
    named = machine(
        2,
        macs=("52:54:00:00:00:0b", "52:54:00:00:00:0a"),
        manufacturer="LENOVO",
        product="10AAA01234 ThinkCentre M93p Tiny",
        serial="PC01",
        address=IPv4Address("192.168.1.7"),
        generation=3,
        phase=Phase.ASSIGNED,
        directive=Directive(Intent.HOLD, "anna", "disk swapped"),
        conflict="x" * 100,
        assignment=GIVEN,
    )
    store.write(batch([machine(1), named], [event(1), event(2, generation=3)]))
    overview = (
        "SELECT name, layer, role, phase, intent, conflict, macs, address, make, serial, boots, reached"
    )
    assert rows(file, f"{overview}, last_seen, last_boot FROM machine_overview") == [
        (
            "arda-01",
            "arda",
            "worker",
            "assigned",
            "hold (anna: disk swapped)",
            "x" * 39 + "…",
            "52:54:00:00:00:0b 52:54:00:00:00:0a",
            "192.168.1.7",
            "LENOVO 10AAA01234 ThinkCentre ",
            "PC01",
            3,
            "nbp",
            "2026-11-22T18:30:00Z",
            "2026-11-22T18:30:00Z",
        ),
        ("", "", "", "discovered", "boot", "", "52:54:00:00:00:01", "", "", "", 1, "nbp")
        + ("2026-11-22T18:30:00Z",) * 2,
    ]


@pytest.mark.parametrize(
    ("directive", "shown"),
    [
        (Directive(), "boot"),
        (Directive(Intent.REINSTALL, "anna"), "reinstall (anna)"),
        (Directive(Intent.LOCAL, "anna", "refused at the screen"), "local (anna: refused at the screen)"),
    ],
)
def test_the_overview_says_who_wants_it_and_why(
    store: Store, file: Path, directive: Directive, shown: str
) -> None:
    store.write(batch([machine(directive=directive)]))
    assert rows(file, "SELECT intent FROM machine_overview") == [(shown,)]


def test_the_timeline_counts_seconds_from_the_boot_s_start(store: Store, file: Path) -> None:
    later = NOW + timedelta(seconds=2.5)
    store.write(
        batch(
            [machine()],
            [event(stage=Stage.DISCOVER), event(at=later, cause="asked", stage=Happening.UNTRUSTED)],
        )
    )
    timeline = "SELECT machine, boot, seconds, stage, detail, bytes, ms, cause, mac FROM boot_timeline"
    assert rows(file, timeline) == [
        ("52:54:00:00:00:01", 1, 0.0, "discover", "ipxe.efi", 1024, 12.5, "", "52:54:00:00:00:01"),
        ("52:54:00:00:00:01", 1, 2.5, "untrusted", "ipxe.efi", 1024, 12.5, "asked", "52:54:00:00:00:01"),
    ]
    store.write(batch([replace(machine(), assignment=GIVEN)]))
    assert rows(file, "SELECT DISTINCT machine, mac FROM boot_timeline") == [("arda-01", "52:54:00:00:00:01")]
