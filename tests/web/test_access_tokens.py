"""Who may change something by a token."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from support.git_site import basic
from support.neighbour import neighbour_of
from support.probe_site import ProbeSite, probe_site

from iluvatar_pxe import ratelimit
from iluvatar_pxe.gitops.secrets.tokens import Right


@pytest.fixture(autouse=True)
def _first_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let no other test have used up what is logged in a second."""
    monkeypatch.setattr(ratelimit._complaints, "_limiters", {})


@pytest.fixture
def site(tmp_path: Path) -> Iterator[ProbeSite]:
    with probe_site(tmp_path) as running:
        yield running


@pytest.fixture
def writer(site: ProbeSite) -> str:
    return site.tokens.add("ada", Right.WRITE)


def test_a_write_token_says_who_is_on_record(site: ProbeSite, writer: str) -> None:
    answer = site.change(Authorization=f"Bearer {writer}")
    assert (answer.status, answer.text) == (200, "token ada")
    site.tokens.revoke("ada")
    assert site.change(Authorization=f"Bearer {writer}").status == 401


@pytest.mark.parametrize("header", ["Bearer", "Bearer x", "Bearer  ", "Digest a=b", "\xff\xfe", "B" * 3000])
def test_what_is_no_token_is_refused_in_one_line(site: ProbeSite, header: str) -> None:
    answer = site.change(Authorization=header)
    assert (answer.status, answer.is_one_line) == (401, True)
    assert answer.headers["www-authenticate"] == 'Bearer realm="iluvatar-pxe"'


def test_nobody_without_a_token(site: ProbeSite) -> None:
    assert site.change().status == 401


def test_what_browsers_send_by_themselves_is_no_token(site: ProbeSite, writer: str) -> None:
    assert site.change(Authorization=basic(writer)).status == 401, "Git has had a browser ask for it"


def test_a_read_token_does_not_write(site: ProbeSite, capsys: pytest.CaptureFixture[str]) -> None:
    answer = site.change(Authorization=f"Bearer {site.tokens.add('bob', Right.READ)}")
    assert (answer.status, answer.text) == (403, "403: token bob is read-only\n")
    assert "read-only token" in capsys.readouterr().out


def test_the_daemons_own_tokens_do_not_write(site: ProbeSite) -> None:
    site.tokens.keep_own({"argocd/arda": "secret"})
    assert site.change(Authorization="Bearer secret").status == 403


def test_who_guesses_waits_even_with_a_right_token(site: ProbeSite, writer: str) -> None:
    for number in range(10):
        assert site.change(Authorization=f"Bearer guess{number}").status == 401
    answer = site.change(Authorization=f"Bearer {writer}")
    assert (answer.status, answer.headers["retry-after"]) == (429, "61")
    site.clock.now = 61
    assert site.change(Authorization=f"Bearer {writer}").status == 200


def test_a_damaged_list_of_tokens_lets_nobody_in(site: ProbeSite, writer: str) -> None:
    (site.web.assets.parent / "git" / "tokens.json").write_text("{")
    answer = site.change(Authorization=f"Bearer {writer}")
    assert (answer.status, answer.is_one_line) == (503, True)


def test_a_token_in_clear_is_not_accepted(site: ProbeSite, writer: str) -> None:
    given = ("--header", f"Authorization: Bearer {writer}", "--insecure", "--silent", "--request", "POST")
    with neighbour_of(site.web) as there:
        remedy = f"changes are accepted over TLS only; use {there.secure}/change"
        assert there.run("curl", *given, f"{there.plain}/change") == f"403: {remedy}\n"
        assert there.run("curl", *given, f"{there.secure}/change") == "token ada"
