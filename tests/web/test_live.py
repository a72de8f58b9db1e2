"""Live pages, with a real client on loopback: what changes is sent, as the page would show it, and nothing else."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from support.fleets import fleet_of
from support.html import Page
from support.page_site import PageSite
from support.page_stream import Stream, stream_of
from support.waiting import wait_until

from iluvatar_pxe.machines.boots import Stage

LISTED, KNOWN, NEW = "52:54:00:64:00:01", "52:54:00:64:00:02", "52:54:00:64:00:03"


@pytest.fixture
def site(tmp_path: Path) -> Iterator[PageSite]:
    with PageSite(tmp_path, fleet_of(("arda-01", LISTED, "layer: arda\n"))) as running:
        running.sees(LISTED, Stage.JOINED)
        running.sees(KNOWN, Stage.KERNEL)
        yield running


def id_of(site: PageSite, mac: str) -> str:
    machine = site.inventory.snapshot.machine(mac)
    assert machine
    return str(machine.id)


def test_new_hardware_comes_onto_the_page_with_its_first_discover(site: PageSite) -> None:
    stream = Stream(site, stream_of(site, "/"))
    site.sees(NEW)
    assert NEW in Page(stream.until("coming-up")).texts("h3")
    assert NEW in Page(stream.until("list")).texts("th", scope="row")
    stream.close()


def test_a_page_gets_only_what_differs_from_what_it_shows(site: PageSite) -> None:
    stream = Stream(site, stream_of(site, "/"))
    site.sees(KNOWN, Stage.INITRAMFS)
    names = {stream.event()[0], stream.event()[0]}
    assert names == {f"c-{id_of(site, KNOWN)}", f"m-{id_of(site, KNOWN)}"}
    stream.close()


def test_a_page_that_is_older_than_its_stream_gets_what_it_missed(site: PageSite) -> None:
    address = stream_of(site, "/")
    site.sees(KNOWN, Stage.INITRAMFS)
    stream = Stream(site, address)
    assert "has its initramfs" in stream.until(f"m-{id_of(site, KNOWN)}")
    stream.close()


@pytest.mark.parametrize("mark", ["1", "<script>", "9" * 4000])
def test_who_comes_back_gets_everything_whatever_it_says_it_had_last(site: PageSite, mark: str) -> None:
    stream = Stream(site, stream_of(site, "/"), Last_Event_ID=mark)
    assert [stream.event()[0] for _ in range(3)] == ["summary", "first-run", "coming-up"]
    stream.close()


def test_a_filter_holds_for_the_stream_too(site: PageSite) -> None:
    stream = Stream(site, stream_of(site, "/?words=arda"))
    site.sees(KNOWN, Stage.INITRAMFS)
    site.sees(LISTED, Stage.DISCOVER)
    row = f"m-{id_of(site, LISTED)}"
    seen = [stream.event()[0]]
    while seen[-1] != row:
        seen.append(stream.event()[0])
    assert f"m-{id_of(site, KNOWN)}" not in seen
    stream.close()


def test_a_machines_page_follows_its_boot(site: PageSite) -> None:
    stream = Stream(site, stream_of(site, f"/machines/{KNOWN}"))
    site.sees(KNOWN, Stage.INITRAMFS, "the file")
    wanted = {"head": "has its initramfs", "boots": "initramfs", "events": "the file"}
    while wanted:
        name, data = stream.event()
        if name in wanted and wanted[name] in data:
            del wanted[name]
    stream.close()


@pytest.mark.parametrize("path", ["/live/machines/nobody", "/live/machines/%00"])
def test_what_is_no_machine_has_no_stream(site: PageSite, path: str) -> None:
    stream = Stream(site, path)
    assert stream.answer.status == 404
    stream.close()


def test_views_that_nobody_looks_at_any_more_are_forgotten(site: PageSite) -> None:
    streams = [Stream(site, f"/live/machines?words={number}") for number in ("a", "a", "b")]
    for one in streams:
        one.event()
    assert len(site.site.live) == 2
    for one in streams:
        one.close()
    site.sees(NEW)
    wait_until(lambda: not len(site.site.live), "the streams to end")
