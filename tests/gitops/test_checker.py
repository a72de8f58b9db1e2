"""The checker that remembers: it comes to the hook's verdict, answers for real pushes only, and is replaced by the hook."""

import asyncio
import os
import resource
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from structlog.testing import capture_logs
from support.git_site import NOTHING, hosted
from support.repositories import Person, git
from support.waiting import PATIENCE, until

from iluvatar_pxe.errors import RepositoryError
from iluvatar_pxe.fleet import checks
from iluvatar_pxe.gitops import checker as program
from iluvatar_pxe.gitops import checking as part_of_daemon
from iluvatar_pxe.gitops.checker import Checker, serve
from iluvatar_pxe.gitops.checking import Checking
from iluvatar_pxe.gitops.hook import conclude, judge, updates_of
from iluvatar_pxe.gitops.pre_receive import QUARANTINE, SOCKET, ask, request_of
from iluvatar_pxe.gitops.repository.bare import Changes, Repository
from iluvatar_pxe.gitops.repository.git import Git

MACHINE = b'match: {macs: ["52:54:00:00:00:01"]}\nchain: local\n'
OTHER = MACHINE.replace(b":01", b":02")
TEXTS = (
    None,
    b"",
    MACHINE,
    OTHER,
    b"domain: 7\n",
    b"\xff",
    b"token: abcdef.0123456789abcdef\n",
    b"kind: k3s\n",
)
HEAVY = {"site", "socket", "selectors", "pathlib", "subprocess", "json", "re", "iluvatar_pxe"}
PATHS = (
    "fleet.yaml",
    "machines/a.yaml",
    "machines/b.yaml",
    "layers/arda.yaml",
    "configs/a.yaml",
    "apps/a.yaml",
    "x",
)


@pytest.fixture
def fleet(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = hosted(tmp_path / "fleet.git", checked=True)
    monkeypatch.chdir(path)
    return path


@pytest.fixture
def ada(fleet: Path, tmp_path: Path) -> Person:
    return Person(tmp_path / "ada", str(fleet))


@pytest.fixture
def looks_often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(part_of_daemon, "LOOK_SECONDS", 0.01)


@pytest.fixture
async def checking(fleet: Path) -> AsyncIterator[Checking]:
    part = Checking(Repository(Git(fleet), "main"))
    running = asyncio.create_task(part.run())
    await until((fleet / SOCKET).exists)
    yield part
    running.cancel()
    with suppress(asyncio.CancelledError):
        await running
    assert not (fleet / SOCKET).exists()


def by_hook(updates: str) -> tuple[int, str]:
    """Return what the hook says where no checker runs: it remembers nothing."""
    repository = Repository(Git(Path.cwd()), "main")
    lines = updates_of(updates)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(checks, "_judged", checks._Judged({}, {}))
        return conclude(repository, lines, asyncio.run(judge(repository, lines)))


def by_checker(checker: Checker, updates: str) -> tuple[int, str]:
    head, _, text = checker.answer(request_of(["main"], updates)).partition(b"\n")
    return int(head.split()[0]), text.decode()


@settings(max_examples=6, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(
        st.dictionaries(st.sampled_from(PATHS), st.sampled_from(TEXTS), min_size=1), min_size=1, max_size=3
    )
)
def test_it_comes_to_the_hooks_verdict_whatever_was_pushed_before(
    fleet: Path, pushes: list[dict[str, bytes | None]]
) -> None:
    repository, checker, old = Repository(Git(fleet), "main"), Checker("main"), None
    first: dict[str, bytes | None] = {"fleet.yaml": b"", "README.md": b"x"}
    for files in (first, *pushes):
        new = asyncio.run(repository.draft(old, Changes("x", files)))
        update = f"{old or NOTHING} {new} refs/heads/main\n"
        expected = by_hook(update)
        assert by_checker(checker, update) == expected
        gone = f"{new} {NOTHING} refs/heads/main\n"
        assert by_checker(checker, gone) == by_hook(gone)
        old = old if expected[0] else new


def test_what_is_no_file_is_told_though_the_same_object_was_a_file_before(ada: Person) -> None:
    checker, first = Checker("main"), ada.commit({"fleet.yaml": "", "machines/a.yaml": "x", "configs/b": "x"})
    ada.push("origin", "HEAD:try")
    by_checker(checker, f"{NOTHING} {first} refs/heads/main\n")
    held = ada.git("rev-parse", "HEAD:machines/a.yaml").strip()
    for mode in ("120000", "100755", "100644"):
        ada.git("update-index", "--add", "--cacheinfo", f"{mode},{held},machines/a.yaml")
        ada.git("commit", "--quiet", "--allow-empty", "--message", mode)
        ada.push("origin", "HEAD:try")
        update = f"{NOTHING} {ada.git('rev-parse', 'HEAD').strip()} refs/heads/main\n"
        assert by_checker(checker, update) == by_hook(update)
        assert ("symbolic link" in by_hook(update)[1]) is (mode == "120000")


@pytest.mark.usefixtures("checking")
async def test_pushes_are_answered_by_one_process_that_goes_on(fleet: Path, ada: Person) -> None:
    hook = fleet / "hooks/pre-receive"
    hook.write_text(hook.read_text().replace(" -S ", " -S -X importtime "))
    for text, accepted in (("domain: lab.home.arpa\n", True), ("colour: red\n", False), ("", True)):
        commit = ada.commit({"fleet.yaml": text})
        told = await asyncio.to_thread(ada.push, check=accepted)
        assert ("fleet.yaml:1: colour: no such key" in told) is not accepted
        assert "iluvatar_pxe.gitops.hook" not in told, "the hook has checked it itself"
        tip = git(fleet, "for-each-ref", "--format=%(objectname)", "refs/heads/main").strip()
        assert (tip == commit) is accepted
    assert len(checkers(fleet)) == 1


@pytest.mark.usefixtures("checking")
async def test_a_checker_that_is_killed_keeps_no_push_waiting(fleet: Path, ada: Person) -> None:
    ada.commit({"fleet.yaml": ""})
    await asyncio.to_thread(ada.push)
    (old,) = checkers(fleet)
    os.kill(old, signal.SIGSTOP)
    ada.commit({"fleet.yaml": "colour: red\n"})
    pushing = asyncio.create_task(asyncio.to_thread(ada.push, check=False))
    await until(lambda: asks(fleet))
    os.kill(old, signal.SIGKILL)
    assert "fleet.yaml:1: colour: no such key" in await pushing
    ada.commit({"fleet.yaml": "domain: lab.home.arpa\n"})
    await asyncio.to_thread(ada.push)


@pytest.mark.usefixtures("looks_often", "checking")
async def test_a_repository_that_is_put_in_the_place_has_a_checker(fleet: Path, ada: Person) -> None:
    """The checker of the one before ends; that there is none at all is said once."""
    ada.commit({"fleet.yaml": ""})
    await asyncio.to_thread(ada.push)
    assert len(checkers(fleet)) == 1
    old = fleet.with_name("old.git")
    with capture_logs() as logs:
        await asyncio.to_thread(fleet.rename, old)
        await until(lambda: logs and not checkers(old))
        await asyncio.to_thread(hosted, fleet, checked=True)
        await until((fleet / SOCKET).exists)
    assert [line["why"] for line in logs] == [f"{fleet / SOCKET}: No such file or directory"]
    ada.commit({"fleet.yaml": "colour: red\n"})
    assert "fleet.yaml:1: colour: no such key" in await asyncio.to_thread(ada.push, check=False)
    assert len(checkers(fleet)) == 1


@pytest.mark.usefixtures("checking")
async def test_nobody_but_the_owner_can_ask(fleet: Path) -> None:
    assert (fleet / SOCKET).stat().st_mode & 0o7777 == 0o600


@pytest.mark.parametrize(("most", "limit"), [(2 << 30, 1 << 30), (1 << 29, 1 << 29)])
def test_it_has_no_more_memory_than_the_service(most: int, limit: int) -> None:
    script = (
        f"import resource as r; r.setrlimit(r.RLIMIT_AS, ({most}, {most}))\n"
        "from iluvatar_pxe.gitops.checker import limit_address_space; limit_address_space()\n"
        "print(r.getrlimit(r.RLIMIT_AS))"
    )
    output = subprocess.check_output([sys.executable, "-c", script], text=True)
    assert output == f"({limit}, {limit})\n"


@pytest.mark.usefixtures("checking", "fleet")
async def test_without_a_free_descriptor_it_goes_on_and_is_started_when_there_is_one() -> None:
    _, most = limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    with capture_logs() as logs, socket.socket(socket.AF_UNIX) as client:
        client.settimeout(PATIENCE)
        client.connect(SOCKET)
        client.shutdown(socket.SHUT_WR)
        free = os.dup(client.fileno())
        os.close(free)
        resource.setrlimit(resource.RLIMIT_NOFILE, (free, most))
        try:
            await until(lambda: logs)
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, limits)
        assert logs[0]["why"] == "cannot be started: Too many open files"
        assert await asyncio.to_thread(client.recv, 1) == b"", "a request that is none"


def checkers(fleet: Path) -> list[int]:
    """Return the processes of checkers for a repository."""
    return [pid for pid, words in commands(fleet) if "iluvatar_pxe.gitops.checker" in words]


def asks(fleet: Path) -> bool:
    """Say whether a hook runs in a repository."""
    return any(word.endswith("pre_receive.py") for _, words in commands(fleet) for word in words)


def commands(directory: Path) -> list[tuple[int, list[str]]]:
    """Return the processes that work in a directory, with their words."""
    found = []
    for process in Path("/proc").iterdir():
        with suppress(OSError):
            if process.name.isdigit() and (process / "cwd").resolve() == directory:
                found.append((int(process.name), (process / "cmdline").read_text().split("\0")))
    return found


def test_nothing_but_a_pushs_own_objects_in_this_repository_is_looked_into(
    fleet: Path, ada: Person, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    commit = ada.commit({"fleet.yaml": ""})
    ada.push("origin", "HEAD:try")
    update, checker = f"{NOTHING} {commit} refs/heads/main\n", Checker("main")
    objects, other = fleet / "objects", tmp_path / "other.git/objects"
    mine, foreign, link = (
        objects / "tmp_objdir-incoming-1",
        other / "tmp_objdir-incoming-1",
        objects / "incoming-2",
    )
    for place in (mine, foreign):
        place.mkdir(parents=True)
    link.symlink_to(foreign)
    good = (str(mine), str(mine), str(objects))
    assert told(monkeypatch, checker, good, update) == (0, "")
    bad = [
        *((str(one), str(one), str(objects)) for one in (foreign, link, objects, objects / "pack", fleet)),
        (str(mine), str(foreign), str(objects)),
        (str(mine), str(mine), str(other)),
        (str(mine), str(mine), f"{objects}:{other}"),
        (str(mine), str(mine), ""),
        ("", "", str(other)),
    ]
    for places in bad:
        with pytest.raises(RepositoryError):
            told(monkeypatch, checker, places, update)


def told(
    monkeypatch: pytest.MonkeyPatch, checker: Checker, places: tuple[str, str, str], update: str
) -> tuple[int, str]:
    for name, place in zip(QUARANTINE, places, strict=True):
        monkeypatch.setenv(name, place)
    return by_checker(checker, update)


@pytest.mark.usefixtures("fleet")
@pytest.mark.parametrize("change", [{0: b"old"}, {1: b"trunk"}, {1: b""}, {5: b"x\0y"}])
def test_another_version_another_branch_and_nonsense_get_no_answer(
    change: Mapping[int, bytes],
) -> None:
    fields = request_of(["main"], "").split(b"\0")
    with pytest.raises(RepositoryError):
        Checker("main").answer(b"\0".join(change.get(place, one) for place, one in enumerate(fields)))


def listening(path: Path) -> socket.socket:
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(path))
    listener.listen()
    return listener


@pytest.mark.skipif(os.geteuid() != 0, reason="only root is somebody else")
def test_another_user_gets_no_answer(fleet: Path) -> None:
    with listening(fleet / SOCKET) as listener, socket.socket(socket.AF_UNIX) as client:
        fleet.chmod(0o755)
        (fleet / SOCKET).chmod(0o777)
        os.seteuid(65534)
        try:
            client.connect(SOCKET)
        finally:
            os.seteuid(0)
        client.sendall(request_of(["main"], ""))
        client.shutdown(socket.SHUT_WR)
        accepted, _ = listener.accept()
        with accepted:
            program._respond(accepted, Checker("main"))
        with pytest.raises(ConnectionResetError):  # what was asked is not even read
            client.recv(1)


def test_it_ends_idle_with_the_daemon_and_with_too_much_memory(
    fleet: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    alive, daemon = os.pipe()
    with listening(fleet / SOCKET) as listener, socket.socket(socket.AF_UNIX) as client:
        monkeypatch.setattr(program, "IDLE_SECONDS", 0.01)
        serve(listener, alive, Checker("main"))
        monkeypatch.setattr(program, "IDLE_SECONDS", 600.0)
        monkeypatch.setattr(program, "MOST_MEMORY", 0)
        client.connect(SOCKET)
        client.sendall(b"nonsense")
        client.shutdown(socket.SHUT_WR)
        serve(listener, alive, Checker("main"))
        assert client.recv(1) == b""
        os.close(daemon)
        serve(listener, alive, Checker("main"))
    os.close(alive)


@pytest.mark.usefixtures("fleet")
@pytest.mark.parametrize("answer", [b"", b"0 5\nabc", b"0 0", b"x 0\n", b"0 0\nmore"])
def test_half_an_answer_is_none(answer: bytes) -> None:
    async def answered() -> object:
        async def respond(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.read()
            writer.write(answer)
            writer.close()

        async with await asyncio.start_unix_server(respond, SOCKET):
            return await asyncio.to_thread(ask, b"")

    assert asyncio.run(answered()) is None


def test_the_hook_starts_with_next_to_nothing() -> None:
    path = program.__file__.replace("checker.py", "pre_receive.py")
    script = (
        f"import sys; exec(open({path!r}).read(), {{'__name__': 'x'}}); print({HEAVY!r} & set(sys.modules))"
    )
    output = subprocess.check_output([sys.executable, "-P", "-S", "-c", script], text=True)
    assert output == "set()\n"
