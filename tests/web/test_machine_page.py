"""The page of one machine as it is served."""

from collections.abc import Iterator

import pytest
from support.fleets import fleet_of
from support.hostile import SCRIPT
from support.html import Page
from support.page_site import PageSite

from iluvatar_pxe.machines.boots import Happening, Stage

MAC = "52:54:00:64:00:01"


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PageSite]:
    directory = tmp_path_factory.mktemp("page")
    with PageSite(directory, fleet_of(("arda-01", MAC, "layer: arda\nrole: worker\n"))) as running:
        for stage in (Stage.DISCOVER, Stage.KERNEL, Stage.INITRAMFS, Stage.JOINED):
            running.sees(MAC, stage, "an earlier file", manufacturer="Dell", product=SCRIPT)
        for stage in (Stage.DISCOVER, Stage.INITRAMFS):
            machine = running.sees(MAC, stage, SCRIPT)
        running.run(lambda: running.inventory.note(machine.id, Happening.FAULT, f"etcd {SCRIPT}"))
        yield running


@pytest.fixture
def page(site: PageSite) -> Page:
    status, html = site.get("/machines/arda-01")
    assert status == 200
    return Page(html)


def test_a_machine_goes_by_its_name_its_mac_and_its_id(site: PageSite) -> None:
    machine = site.inventory.snapshot.machine(MAC)
    assert machine
    for name in ("arda-01", MAC.replace(":", "-"), MAC, str(machine.id)):
        assert Page(site.get(f"/machines/{name}")[1]).texts("h1") == ["arda-01"]


@pytest.mark.parametrize("name", ["nobody", "%3Cscript%3E", "52:54:00:00:00:00"])
def test_a_machine_that_is_not_there_is_404_with_the_reason(site: PageSite, name: str) -> None:
    status, html = site.get(f"/machines/{name}")
    assert status == 404
    assert Page(html).texts("h1") == ["No such machine"]


def test_this_boot_is_above_the_earlier_ones_and_says_what_it_lacks(page: Page) -> None:
    rows = [one.text for one in page.all("p", **{"class": "boot-words"})]
    assert [one.split(" 20")[0] for one in rows] == ["Boot 2", "Boot 1"]
    assert rows[0].endswith("missing: kernel")
    assert len(page.all("svg", **{"class": "track"})) == 2


def test_a_table_says_the_same_as_the_picture(page: Page) -> None:
    parts = page.texts("th", scope="row")
    assert parts == ["DHCP", "kernel", "initramfs", "joined"]
    cells = page.texts("td")
    assert "missing" in cells
    assert "to come" in cells


def test_all_that_happened_is_told_and_stays_text(page: Page) -> None:
    told = page.texts("li")
    assert any(one.endswith(f"initramfs {SCRIPT}") for one in told)
    assert any(one.endswith(f"fault etcd {SCRIPT}") for one in told)
    assert sum("an earlier file" in one for one in told) == 4
    assert all(one.attributes.get("src") for one in page.all("script"))


def test_identity_is_told(page: Page) -> None:
    facts = page.texts("dd")
    assert MAC in facts
    assert f"Dell {SCRIPT}" in facts
