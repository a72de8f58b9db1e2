"""The first password: set once, by whoever has the token that the console shows."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.browser import PASSWORD
from support.html import Page
from support.probe_site import ProbeSite, probe_site
from support.web import Response


@pytest.fixture
def site(tmp_path: Path) -> Iterator[ProbeSite]:
    with probe_site(tmp_path) as running:
        yield running


@pytest.fixture
def token(site: ProbeSite) -> str:
    return site.first_run.open()


def set_first(site: ProbeSite, token: str, password: str = PASSWORD, again: str | None = None) -> Response:
    form = {"token": token, "password": password, "again": password if again is None else again}
    return site.browser().post("/login/first", form)


def test_the_token_is_asked_for_and_sets_the_password_once(site: ProbeSite, token: str) -> None:
    assert re.fullmatch(r"([2-9A-HJ-NP-Z]{4}-){3}[2-9A-HJ-NP-Z]{4}", token)
    page = Page(site.browser().get(f"/login?token={token}").text)
    assert [one.attributes["value"] for one in page.all("input", id="token")] == [token]
    answer = set_first(site, token.lower().replace("-", " "))
    assert answer.status == 303
    assert "set-cookie" in answer.headers
    assert set_first(site, token, "another password").status == 403, "it was used"
    assert site.browser().log_in().status == 303


def test_who_guesses_the_token_waits(site: ProbeSite, token: str) -> None:
    for number in range(10):
        assert set_first(site, f"AAAA-AAAA-AAAA-AA{number + 22}").status == 403
    assert set_first(site, token).status == 429
    assert not site.logins.has_password


@pytest.mark.parametrize("given", ["", " ", "-", "é" * 16, "\x00"])
def test_without_a_token_nobody_sets_it(site: ProbeSite, given: str) -> None:
    assert set_first(site, given).status == 403, "there is none: a service prints none"
    site.first_run.open()
    assert set_first(site, given).status == 403
    assert not site.logins.has_password


@pytest.mark.parametrize(
    ("password", "again", "why"),
    [
        ("short", "short", "a password has 10 to 200 characters; choose another"),
        ("x" * 201, "x" * 201, "a password has 10 to 200 characters; choose another"),
        (
            "line\nbreaks\n",
            "line\nbreaks\n",
            "a password has no line breaks or control characters; choose another",
        ),
        (PASSWORD, "correct horse", "the two passwords differ; type the same twice"),
    ],
)
def test_a_password_that_is_no_good_uses_no_token_up(
    site: ProbeSite, token: str, password: str, again: str, why: str
) -> None:
    answer = set_first(site, token, password, again)
    assert answer.status == 422
    assert Page(answer.text).texts("p", role="alert") == [why]
    assert set_first(site, token).status == 303


def test_a_password_is_the_same_from_every_keyboard(site: ProbeSite, token: str) -> None:
    assert set_first(site, token, "über-password", "u\u0308ber-password").status == 303
    assert site.browser().log_in("u\u0308ber-password").status == 303


def test_a_password_that_was_set_by_a_command_ends_the_token(site: ProbeSite, token: str) -> None:
    site.logins.set_password(PASSWORD)
    assert set_first(site, token, "another password").status == 403
    assert Page(site.browser().get("/login").text).texts("h1") == ["Log in"]


def test_a_damaged_file_is_not_taken_for_none(site: ProbeSite, token: str, tmp_path: Path) -> None:
    path = tmp_path / "web" / "login.json"
    path.parent.mkdir()
    path.write_text("{")
    assert set_first(site, token).status == 503
    assert path.read_text() == "{"


def test_another_page_sets_no_password(site: ProbeSite, token: str) -> None:
    form = {"token": token, "password": PASSWORD, "again": PASSWORD}
    assert site.browser().post("/login/first", form, Origin="http://127.0.0.1:1").status == 403


def test_without_a_token_the_page_names_the_command(site: ProbeSite) -> None:
    page = Page(site.browser().get("/login").text)
    assert page.texts("code") == ["sudo iluvatar-pxe web password"]
    assert not page.all("form")
