"""What a browser loads: little, and nothing from elsewhere."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.fleets import fleet_of
from support.page_site import PageSite

from iluvatar_pxe.admin.machine_list import PAGE
from iluvatar_pxe.machines.boots import Stage

WEB = Path(__file__).parents[2] / "iluvatar_pxe" / "web"
STATIC = sorted((WEB / "static").iterdir())
MOST = 150_000
MAC = "52:54:00:64:00:01"
ADDRESS = re.compile(r"(?:https?:)?//[\w.-]+\.\w+")
NAMESPACES = ("http://www.w3.org",)
"""Names of vocabularies, which are never fetched."""


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PageSite]:
    with PageSite(tmp_path_factory.mktemp("page"), fleet_of()) as running:
        for number in range(PAGE + 1):
            told = {"manufacturer": "M" * 40, "product": "P" * 40, "serial": f"S{number}"}
            running.sees(f"02:00:00:00:00:{number:02x}", Stage.KERNEL, **told)
        for _ in range(6):
            for stage in Stage:
                running.sees(MAC, stage, "x" * 80)
        yield running


@pytest.mark.parametrize("path", ["/", f"/machines/{MAC}"])
def test_a_full_page_and_all_that_it_loads_are_small(site: PageSite, path: str) -> None:
    status, html = site.get(path)
    assert status == 200
    assert len(html.encode()) + sum(one.stat().st_size for one in STATIC) <= MOST


@pytest.mark.parametrize(
    "file", [*STATIC, *sorted((WEB / "templates").iterdir())], ids=lambda file: str(file.name)
)
def test_nothing_names_another_host(file: Path) -> None:
    found = ADDRESS.findall(file.read_text(encoding="utf-8"))
    assert [one for one in found if not one.startswith(NAMESPACES)] == []


def test_all_files_are_served_and_kept_by_their_tag(site: PageSite) -> None:
    for file in STATIC:
        assert site.get(f"/static/{file.name}")[0] == 200
    assert site.get("/static/..%2Frender.py")[0] == 404
