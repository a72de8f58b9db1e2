"""The login as a real browser does it, and what other pages have that browser send."""

import http.server
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import Page
from support.browser import PASSWORD
from support.chromium import chromium
from support.probe_site import ProbeSite, probe_site

FORM = """<!doctype html><form method="post" action="{place}">
<input name="csrf" value="guess"><input name="password" value="{password}"><button>Win a prize</button></form>"""


@pytest.fixture
def site(tmp_path: Path) -> Iterator[ProbeSite]:
    with probe_site(tmp_path) as running:
        yield running


@contextmanager
def another_page(text: str) -> Iterator[str]:
    """Serve a page at another port of this host."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.end_headers()
            self.wfile.write(text.encode())

        def log_message(self, *_: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}/"
        server.shutdown()
        thread.join()


def has_session(page: Page, origin: str) -> bool:
    return bool(page.context.cookies(origin))


@pytest.mark.parametrize("tls", [True, pytest.param(False, marks=pytest.mark.long)])
def test_a_person_sets_the_password_logs_in_and_out(site: ProbeSite, *, tls: bool) -> None:
    origin, token = site.browser(tls=tls).origin, site.first_run.open()
    with chromium() as browser:
        page = browser.new_page(ignore_https_errors=True)
        page.goto(f"{origin}/login?token={token}&next=/login")
        page.get_by_label("New password").fill(PASSWORD)
        page.get_by_label("The same again").fill(PASSWORD)
        page.get_by_role("button", name="Set it and log in").click()
        page.get_by_role("button", name="Log out").wait_for()
        assert page.evaluate("document.cookie") == "", "no script reads it"
        page.get_by_role("button", name="Log out").click()
        page.goto(f"{origin}/login?next=/login")
        page.get_by_label("Password").fill("wrong password")
        page.get_by_label("Password").press("Enter")
        assert page.get_by_role("alert").inner_text() == "that is not right; try again"
        page.get_by_label("Password").fill(PASSWORD)
        page.get_by_role("button", name="Log in").click()
        page.get_by_role("button", name="Log out").wait_for()
        assert has_session(page, origin)


def test_a_page_of_another_port_changes_nothing_and_logs_nobody_in(site: ProbeSite) -> None:
    site.logins.set_password(PASSWORD)
    origin = site.browser().origin
    with chromium() as browser:
        page = browser.new_page()
        with another_page(FORM.format(place=f"{origin}/login", password=PASSWORD)) as elsewhere:
            page.goto(elsewhere)
            page.get_by_role("button").click()
            assert "403: another page has sent this" in page.inner_text("body")
            assert not has_session(page, origin)
        page.goto(f"{origin}/login?next=/login")
        page.get_by_label("Password").fill(PASSWORD)
        page.get_by_role("button", name="Log in").click()
        page.get_by_role("button", name="Log out").wait_for()
        with another_page(FORM.format(place=f"{origin}/change", password="")) as elsewhere:
            page.goto(elsewhere)
            with page.expect_request(f"{origin}/change") as sent:
                page.get_by_role("button").click()
            assert "403: another page has sent this" in page.inner_text("body")
        assert "iluvatar-" in sent.value.all_headers()["cookie"], "SameSite does not tell ports apart"
