"""Who may change something by having logged in, and whom a browser is made to send something for."""

import json
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path

import pytest
from support.browser import PASSWORD, Browser
from support.neighbour import HERE, neighbour_of
from support.probe_site import START, ProbeSite, probe_site
from support.waiting import PATIENCE
from support.web import Response

from iluvatar_pxe import ratelimit
from iluvatar_pxe.web.login.logins import LIFETIME, MOST_SESSIONS

OTHER_PAGES = [
    "http://evil.example",
    "http://127.0.0.1:1",
    "https://127.0.0.1",
    "http://localhost",
    "null",
    "",
    "\xff",
]


@pytest.fixture(autouse=True)
def _first_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let no other test have used up what is logged in a second."""
    monkeypatch.setattr(ratelimit._complaints, "_limiters", {})


@pytest.fixture
def site(tmp_path: Path) -> Iterator[ProbeSite]:
    with probe_site(tmp_path) as running:
        running.logins.set_password(PASSWORD)
        yield running


@pytest.fixture
def ada(site: ProbeSite) -> Browser:
    """Return a browser in which somebody has logged in."""
    browser = site.browser()
    assert browser.log_in().status == 303
    return browser


def change(browser: Browser, csrf: str | None = None, **headers: str) -> Response:
    return browser.post("/change", {"csrf": browser.csrf if csrf is None else csrf}, **headers)


@pytest.mark.parametrize("tls", [False, True])
def test_who_has_logged_in_may_change_something(site: ProbeSite, *, tls: bool) -> None:
    ada = site.browser(tls=tls)
    assert change(ada).status == 401
    assert ada.log_in().status == 303
    answer = change(ada)
    assert (answer.status, answer.text) == (200, "web (127.0.0.1)")
    assert ada.post("/change", X_CSRF_Token=ada.csrf).status == 200, "scripts send it as a header"


@pytest.mark.parametrize("tls", [False, True])
def test_the_cookie_goes_to_this_servers_pages_only(site: ProbeSite, *, tls: bool) -> None:
    answer = site.browser(tls=tls).log_in()
    name, _, rest = answer.headers["set-cookie"].partition("=")
    _, *attributes = rest.split("; ")
    assert set(attributes) == {"HttpOnly", "Max-Age=604800", "Path=/", "SameSite=Strict"} | (
        {"Secure"} if tls else set()
    )
    assert name == (f"__Host-iluvatar-{site.web.tls_port}" if tls else f"iluvatar-{site.web.port}")
    assert PASSWORD not in str(answer)


@pytest.mark.parametrize("origin", OTHER_PAGES)
def test_another_page_changes_nothing(ada: Browser, origin: str) -> None:
    answer = change(ada, Origin=origin)
    assert (answer.status, answer.is_one_line) == (403, True)
    assert ada.post("/logout", {"csrf": ada.csrf}, Origin=origin).status == 403


@pytest.mark.parametrize("origin", OTHER_PAGES)
def test_another_page_logs_nobody_in(site: ProbeSite, origin: str) -> None:
    browser = site.browser()
    answer = browser.post("/login", {"password": PASSWORD}, Origin=origin)
    assert (answer.status, answer.is_one_line, browser.cookies) == (403, True, {})


def test_a_page_under_another_name_of_this_server_is_another_page(ada: Browser) -> None:
    assert change(ada, Host="localhost").status == 403
    assert change(ada, Host="evil.example", Origin="http://evil.example").status == 403


@pytest.mark.parametrize("csrf", ["", "x", "A" * 43, "\udcff"])
def test_without_the_csrf_token_nothing_is_changed(
    ada: Browser, csrf: str, capsys: pytest.CaptureFixture[str]
) -> None:
    answer = change(ada, csrf.encode("utf-8", "replace").decode())
    assert (answer.status, answer.text) == (403, "403: the CSRF token is missing; load the page again\n")
    assert "no CSRF token" in capsys.readouterr().out


def test_the_csrf_token_of_another_session_is_none(site: ProbeSite, ada: Browser) -> None:
    bob = site.browser()
    bob.log_in()
    assert bob.csrf != ada.csrf
    assert change(ada, bob.csrf).status == 403


def test_a_token_in_a_cookie_or_in_the_url_does_not_count(ada: Browser) -> None:
    ada.cookies["csrf"] = ada.csrf
    assert ada.post(f"/change?csrf={ada.csrf}").status == 403


def test_a_cookie_that_was_planted_is_not_taken_over(site: ProbeSite, ada: Browser) -> None:
    """Whoever plants one knows it; so who logs in gets another one."""
    victim = site.browser()
    name = next(iter(ada.cookies))
    for planted in ("A" * 43, ada.cookies[name]):
        victim.cookies = {name: planted}
        victim.log_in()
        assert victim.cookies[name] != planted
    assert change(ada).status == 401, "the session that was there has ended"


@pytest.mark.parametrize(
    "cookie", ["A" * 43, "", "x" * 3000, "\x01", '"', "a; b", "=;=;,", "\udcff", "../" * 10, "é" * 43]
)
def test_a_hostile_cookie_is_nobody(site: ProbeSite, cookie: str) -> None:
    browser = site.browser()
    browser.cookies = {
        f"iluvatar-{site.web.port}": cookie.encode("utf-8", "surrogateescape").decode("latin-1")
    }
    assert browser.get("/login").status in {200, 400}
    assert browser.csrf == ""
    assert change(browser).status in {400, 401}


def test_who_logs_out_is_logged_out_everywhere_the_cookie_went(site: ProbeSite, ada: Browser) -> None:
    copy = Browser(site.web.port, cookies=dict(ada.cookies))
    assert ada.post("/logout", {"csrf": ada.csrf}).status == 303
    assert ada.cookies == {}
    assert change(copy).status == 401


def test_a_session_expires(site: ProbeSite, ada: Browser) -> None:
    site.clock.now = LIFETIME.total_seconds() - 1
    assert change(ada).status == 200
    site.clock.now += 1
    assert change(ada).status == 401


def test_sessions_survive_a_restart_and_end_with_a_new_password(tmp_path: Path) -> None:
    with probe_site(tmp_path) as before:
        before.logins.set_password(PASSWORD)
        ada = before.browser()
        ada.log_in()
        (secret,) = ada.cookies.values()
    with probe_site(tmp_path) as after:
        ada = Browser(after.web.port, cookies={f"iluvatar-{after.web.port}": secret})
        assert change(ada).status == 200
        after.logins.set_password(PASSWORD)
        assert change(ada).status == 401


def test_the_oldest_session_ends_when_there_are_too_many(
    site: ProbeSite, ada: Browser, tmp_path: Path
) -> None:
    path = tmp_path / "web" / "login.json"
    document = json.loads(path.read_text())
    others = [{"sha256": f"{number:064x}", "since": START.isoformat()} for number in range(MOST_SESSIONS - 2)]
    path.write_text(json.dumps({**document, "sessions": [*document["sessions"], *others]}))
    assert site.logins.log_in(PASSWORD)
    assert change(ada).status == 200
    assert site.logins.log_in(PASSWORD)
    assert change(ada).status == 401
    assert len(json.loads(path.read_text())["sessions"]) == MOST_SESSIONS


def test_only_hashes_are_at_rest_and_for_the_owner_only(ada: Browser, tmp_path: Path) -> None:
    path = tmp_path / "web" / "login.json"
    text = path.read_text()
    assert path.stat().st_mode & 0o777 == 0o600
    assert "$argon2id$" in text
    assert PASSWORD not in text
    assert next(iter(ada.cookies.values())) not in text


def test_who_guesses_waits_even_with_the_right_password(
    site: ProbeSite, ada: Browser, capsys: pytest.CaptureFixture[str]
) -> None:
    browser = site.browser()
    for number in range(10):
        answer = browser.log_in(f"wrong password {number}")
        assert (answer.status, "that is not right" in answer.text) == (403, True)
    assert browser.log_in().status == 429
    assert change(ada).status == 200, "who is logged in may go on"
    site.clock.now = 61
    assert browser.log_in().status == 303
    logged = capsys.readouterr().out
    assert "wrong password" in logged
    assert PASSWORD not in logged


def test_who_guesses_from_many_addresses_waits_as_well(site: ProbeSite, tmp_path: Path) -> None:
    (tmp_path / "web" / "login.json").unlink()  # no hash is computed then
    for number in range(60):
        head = "POST /login HTTP/1.1\r\nHost: 127.0.0.1\r\nOrigin: http://127.0.0.1\r\nConnection: close\r\n"
        answer = site.web.send(f"{head}Content-Length: 0\r\n\r\n".encode(), source=f"127.0.1.{number // 6}")
        assert answer.status == 403
    assert site.browser().log_in().status == 429


def test_two_passwords_are_tried_at_a_time(site: ProbeSite) -> None:
    """The third is refused at once: a hash costs a small Pi much."""
    may_end = threading.Event()
    with ThreadPoolExecutor(2) as executor, ThreadPoolExecutor(3) as clients:
        site.web._loop.set_default_executor(executor)
        for _ in range(2):
            executor.submit(may_end.wait, PATIENCE)
        logins = [clients.submit(site.browser().log_in) for _ in range(3)]
        first = next(as_completed(logins, PATIENCE)).result()
        may_end.set()
        statuses = sorted(one.result().status for one in logins)
        site.web._loop.set_default_executor(ThreadPoolExecutor())
    assert (first.status, first.is_one_line) == (503, True)
    assert statuses == [303, 303, 503]


def test_a_damaged_password_file_logs_nobody_in(site: ProbeSite, ada: Browser, tmp_path: Path) -> None:
    path = tmp_path / "web" / "login.json"
    for content in ("{", '{"password": "plain"}', '{"password": "$argon2id$v=19$x"}'):
        path.write_text(content)
        assert site.browser().log_in().status == 503
        assert change(ada, "x").status in {401, 503}
        assert site.browser().get("/login").status in {200, 503}, "who looks may look"
    assert path.read_text() == content, "it is left as it is"
    site.logins.set_password(PASSWORD)
    assert site.browser().log_in().status == 303


def test_nothing_is_accepted_in_clear(site: ProbeSite) -> None:
    form = (
        "--silent",
        "--insecure",
        "--data-urlencode",
        f"password={PASSWORD}",
        "--write-out",
        "%{http_code}",
    )
    with neighbour_of(site.web) as there:
        plain = there.run("curl", *form, "--header", f"Origin: {there.plain}", f"{there.plain}/login")
        assert f"use {there.secure}/login" in plain
        secure = there.run("curl", *form, "--header", f"Origin: {there.secure}", f"{there.secure}/login")
        assert secure.endswith("303")
        page = there.run("curl", "--silent", f"{there.plain}/login")
        assert f"https://{HERE}:{site.web.tls_port}/login" in page
        assert "<form" not in page


@pytest.mark.parametrize(
    ("wanted", "place"),
    [
        ("/machines/one", "/machines/one"),
        *(
            (bad, "/")
            for bad in (
                "",
                "//evil.example",
                "https://evil.example",
                "/\\evil.example",
                "/a\r\nb: c",
                "x" * 999,
            )
        ),
    ],
)
def test_who_logs_in_is_led_back_and_never_elsewhere(site: ProbeSite, wanted: str, place: str) -> None:
    assert site.browser().log_in(next=wanted).headers["location"] == place


def test_the_form_is_bounded(site: ProbeSite) -> None:
    browser = site.browser()
    assert browser.log_in("x" * 20000).status == 413
    assert browser.post("/login", {str(number): "" for number in range(99)}).status == 400
    assert (
        browser.post("/login", Content_Type="application/x-www-form-urlencoded; charset=nonsense").status
        == 403
    )
    assert browser.post("/login", {"password": PASSWORD}, Content_Type="text/plain").status == 403
