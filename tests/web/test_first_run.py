"""What the page says while no machine was seen, and that it goes with the first one."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from support.html import Page
from support.page_site import PageSite
from support.page_stream import Stream, stream_of

MAC = "52:54:00:64:00:01"
MISSING = "arda: kernel-amd64 is missing"


@pytest.fixture
def site(tmp_path: Path) -> Iterator[PageSite]:
    with PageSite(tmp_path, boot=[MISSING]) as running:
        yield running


def test_it_says_what_to_do_next(site: PageSite) -> None:
    page = Page(site.get("/")[1])
    assert page.texts("h3") == ["A PC", "A Raspberry Pi", "Without hardware"]
    assert "sudo make demo" in page.texts("pre")
    assert page.texts("p", id="summary") == ["None known yet."]


def test_it_says_what_would_keep_a_machine_from_booting(site: PageSite) -> None:
    assert Page(site.get("/")[1]).texts("p", **{"class": "problem"}) == [MISSING]


def test_it_goes_with_the_first_machine(site: PageSite) -> None:
    stream = Stream(site, stream_of(site, "/"))
    site.sees(MAC)
    assert not Page(stream.until("first-run")).texts("h2")
    assert MAC in Page(stream.until("list")).texts("th", scope="row")
    stream.close()
    assert Page(site.get("/")[1]).texts("h2") == ["Coming up", "All machines"]
