"""Who may read and who may push, and over what."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from functools import partial
from pathlib import Path

import pytest
from support.git_site import GOOD, Site, answer_of, basic, serving
from support.neighbour import neighbour_of
from support.repositories import git
from support.waiting import PATIENCE, wait_until
from support.web import Response

from iluvatar_pxe import ratelimit
from iluvatar_pxe.gitops.secrets.tokens import Right, Tokens

REFS = "/git/fleet.git/info/refs?service=git-"


@pytest.fixture(autouse=True)
def _first_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let no other test have used up what is logged in a second."""
    monkeypatch.setattr(ratelimit._complaints, "_limiters", {})


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    with serving(tmp_path) as running:
        yield running
        assert running.is_sound()


def ask(site: Site, authorization: str = "", service: str = "upload-pack") -> Response:
    return site.web.get(REFS + service, Authorization=authorization)


def test_nobody_reads_without_a_token(site: Site) -> None:
    answer = ask(site)
    assert answer.status == 401
    assert answer.is_one_line
    assert answer.headers["www-authenticate"] == 'Basic realm="iluvatar-pxe"'
    assert "could not read Username" in git(site.directory, "ls-remote", site.url(), check=False)


@pytest.mark.parametrize("kind", [basic, "Bearer {}".format, "bearer  {} ".format])
def test_a_token_is_given_as_a_password_or_by_itself(site: Site, kind: Callable[[str], str]) -> None:
    assert ask(site, kind(site.reader)).status == 200
    assert ask(site, kind(site.writer)).status == 200
    assert ask(site, kind(site.writer), "receive-pack").status == 200


@pytest.mark.parametrize(
    "header", ["Basic", "Basic !!!", "Basic YQ==", "Bearer", "Digest a=b", "Basic " + "A" * 3000, "\xff\xfe"]
)
def test_what_is_no_token_is_refused(site: Site, header: str) -> None:
    answer = ask(site, header)
    assert answer.status == 401
    assert answer.is_one_line


def test_the_name_of_the_user_is_no_password(site: Site) -> None:
    url = site.url().replace("://", f"://{site.writer}:x@")
    assert "Authentication failed" in git(site.directory, "ls-remote", url, check=False)


def test_who_may_read_may_not_push(site: Site) -> None:
    bob = site.person(site.reader)
    bob.commit(GOOD)
    assert "remote: 403: token ada-read is read-only" in bob.push(check=False)
    assert ask(site, basic(site.reader), "receive-pack").status == 403
    assert site.push_by_hand(b"0000", token=site.reader).status == 403
    assert site.push_by_hand(b"0000", token="wrong").status == 401
    assert site.tip() == ""


def test_a_token_is_worth_something_from_when_it_is_made_until_it_is_revoked(site: Site) -> None:
    tokens = Tokens(site.repositories)
    secret = tokens.add("argocd", Right.READ)
    assert ask(site, basic(secret)).status == 200
    tokens.revoke("argocd")
    assert ask(site, basic(secret)).status == 401


def test_the_token_of_a_cluster_reads_the_fleet_only(site: Site, capsys: pytest.CaptureFixture[str]) -> None:
    site.host("private")
    Tokens(site.repositories).keep_own({"argocd/arda": "secret"})
    assert ask(site, basic("secret")).status == 200
    for name in ("private", "missing"):
        answer = site.web.get(REFS.replace("fleet", name) + "upload-pack", Authorization=basic("secret"))
        assert (answer.status, answer.is_one_line) == (403, True), "nor does it tell what is there"
    assert "reads the fleet only, not private" in capsys.readouterr().out
    assert (
        site.web.get(
            REFS.replace("fleet", "private") + "upload-pack", Authorization=basic(site.reader)
        ).status
        == 200
    )


def test_a_damaged_list_of_tokens_refuses_everybody(site: Site, capsys: pytest.CaptureFixture[str]) -> None:
    (site.repositories / "tokens.json").write_text("{")
    answer = ask(site, basic(site.writer))
    assert answer.status == 503
    assert answer.is_one_line
    assert "tokens.json: is damaged" in capsys.readouterr().out


def test_who_guesses_waits_even_with_a_right_token(site: Site) -> None:
    for number in range(10):
        assert ask(site, basic(f"guess{number}")).status == 401
    answer = ask(site, basic(site.writer))
    assert answer.status == 429
    assert answer.headers["retry-after"] == "61"
    assert answer.is_one_line
    assert "remote: 429: too many wrong tokens" in git(
        site.directory, "ls-remote", site.url(site.reader), check=False
    )
    site.clock.now += 61
    assert ask(site, basic(site.writer)).status == 200


def has_waiting(executor: ThreadPoolExecutor, calls: int) -> bool:
    return executor._work_queue.qsize() == calls


def test_who_guesses_many_at_once_waits_even_if_the_last_is_right(site: Site) -> None:
    """All of them are on their way before the first one is found to be wrong."""
    everything_came = threading.Event()
    with ThreadPoolExecutor(1) as executor, ExitStack() as stack:
        site.web._loop.set_default_executor(executor)
        executor.submit(everything_came.wait, PATIENCE)
        tokens = [*(f"guess{number}" for number in range(19)), site.writer]
        socks = [stack.enter_context(site.web.connect()) for _ in tokens]
        for number, (sock, token) in enumerate(zip(socks, tokens, strict=True), 1):
            sock.sendall(
                f"GET {REFS}upload-pack HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n"
                f"Authorization: {basic(token)}\r\n\r\n".encode()
            )
            wait_until(partial(has_waiting, executor, number), "the token to be looked up")
        everything_came.set()
        statuses = [answer_of(sock).status for sock in socks]
        site.web._loop.set_default_executor(ThreadPoolExecutor())
    assert statuses == [401] * 10 + [429] * 10


def test_what_is_logged_says_who_and_never_the_token(site: Site, capsys: pytest.CaptureFixture[str]) -> None:
    ask(site, basic("ilu_wrong"))
    ada = site.person()
    ada.commit(GOOD)
    ada.push()
    logged = capsys.readouterr().out
    assert logged.count("git.refused") == logged.count("git.push") == 1
    assert "by=ada-write client=127.0.0.1" in logged
    assert "ilu_" not in logged


def test_anonymous_reads_are_for_those_who_wish_so(tmp_path: Path) -> None:
    with serving(tmp_path, anonymous_read=True) as site:
        ada = site.person()
        ada.commit(GOOD)
        ada.push()
        assert "refs/heads/main" in git(site.directory, "ls-remote", site.url())
        nobody = site.person("")
        nobody.commit({"README.md": "Mine\n"})
        assert "could not read Username" in nobody.push(check=False)


def test_from_another_host_a_token_goes_over_tls_only(site: Site) -> None:
    ada = site.person()
    ada.commit(GOOD)
    ada.push()
    with neighbour_of(site.web) as there:
        plain, secure = (f"{url}/git/fleet.git" for url in (there.plain, there.secure))
        elsewhere = partial(there.run, "git", "-c", "http.sslVerify=false", env={"GIT_TERMINAL_PROMPT": "0"})
        plain_of_ada, secure_of_ada = (
            url.replace("://", f"://any:{site.writer}@") for url in (plain, secure)
        )
        remedy = f"tokens are accepted over TLS only; use {secure}"
        assert f"remote: 403: {remedy}" in elsewhere("ls-remote", plain_of_ada)
        commit = ada.commit({"README.md": "More\n"})
        pushes = partial(elsewhere, "-C", str(ada.directory), "push")
        assert f"remote: 403: {remedy}" in pushes(plain_of_ada, "HEAD:main")
        assert site.tip() != commit
        assert "HEAD -> main" in pushes(secure_of_ada, "HEAD:main")
        assert site.tip() == commit
        assert commit in git(site.directory, "ls-remote", plain_of_ada), "this host may, by whichever address"
