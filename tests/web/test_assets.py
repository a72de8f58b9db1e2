"""The page *Assets* as HTML."""

from support.hostile import SCRIPT
from support.html import Page

from iluvatar_pxe.admin.assets import asset_data
from iluvatar_pxe.admin.data import Data
from iluvatar_pxe.assets.status import AssetStatus
from iluvatar_pxe.catalogue.download import Download, FirstUse
from iluvatar_pxe.catalogue.progress import Progress, State
from iluvatar_pxe.web.pages.assets import MOVING_SECONDS, RESTING_SECONDS, page_of
from iluvatar_pxe.web.render import Renderer


def file(name: str, state: State, *, done: int = 0, size: int | None = None, trouble: str = "") -> Data:
    download = Download(name=name, version="1.13", urls=(), check=FirstUse(), wanted_by=("arda",))
    return asset_data(
        AssetStatus(
            download=download,
            progress=Progress(state=state, done=done, size=size, trouble=trouble),
            failures=0,
        )
    )


def page(*files: Data) -> Page:
    return Page(Renderer().text("assets.html", **page_of(list(files))))


def test_a_file_that_comes_has_a_bar() -> None:
    shown = page(file("kernel", State.LOADING, done=250, size=1000), file("initrd", State.READY, size=9))
    (bar,) = shown.all("progress")
    assert bar.attributes == {"max": "1000", "value": "250", "aria-label": "kernel"}
    assert "loading, 25% of 1.0 kB" in shown.texts("td")
    assert shown.texts("h2") == ["Coming", "There"]
    assert "1 file, 9 B" in shown.texts("p")
    assert shown.all("div", id="files")[0].attributes["hx-trigger"] == f"every {MOVING_SECONDS}s"


def test_a_file_that_does_not_come_says_why_and_is_not_asked_about_often() -> None:
    shown = page(file("kernel", State.WAITING, trouble=f"kernel: {SCRIPT}"))
    assert f"waiting to try again{SCRIPT}" in shown.texts("td")
    assert not any(shown.texts("script"))
    assert [one.text for one in shown.all("tr", **{"class": "problem"})]
    assert shown.all("div", id="files")[0].attributes["hx-trigger"] == f"every {RESTING_SECONDS}s"


def test_a_name_stays_text() -> None:
    shown = page(file(SCRIPT, State.READY), file(f"{SCRIPT}2", State.LOADING, size=3))
    assert not any(shown.texts("script"))
    assert shown.texts("th", scope="row") == [f"{SCRIPT}2 1.13", f"{SCRIPT} 1.13"]


def test_nothing_is_wanted() -> None:
    assert "The fleet wants no files." in page().texts("p")
