"""Machines boot while the database is locked or damaged: those that the fleet lists; others wait, and are told why."""

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.fleets import ARDA
from support.stations import Site, Station, site
from support.waiting import wait_until

from iluvatar_pxe.lab.daemon import STATE

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="needs root: network namespaces")

FILES = {
    "fleet.yaml": "rules: [{match: {product: Newcomer}, layer: arda, role: worker, config: configs/one.yaml}]\n",
    "layers/arda.yaml": ARDA,
    "machines/one.yaml": (
        'match: {macs: ["52:54:00:77:01:01"]}\nchain: talos\nconfig: configs/one.yaml\nrole: worker\n'
    ),
    "configs/one.yaml": "machine: {}\n",
}
LOCK = (
    "import sqlite3, sys, threading; sqlite3.connect(sys.argv[1]).execute('BEGIN EXCLUSIVE'); "
    "print('locked'); threading.Event().wait()"
)
DAMAGE = b"this is no database" * 1000


@pytest.fixture
def lan() -> Iterator[Site]:
    with site() as built:
        built.namespace.outside(STATE).mkdir()
        yield built


@pytest.fixture
def listed(lan: Site) -> Station:
    return lan.add("listed", 1)


def database(lan: Site) -> Path:
    return lan.namespace.outside(STATE) / "inventory.db"


def is_ready(station: Station) -> bool:
    return station.get("/readyz").status == 200


def test_a_locked_database_stops_no_listed_machine(lan: Site, listed: Station) -> None:
    locker = lan.namespace.start("locker", [sys.executable, "-uc", LOCK, str(STATE / "inventory.db")])
    locker.wait_for("locked", 30)
    daemon = lan.start(FILES)
    assert listed.get(listed.boots().ticket).text == "machine: {}\n"
    assert "it is locked by another program" in listed.get("/readyz").text
    locker.stop()
    wait_until(lambda: is_ready(listed), "the database to be well again")
    assert daemon.stop() == 0
    assert lan.rows("SELECT reached FROM machines") == [("config",)]


def test_a_damaged_database_is_said_kept_and_moved_aside_only_when_told(lan: Site, listed: Station) -> None:
    newcomer = lan.add("newcomer", 2)
    database(lan).write_bytes(DAMAGE)
    lan.start(FILES)
    assert "damaged" in listed.get("/readyz").text
    assert listed.get(listed.boots().ticket).text == "machine: {}\n"
    held = newcomer.boots(product="Newcomer")
    assert "waits." in held.text
    assert "damaged" in held.text
    assert database(lan).read_bytes() == DAMAGE
    lan.command("db", "set-aside", "--yes")
    wait_until(lambda: is_ready(listed), "a new database")
    (aside,) = database(lan).parent.glob("inventory.db.*damaged*")
    assert aside.read_bytes() == DAMAGE
    lan.command("enrol", "open", "30m")
    assert "Press any key" in newcomer.asks_what_to_boot(product="Newcomer").text
    assert lan.rows("SELECT count(*) FROM machines") == [(2,)]
