"""Machines come up while a person watches the page, and an operator acts, in a real browser."""

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect
from support.browser import PASSWORD
from support.chromium import chromium
from support.daemon import Daemon
from support.fleets import INITRAMFS, KERNEL, fleet_of
from support.hosted import FILES
from support.page_site import PageSite
from support.waiting import PATIENCE, wait_until

from iluvatar_pxe.gitops.secrets.tokens import Right, Tokens
from iluvatar_pxe.machines.boots import Stage
from iluvatar_pxe.settings.model import Settings
from iluvatar_pxe.web.login.logins import Logins

LISTED, STRANGER, KNOWN = "52:54:00:64:00:01", "02:00:00:64:00:02", "02:00:00:64:00:03"
FLEET = "enrolment: {mode: hold, countdown: 1}\n"
STAGES = {
    Stage.DISCOVER: "DHCP",
    Stage.NBP: "program",
    Stage.SCRIPT: "script",
    Stage.KERNEL: "kernel",
    Stage.INITRAMFS: "initramfs",
    Stage.CONFIG: "configuration",
    Stage.INSTALLING: "install",
    Stage.RUNNING: "running",
    Stage.JOINED: "joined",
}
"""Of a boot, and the part of its picture that each adds."""
CUT = """[...document.querySelectorAll("header :is(a, button)")].filter(one =>
    !one.matches(".skip") && one.getBoundingClientRect().right > innerWidth).map(one => one.innerText)"""
"""What of the page's head lies beyond the edge."""
LINES = """one => { const all = document.createRange(); all.selectNodeContents(one);
    return all.getClientRects().length; }"""
SIZES = {"phone": (390, 844), "desktop": (1280, 800)}


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as running:
        yield running


@contextmanager
def open_page(browser: Browser, size: str = "desktop", scheme: str = "light") -> Iterator[Page]:
    """Yield a page of a new browser profile, which fails the test for every error of a script."""
    width, height = SIZES[size]
    context = browser.new_context(
        viewport={"width": width, "height": height},
        color_scheme="dark" if scheme == "dark" else "light",
        ignore_https_errors=True,
    )
    context.set_default_timeout(PATIENCE * 1000)
    expect.set_options(timeout=PATIENCE * 1000)
    faults: list[str] = []
    page = context.new_page()
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.on("console", lambda said: faults.append(said.text) if "Content Security" in said.text else None)
    try:
        yield page
    finally:
        context.close()
    assert faults == []


@pytest.fixture(scope="module")
def daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    directory = tmp_path_factory.mktemp("daemon")
    running = Daemon(directory, {"simulate": {"as_real": True}})
    listed = f'match: {{macs: ["{LISTED}"]}}\nlayer: arda\nrole: worker\n'
    for place, files in (
        (running.fleet, {**FILES, "fleet.yaml": FLEET, "machines/arda-01.yaml": listed}),
        (running.assets, dict.fromkeys((KERNEL, INITRAMFS), "boot file")),
    ):
        for name, text in files.items():
            (place / name).parent.mkdir(parents=True, exist_ok=True)
            (place / name).write_text(text or "", encoding="utf-8")
    with running:
        Logins(running.state / "web").set_password(PASSWORD)
        yield running


@contextmanager
def plugged_in(daemon: Daemon, mac: str) -> Iterator[None]:
    """Play a machine's firmware meanwhile."""
    command = [
        sys.executable,
        "-m",
        "iluvatar_pxe",
        "simulate",
        "ipxe",
        "--mac",
        mac,
        "--server",
        "127.0.0.1",
    ]
    config = daemon.state.parent / "config.toml"
    with subprocess.Popen([*command, "--config", str(config)], stdout=subprocess.DEVNULL) as process:
        try:
            yield
        finally:
            process.terminate()


@pytest.fixture
def known(daemon: Daemon) -> dict[str, str]:
    """A machine that the daemon knows."""
    with plugged_in(daemon, KNOWN):
        return wait_until(
            lambda: [one for one in machines(daemon) if KNOWN in one["macs"]], "it to be known"
        )[0]


def log_in(page: Page, daemon: Daemon) -> None:
    page.goto(f"https://127.0.0.1:{daemon.tls_port}/login?next=/")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Log in").click()
    page.get_by_role("button", name="Log out").wait_for()


def test_a_simulated_machine_appears_and_comes_up_without_a_reload(browser: Browser, daemon: Daemon) -> None:
    with open_page(browser, "phone") as page:
        page.goto(f"http://127.0.0.1:{daemon.http_port}/")
        expect(page.get_by_role("heading", name="Nothing was seen yet")).to_be_visible()
        with plugged_in(daemon, LISTED):
            page.get_by_role("link", name="arda-01").first.click()
            page.evaluate("window.isTheSame = true")
            expect(page.get_by_role("row").filter(has_text="configuration").first).to_be_visible()
            expect(page.get_by_text("has its configuration").first).to_be_visible()
            assert page.evaluate("window.isTheSame")


def test_a_boot_is_watched_through_every_stage(browser: Browser, tmp_path: Path) -> None:
    fleet = fleet_of(("arda-01", LISTED, "layer: arda\n"))
    with PageSite(tmp_path, fleet) as site, open_page(browser) as page:
        machine = site.sees(LISTED)
        page.goto(f"http://127.0.0.1:{site.port}/machines/{machine.id}")
        page.evaluate("window.isTheSame = true")
        for stage, part in STAGES.items():
            site.sees(LISTED, stage)
            expect(page.get_by_role("rowheader", name=part, exact=True)).to_be_visible()
        expect(page.get_by_text("joined").first).to_be_visible()
        assert page.evaluate("window.isTheSame")


def test_an_operator_lets_in_holds_releases_and_reinstalls(browser: Browser, daemon: Daemon) -> None:
    with open_page(browser) as page, plugged_in(daemon, STRANGER):
        log_in(page, daemon)
        page.get_by_role("link", name=STRANGER).first.click()
        page.get_by_label("Let in as a machine of").select_option("arda")
        page.get_by_role("button", name="Let in").click()
        expect(page.get_by_role("heading", level=1)).not_to_have_text(STRANGER)
        name = page.get_by_role("heading", level=1).inner_text()
        page.get_by_label("Hold at its next boot, because").fill("new <b>RAM</b>")
        page.get_by_role("button", name="Hold").click()
        expect(page.get_by_role("main")).to_contain_text("new <b>RAM</b>")
        page.get_by_role("button", name="Release").click()
        expect(page.get_by_role("main")).to_contain_text("is released")
        page.get_by_text("Reinstall", exact=True).first.click()
        page.locator("#reinstall-name").fill("another")
        page.get_by_role("button", name="Reinstall").click()
        expect(page.get_by_role("alert")).to_be_visible()
        page.go_back()
        page.get_by_text("Reinstall", exact=True).first.click()
        page.locator("#reinstall-name").fill(name)
        page.get_by_role("button", name="Reinstall").click()
        expect(page.get_by_role("main")).to_contain_text("is reinstalled")
    (told,) = [one for one in machines(daemon) if one["name"] == name]
    assert (told["intent"], told["intent_by"]) == ("reinstall", "web (127.0.0.1)")
    acts = [line["asked"].rpartition("/")[2] for line in daemon.logged("web")]
    assert acts == ["let-in", "hold", "release", "reinstall"]


def machines(daemon: Daemon) -> list[dict[str, str]]:
    status, body = daemon.get("/api/v1/machines")
    assert status == 200, body
    found: list[dict[str, str]] = json.loads(body)["machines"]
    return found


def test_who_may_not_change_anything_changes_nothing(
    browser: Browser, daemon: Daemon, known: dict[str, str]
) -> None:
    origin = f"https://127.0.0.1:{daemon.tls_port}"
    with open_page(browser) as page:
        page.goto(f"{origin}/login?next=/")
        page.get_by_label("Password").fill("wrong password")
        page.get_by_role("button", name="Log in").click()
        expect(page.get_by_role("alert")).to_have_text("that is not right; try again")
        log_in(page, daemon)
        place = f"{origin}/machines/{known['id']}/hold"
        answer = page.request.post(place, form={"why": "x"}, headers={"Origin": origin})
        assert (answer.status, "CSRF token" in answer.text()) == (403, True)
        token = Tokens(Settings.model_validate({"state": {"directory": str(daemon.state)}}).repositories).add(
            "reader", Right.READ
        )
        with open_page(browser) as other:
            answer = other.request.post(
                f"{origin}/api/v1/machines/{known['id']}/hold",
                data={},
                headers={"Authorization": f"Bearer {token}"},
            )
            assert (answer.status, "read-only" in answer.text()) == (403, True)
    assert [one["intent"] for one in machines(daemon) if one["id"] == known["id"]] == [known["intent"]]


@pytest.mark.parametrize("scheme", ["light", pytest.param("dark", marks=pytest.mark.long)])
@pytest.mark.parametrize("size", SIZES)
def test_axe_finds_nothing_serious(
    browser: Browser, daemon: Daemon, known: dict[str, str], size: str, scheme: str
) -> None:
    with open_page(browser, size, scheme) as page:
        log_in(page, daemon)
        for path in (
            "/",
            f"/machines/{known['id']}",
            "/enrolment",
            "/clusters",
            "/network",
            "/fleet",
            "/assets",
            "/api/",
            "/login",
        ):
            page.goto(f"https://127.0.0.1:{daemon.tls_port}{path}")
            found = Axe().run(page).response["violations"]
            serious = [one["id"] for one in found if one["impact"] in {"serious", "critical"}]
            assert (path, serious) == (path, []), json.dumps(found)[:3000]
            assert (path, page.evaluate(CUT)) == (path, [])


def test_a_machines_name_is_not_broken_in_a_table(browser: Browser, tmp_path: Path) -> None:
    fleet = fleet_of(("arda-01-behind-the-chimney-in-the-attic", LISTED, "layer: arda\n"))
    with PageSite(tmp_path, fleet) as site, open_page(browser) as page:
        site.sees(LISTED, Stage.KERNEL)
        page.set_viewport_size({"width": 760, "height": 800})
        page.goto(f"http://127.0.0.1:{site.port}/")
        assert page.locator("tbody th a").evaluate(LINES) == 1
