"""What the page's buttons do, who is on record for it, and what they do not do."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from structlog.testing import capture_logs
from support.browser import PASSWORD, Browser
from support.fleets import CONFIGURED, fleet_of
from support.hostile import QUOTES, SCRIPT
from support.html import Page
from support.page_site import PageSite
from support.web import Response

from iluvatar_pxe.admin.describe import describe
from iluvatar_pxe.events import EventKind
from iluvatar_pxe.machines.boots import Stage
from iluvatar_pxe.machines.model import Machine
from iluvatar_pxe.machines.states import Intent
from iluvatar_pxe.web.login.logins import Logins
from iluvatar_pxe.web.pages.actions import ACTIONS, BY_NAME
from iluvatar_pxe.web.render import Renderer
from iluvatar_pxe.web.visitor import Visitor, look_as

LISTED, FREE, SWITCHED = (f"52:54:00:65:00:{number}" for number in ("01", "02", "09"))
WAITS = "52:54:00:65:00:04"
BY = "web (127.0.0.1)"


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PageSite]:
    directory: Path = tmp_path_factory.mktemp("page")
    Logins(directory / "web").set_password(PASSWORD)
    switched = ("switched", SWITCHED, "chain: local\npower: {command: {program: plug}}\n")
    fleet = fleet_of(("one", LISTED, "chain: local\n"), switched, arda=CONFIGURED)
    with PageSite(directory, fleet) as running:
        yield running


@pytest.fixture(scope="module")
def ada(site: PageSite) -> Browser:
    browser = Browser(site.port)
    assert browser.log_in().status == 303
    return browser


@pytest.fixture
def listed(site: PageSite) -> Machine:
    return site.sees(LISTED, Stage.SCRIPT)


def now(site: PageSite, machine: Machine) -> Machine | None:
    return site.inventory.snapshot.by_id.get(machine.id)


def act(browser: Browser, machine: Machine | str, action: str, **form: str) -> Response:
    place = machine if isinstance(machine, str) else machine.id
    return browser.post(f"/machines/{place}/{action}", {"csrf": browser.csrf, **form})


def said(browser: Browser, answer: Response) -> list[str]:
    """Return what the page says to which the browser is led; P's page of a machine is not there yet."""
    assert answer.status == 303
    _, _, query = answer.headers["location"].partition("?")
    return Page(browser.get(f"/login?{query}").text).texts("p", role="status")


def test_a_hold_and_its_release_are_on_record(site: PageSite, ada: Browser, listed: Machine) -> None:
    with capture_logs() as log:
        answer = act(ada, listed, "hold", why="new fan")
    assert answer.headers["location"].startswith(f"/machines/{listed.id}?said=")
    assert said(ada, answer) == ["one is held from its next boot"]
    assert said(ada, answer) == [], "once"
    held = now(site, listed)
    assert held
    assert (held.directive.intent, held.directive.by, held.directive.why) == (Intent.HOLD, BY, "new fan")
    (line,) = [one for one in log if one["event"] == "web"]
    assert (line["by"], line["done"]) == (BY, "one is held from its next boot")
    (event,) = [one for one in site.events.after(0) if one.kind is EventKind.ACTION]
    assert (event.subject, event.words) == (BY, f"{BY}: one is held from its next boot")
    assert said(ada, act(ada, "one", "release")) == ["one is released"]


def test_what_loses_something_asks_for_the_name(site: PageSite, ada: Browser, listed: Machine) -> None:
    for action in sorted(BY_NAME):
        for name in ("", "two", "on", str(listed.id)):
            answer = act(ada, listed, action, name=name)
            assert answer.status == 409
            assert Page(answer.text).texts("p", role="alert") == ["that is not one; nothing was changed"]
    assert now(site, listed) == listed
    assert said(ada, act(ada, listed, "reinstall", name="One ")) == ["one is reinstalled at its next boot"]
    assert act(ada, listed, "forget", name="one").headers["location"].startswith("/?said=")
    assert now(site, listed) is None


def test_one_that_waits_is_let_in(site: PageSite, ada: Browser) -> None:
    machine = site.sees(FREE, Stage.SCRIPT)
    assert said(ada, act(ada, machine, "let-in", layer="arda")) == [
        "arda-01 is controlplane of arda, assigned, intent boot"
    ]
    after = now(site, machine)
    assert after
    assert after.assignment
    assert after.assignment.rule == f"set by {BY}"


@pytest.mark.parametrize(
    ("machine", "action", "form", "status", "why"),
    [
        ("nobody", "hold", {}, 404, "no machine has this name, MAC or ID"),
        (f"{SCRIPT.replace('/', '')}", "hold", {}, 404, "no machine has this name, MAC or ID"),
        (LISTED, "let-in", {"layer": "arda"}, 409, "lists it and takes precedence"),
        (LISTED, "let-in", {"layer": SCRIPT}, 409, "layer: "),
        (LISTED, "rename", {"new": QUOTES}, 409, "not a host name"),
        (LISTED, "rename", {"new": "two"}, 409, "no daemon is running"),
    ],
)
@pytest.mark.usefixtures("listed")
def test_what_cannot_be_done_is_told(
    ada: Browser, machine: str, action: str, form: dict[str, str], status: int, why: str
) -> None:
    answer = act(ada, machine, action, **form)
    assert answer.status == status
    (told,) = Page(answer.text).texts("p", role="alert")
    assert why in told


def test_the_window_is_opened_and_closed(site: PageSite, ada: Browser) -> None:
    for minutes in ("", "0", "-1", "x", "9" * 30, "9" * 5000, "1.5"):
        assert ada.post("/enrolment/open", {"csrf": ada.csrf, "minutes": minutes}).status == 409
    answer = ada.post("/enrolment/open", {"csrf": ada.csrf, "minutes": "30"})
    shown = Page(ada.get(answer.headers["location"]).text)
    assert shown.texts("p", role="status") == ["the enrolment window is open"]
    assert [one for one in shown.texts("p") if one.endswith(f"more, by {BY}.")]
    assert "Close it" in shown.texts("button")
    assert "Close it" not in Browser(site.port).get("/enrolment").text
    assert site.inventory.window.opened_by == BY
    assert said(ada, ada.post("/enrolment/close", {"csrf": ada.csrf})) == ["the enrolment window is closed"]


def test_the_page_of_enrolment_tells_who_waits(site: PageSite, monkeypatch: pytest.MonkeyPatch) -> None:
    fleet = fleet_of(arda=CONFIGURED, fleet="rules: [{match: {manufacturer: Dell}, layer: arda}]\n")
    monkeypatch.setattr(site, "fleet", fleet)
    site.sees(WAITS, Stage.SCRIPT, manufacturer="Dell", product=SCRIPT, serial="1")
    waiting, refused = Page(Browser(site.port).get("/enrolment").text).texts("li")
    assert waiting == f"{WAITS} Dell {SCRIPT}"
    assert refused == "None."


@pytest.mark.parametrize("place", [*(f"/machines/one/{action}" for action in ACTIONS), "/enrolment/open"])
def test_nobody_changes_anything_who_may_not(
    site: PageSite, ada: Browser, listed: Machine, place: str
) -> None:
    form = {"name": "one", "new": "two", "layer": "arda", "minutes": "30"}
    assert Browser(site.port).post(place, form).status == 401
    assert ada.post(place, form).status == 403, "no CSRF token"
    assert ada.post(place, {**form, "csrf": ada.csrf}, Origin="http://127.0.0.1:1").status == 403
    assert ada.get(place).status in {404, 405}
    assert now(site, listed) == listed
    assert not site.inventory.window.is_open


def test_whose_session_has_ended_is_led_to_the_login_and_back(site: PageSite, listed: Machine) -> None:
    answer = Browser(site.port).post(f"/machines/{listed.id}/hold")
    (link,) = [
        one for one in Page(answer.text).all("a") if one.text == "Log in" and "class" not in one.attributes
    ]
    assert link.attributes["href"] == f"/login?next=/machines/{listed.id}"


def test_nobody_puts_words_into_the_pages_mouth(ada: Browser) -> None:
    assert Page(ada.get(f"/login?said={SCRIPT}").text).texts("p", role="status") == []


def test_a_machine_is_switched_by_what_its_file_names(site: PageSite, ada: Browser) -> None:
    machine = site.sees(SWITCHED, Stage.SCRIPT)
    shown = buttons(machine, site, Visitor(csrf="token"))
    asked = [one.attributes["value"] for one in shown.all("button", name="do")]
    assert asked == ["status", "on", "network", "cycle", "off"]
    for do in asked:
        (told,) = Page(act(ada, machine, "power", do=do).text).texts("p", role="alert")
        assert told == "no daemon is running; start it: iluvatar-pxe serve"
    (told,) = Page(act(ada, machine, "power", do=SCRIPT).text).texts("p", role="alert")
    assert told.startswith("action: Input should be 'on', 'off', 'cycle'")
    (told,) = Page(act(ada, machine, "wake").text).texts("p", role="alert")
    assert told == "no daemon is running; start it: iluvatar-pxe serve"


def buttons(machine: Machine, site: PageSite, visitor: Visitor) -> Page:
    look_as(visitor)
    told = describe(machine, site.fleet)
    return Page(Renderer().text("_actions.html", machine=told, layers=sorted(site.fleet.layers)))


def test_only_who_is_logged_in_sees_buttons(site: PageSite, listed: Machine) -> None:
    assert buttons(listed, site, Visitor(login_url="/login?next=/x")).texts("a") == ["Log in"]
    shown = buttons(listed, site, Visitor(csrf="token"))
    places = [one.attributes["action"].rpartition("/")[2] for one in shown.all("form")]
    assert places == ["hold", "release", "wake", "rename", "reinstall", "forget"]
    assert len(shown.all("input", name="csrf", value="token")) == len(places)
    stranger = buttons(site.sees("52:54:00:65:00:03", Stage.SCRIPT), site, Visitor(csrf="token"))
    assert stranger.texts("option") == ["arda"]
    ids = {one.attributes["for"] for one in shown.all("label") if "for" in one.attributes}
    assert ids <= {one.attributes.get("id") for one in shown.all("input")}
