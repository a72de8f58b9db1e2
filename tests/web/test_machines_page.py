"""The page *Machines* as it is served: what it tells, and that nothing a machine says of itself becomes markup."""

from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlencode

import pytest
from support.fleets import fleet_of
from support.hostile import SCRIPT
from support.html import Page
from support.page_site import PageSite

from iluvatar_pxe.machines.boots import Stage

LISTED, KNOWN, NEW = "52:54:00:64:00:01", "52:54:00:64:00:02", "52:54:00:64:00:03"


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PageSite]:
    directory: Path = tmp_path_factory.mktemp("page")
    with PageSite(directory, fleet_of(("arda-01", LISTED, "layer: arda\nrole: controlplane\n"))) as running:
        for stage in Stage:
            running.sees(LISTED, stage, manufacturer="Dell", product="7050")
        running.sees(KNOWN, Stage.KERNEL, manufacturer="Evil", product=SCRIPT, serial="1")
        running.sees(NEW)
        yield running


def page(site: PageSite, path: str = "/") -> Page:
    status, html = site.get(path)
    assert status == 200
    return Page(html)


def rows(site: PageSite, path: str = "/") -> list[str]:
    return page(site, path).texts("th", scope="row")


def test_machines_are_in_order_of_their_names_and_new_hardware_is_among_them(site: PageSite) -> None:
    assert rows(site) == ["arda-01", KNOWN, NEW]


def test_a_row_tells_place_state_and_what_it_does(site: PageSite) -> None:
    place, state, doing, *_ = page(site).texts("td")
    assert (place, state) == ("control plane of arda", "joined")
    assert doing.startswith("is in its cluster, ")
    assert page(site).all("span", **{"class": "status ok"})


def test_those_that_boot_now_are_on_top_with_the_steps_of_their_boot(site: PageSite) -> None:
    shown = page(site)
    assert shown.texts("h3") == [NEW, KNOWN]
    assert len(shown.all("li", **{"class": "done"})) == 1 + 4
    assert shown.texts("li").count("initramfs: to come") == 2


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("words=ARDA", ["arda-01"]),
        ("words=evil", [KNOWN]),
        ("words=00:02", [KNOWN]),
        ("words=nobody", []),
        ("phase=joined", ["arda-01"]),
        ("layer=arda&role=controlplane", ["arda-01"]),
        ("role=worker", []),
        ("attention=on", []),
        ("page=9&words=%00", []),
        ("page=x", ["arda-01", KNOWN, NEW]),
    ],
)
def test_the_filter_leaves(site: PageSite, query: str, found: list[str]) -> None:
    assert rows(site, f"/?{query}") == found


def test_what_a_machine_says_of_itself_stays_text(site: PageSite) -> None:
    seen = page(site, f"/?{urlencode({'words': SCRIPT})}")
    assert {one.attributes["src"] for one in seen.all("script")} == {
        f"/static/{name}" for name in ("htmx.min.js", "sse.min.js", "page.js")
    }
    assert any(SCRIPT in one for one in seen.texts("p"))
    assert seen.all("input", type="search")[0].attributes["value"] == SCRIPT
