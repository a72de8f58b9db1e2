"""The repositories that are hosted here, for the real git: clones of every kind, and pushes."""

import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.git_site import GOOD, Site, basic, serving
from support.repositories import Person, git

from iluvatar_pxe.events import EventKind

LAST = "remote: push rejected; correct the faults and push again"
MIB = 1 << 20
MOST_GROWTH = 24 * MIB
"""Of this process, which serves here as well as it tests."""


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    with serving(tmp_path) as running:
        yield running
        assert running.is_sound()


@pytest.fixture
def fleet(tmp_path: Path) -> Iterator[Site]:
    """Have what is pushed checked."""
    with serving(tmp_path, checked=True) as running:
        yield running
        assert running.is_sound()


def lines_of(terminal: str) -> list[str]:
    return [line.rstrip() for line in terminal.splitlines()]


def test_what_is_pushed_can_be_cloned(site: Site) -> None:
    ada = site.person()
    ada.commit(GOOD)
    commit = ada.commit({"machines/one.yaml": 'match: {macs: ["52:54:00:00:00:01"]}\nchain: local\n'})
    assert "[new branch]      HEAD -> main" in ada.push()
    assert site.tip() == commit
    for protocol in ("0", "2"):
        place = site.directory / f"clone{protocol}"
        git(
            site.directory,
            "-c",
            f"protocol.version={protocol}",
            "clone",
            "--quiet",
            site.url(site.reader),
            place.name,
        )
        assert git(place, "rev-parse", "HEAD").strip() == commit
        assert (place / "machines/one.yaml").is_file()


@pytest.mark.parametrize(
    "path", ["git/fleet", "git/fleet/", "git/fleet.git/", "/git/fleet.git", "/git/fleet//"]
)
def test_an_address_is_written_as_for_a_forge(site: Site, path: str) -> None:
    url = f"http://any:{site.writer}@127.0.0.1:{site.web.port}/{path}"
    ada = Person(site.directory / "ada", url)
    commit = ada.commit(GOOD)
    ada.push()
    assert site.tip() == commit
    assert git(site.directory, "ls-remote", url, "HEAD") == f"{commit}\tHEAD\n"


def test_protocol_version_2_is_spoken(site: Site) -> None:
    told = git(site.directory, "ls-remote", site.url(site.reader), environment={"GIT_TRACE_PACKET": "1"})
    assert re.search(r"ls-remote< version 2", told)


def test_shallow_and_partial_clones_have_only_what_they_ask_for(site: Site) -> None:
    ada = site.person()
    ada.commit(GOOD)
    ada.commit({"README.md": "Hello again\n"})
    ada.push()
    shallow, partial = site.directory / "shallow", site.directory / "partial"
    git(
        site.directory,
        "clone",
        "--quiet",
        "--depth=1",
        "--single-branch",
        site.url(site.reader),
        shallow.name,
    )
    assert git(shallow, "rev-list", "--count", "HEAD").strip() == "1"
    git(
        site.directory,
        "clone",
        "--quiet",
        "--no-checkout",
        "--filter=blob:none",
        site.url(site.reader),
        partial.name,
    )
    missing = git(partial, "rev-list", "--objects", "--missing=print", "HEAD")
    assert len(re.findall(r"^\?", missing, re.MULTILINE)) == 3, "no file has come with it"
    git(partial, "checkout", "--quiet", "main")
    assert (partial / "README.md").read_text() == "Hello again\n"
    assert git(partial, "show", "HEAD~1:README.md") == "Hello\n", "what is old comes when it is asked for"


def test_a_faulty_fleet_is_refused_in_the_words_of_the_check(fleet: Site) -> None:
    ada = fleet.person()
    first = ada.commit(GOOD)
    ada.push()
    ada.commit(
        {
            "fleet.yaml": "# The lab\ndomain: lab.example\nrulez: []\n",
            "layers/arda.yaml": "kind: talos\ntalos: {}\n",
        }
    )
    shown = lines_of(ada.push(check=False))
    findings = shown[: shown.index(LAST)]
    assert [line.partition(": ")[2].partition(": ")[0] for line in findings] == [
        "fleet.yaml:3",
        "layers/arda.yaml:2",
    ]
    assert "remote: fleet.yaml:3: rulez: no such key; did you mean rules?" in findings
    assert " ! [remote rejected] HEAD -> main (pre-receive hook declined)" in shown
    assert fleet.tip() == first
    (refused,) = fleet.events.after(0)
    assert (refused.kind, refused.subject) == (EventKind.PUSH_REFUSED, "ada-write")
    assert "fleet.yaml:3: rulez: no such key" in refused.words
    ada.git("push", "origin", "HEAD:refs/heads/draft")
    assert len(fleet.events.after(0)) == 1, "the refusal of the push before is not told again"


def test_another_repository_takes_anything(fleet: Site) -> None:
    fleet.host("my-apps")
    ada = fleet.person(name="my-apps")
    commit = ada.commit({"fleet.yaml": "no: fleet\n"})
    ada.push()
    assert fleet.tip("my-apps") == commit
    assert fleet.tip() == ""
    assert fleet.is_sound("my-apps")


def test_a_gzipped_request_is_understood(site: Site) -> None:
    """A client compresses what it says it has, when that is more than 1 KiB."""
    ada = site.person()
    ada.commit(GOOD)
    ada.push()
    bob = site.person(site.reader)
    stream = "".join(
        f"commit refs/heads/b{number}\ncommitter B <b@c> {4 * 10**9 + number} +0000\ndata 1\nx\n"
        for number in range(200)
    )
    subprocess.run(["git", "fast-import", "--quiet"], cwd=bob.directory, input=stream.encode(), check=True)
    newest = ada.commit({"README.md": "News\n"})
    ada.push()
    told = git(bob.directory, "fetch", "origin", environment={"GIT_TRACE_CURL": "1"})
    assert "content-encoding: gzip" in told.lower()
    assert git(bob.directory, "rev-parse", "origin/main").strip() == newest


def test_100_mb_go_through_and_are_not_held_in_memory(site: Site) -> None:
    site.host("big")
    ada = site.person(name="big")
    with (ada.directory / "image").open("wb") as file:
        file.writelines([os.urandom(MIB)] * 100)
    ada.git("-c", "core.compression=0", "add", "image")
    ada.git("commit", "--quiet", "--message", "an image")
    before = peak_begins()
    ada.git("-c", "core.compression=0", "-c", "pack.compression=0", "push", "--quiet", "origin", "HEAD:main")
    assert status("VmHWM") - before < MOST_GROWTH
    assert git(site.repositories / "big.git", "cat-file", "-s", "main:image").strip() == str(100 * MIB)
    before = peak_begins()
    git(site.directory, "clone", "--quiet", "--bare", site.url(site.reader, "big"), "copy.git")
    assert status("VmHWM") - before < MOST_GROWTH


def peak_begins() -> int:
    """Have the kernel forget the peak of this process's memory (proc(5), clear_refs), and return what it has now."""
    Path("/proc/self/clear_refs").write_text("5")
    return status("VmRSS")


def status(name: str) -> int:
    """Return a size in ``/proc/self/status``, in octets."""
    found = re.search(rf"^{name}:\s+(\d+) kB", Path("/proc/self/status").read_text(), re.MULTILINE)
    assert found
    return int(found[1]) << 10


def test_tls_carries_it_all(site: Site) -> None:
    authority = site.directory / "ca.crt"
    authority.write_bytes(site.web.get("/ca.crt").body)
    url = f"https://127.0.0.1:{site.web.tls_port}/git/fleet.git"
    options = {"GIT_SSL_CAINFO": str(authority), "GIT_CONFIG_COUNT": "1"}
    options |= {
        "GIT_CONFIG_KEY_0": "http.extraHeader",
        "GIT_CONFIG_VALUE_0": f"Authorization: {basic(site.writer)}",
    }
    ada = Person(site.directory / "ada", url, options)
    commit = ada.commit(GOOD)
    ada.push()
    assert site.tip() == commit
