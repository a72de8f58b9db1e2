"""Whatever a loss of power has left of the state, a machine that the fleet lists boots, and the daemon says what is wrong."""

import os
import shutil
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from support.daemon import Daemon
from support.hosted import FILES, Hosted
from support.repositories import git
from support.rights import NOBODY, directory_for_nobody
from support.waiting import wait_until

MAC = "52:54:00:77:00:01"
NEWCOMER = "52:54:00:77:00:99"
NAME = "arda-07"
SCRIPT = "#!ipxe\necho it boots\n"
LISTED = {
    f"machines/{NAME}.yaml": f'match: {{macs: ["{MAC}"]}}\nchain: ipxe\nscript: boot.ipxe\n',
    "boot.ipxe": SCRIPT,
}
PRIVATE = ("unshare", "--mount", "--propagation", "private")
REPOSITORY = "git/fleet.git"

MENDED = ""


@pytest.fixture(scope="module")
def seed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the state of a daemon that has served, and was stopped: a fleet that an owner has pushed to."""
    directory = tmp_path_factory.mktemp("seed")
    with Hosted(directory) as daemon:
        owner = daemon.owner(directory / "clone")
        owner.commit({**FILES, **LISTED})
        owner.push()
        wait_until(lambda: boots(daemon), "the machine to be served")
        tip = git(daemon.repository.path, "rev-parse", "main")
        applied = ("rev-parse", "refs/iluvatar/in-force")
        wait_until(lambda: git(daemon.repository.path, *applied) == tip, "that to be written down")
        assert daemon.get("/readyz")[0] == 200
        assert daemon.stop() == 0
    return daemon.state


def boots(daemon: Daemon, mac: str = MAC) -> bool:
    return SCRIPT in daemon.get(f"/ipxe?mac={mac}&buildarch=x86_64&platform=efi")[1].decode()


def copied(seed: Path, directory: Path, prefix: Sequence[str] = (), **settings: dict[str, object]) -> Hosted:
    """Return a daemon with a copy of that state, not started."""
    shutil.copytree(seed, directory / "state", ignore=shutil.ignore_patterns("control.sock"))
    return Hosted(directory, settings, prefix=prefix)


def may_mount(directory: Path) -> bool:
    try:
        command = [*PRIVATE, "mount", "-t", "tmpfs", "small", str(directory)]
        return subprocess.run(command, check=False, capture_output=True).returncode == 0
    except FileNotFoundError:
        return False


def newest(state: Path, what: str) -> Path:
    """Return the file of an object that git reads for the newest commit, which is loose for this."""
    repository = state / REPOSITORY
    packs = repository / "objects" / "pack"
    for pack in packs.glob("*.pack"):
        content = pack.read_bytes()
        shutil.move(pack, state / pack.name)
        (packs / pack.name).with_suffix(".idx").unlink()
        subprocess.run(["git", "unpack-objects", "-q"], cwd=repository, input=content, check=True)
        (state / pack.name).unlink()
    for left in packs.iterdir():
        left.unlink()
    name = git(repository, "rev-parse", what).strip()
    return repository / "objects" / name[:2] / name[2:]


def pack_refs(state: Path) -> Path:
    git(state / REPOSITORY, "pack-refs", "--all")
    return state / REPOSITORY / "packed-refs"


PLACES: dict[str, tuple[Callable[[Path], Path], str]] = {
    "HEAD": (lambda state: state / REPOSITORY / "HEAD", MENDED),
    "the branch": (lambda state: state / REPOSITORY / "refs/heads/main", MENDED),
    "its log": (lambda state: state / REPOSITORY / "logs/refs/heads/main", MENDED),
    "the applied ref": (lambda state: state / REPOSITORY / "refs/iluvatar/in-force", MENDED),
    "packed refs": (pack_refs, MENDED),
    "git's configuration": (lambda state: state / REPOSITORY / "config", MENDED),
    "our configuration": (lambda state: state / REPOSITORY / "iluvatar-pxe.config", MENDED),
    "the hook": (lambda state: state / REPOSITORY / "hooks/pre-receive", MENDED),
    "a commit": (lambda state: newest(state, "main"), "fleet"),
    "a tree": (lambda state: newest(state, "main^{tree}"), "fleet"),
    "a file": (lambda state: newest(state, f"main:machines/{NAME}.yaml"), MENDED),
    "the kept fleet": (lambda state: state / "git/fleet.applied", MENDED),
    "the tokens": (lambda state: state / "git/tokens.json", "keys"),
    "the ticket key": (lambda state: state / "ticket.key", MENDED),
    "the CA": (lambda state: state / "tls/ca.crt", MENDED),
    "the CA's key": (lambda state: state / "tls/ca.key", MENDED),
    "the age key": (lambda state: state / "age.key", "keys"),
    "the inventory": (lambda state: state / "inventory.db", "database"),
}
"""Each file of the state, and the part of ``/readyz`` that says what is wrong with it, unless it is mended."""


def replace(path: Path, content: bytes) -> None:
    path.chmod(0o644)
    path.write_bytes(content)


KINDS: dict[str, Callable[[Path], object]] = {
    "empty": lambda path: replace(path, b""),
    "garbage": lambda path: replace(path, bytes(range(256)) * 2),
    "truncated": lambda path: replace(path, path.read_bytes()[: path.stat().st_size // 2]),
    "missing": lambda path: path.unlink(),
}
NOT_DAMAGE = {
    ("the tokens", "missing"),
    ("the age key", "missing"),
    ("the inventory", "missing"),
    ("the inventory", "empty"),
}
"""What looks like a part that was never used, and is made anew."""


def trouble(daemon: Hosted) -> set[str]:
    return {name for name, text in daemon.ready()[1]["parts"].items() if text != "ok"}


def is_sound(daemon: Hosted) -> bool:
    return git(daemon.repository.path, "fsck", "--strict", "--no-dangling", check=False) == ""


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", PLACES)
def test_a_damaged_file_keeps_no_machine_from_booting(
    seed: Path, tmp_path: Path, name: str, kind: str
) -> None:
    daemon = copied(seed, tmp_path)
    place, part = PLACES[name]
    KINDS[kind](place(daemon.state))
    wrong = set() if part == MENDED or (name, kind) in NOT_DAMAGE else {part}
    with daemon:
        assert boots(daemon), "at once, whatever is mended later"
        assert not boots(daemon, NEWCOMER)
        wait_until(lambda: trouble(daemon) - {"keys"} == wrong - {"keys"}, f"the trouble with {part}")
        assert ("keys" in trouble(daemon)) >= ("keys" in wrong)
        if part == MENDED:
            wait_until(lambda: is_sound(daemon), "the repository to be mended")
            assert (
                git(daemon.repository.path, "show", f"main:machines/{NAME}.yaml")
                == LISTED[f"machines/{NAME}.yaml"]
            )
        assert not any("Traceback" in line for line in daemon.errors)
        assert daemon.stop() == 0


@pytest.mark.long
@pytest.mark.skipif(os.geteuid() != 0, reason="needs root: another user's files")
@pytest.mark.parametrize("name", PLACES)
def test_an_unreadable_file_keeps_no_machine_from_booting(seed: Path, name: str) -> None:
    """Root reads everything, so that the daemon is another user here."""
    place, part = PLACES[name]
    with directory_for_nobody() as directory:
        daemon = copied(seed, directory, ("setpriv", f"--reuid={NOBODY}", "--clear-groups"))
        closed = place(daemon.state)
        for path in (directory, *directory.rglob("*")):
            os.chown(path, NOBODY, NOBODY)
        os.chown(closed, 0, 0)
        closed.chmod(0o600)
        with daemon:
            assert boots(daemon)
            assert not boots(daemon, NEWCOMER)
            wait_until(lambda: part == MENDED or part in trouble(daemon), f"the trouble with {part}")
            assert not any("Traceback" in line for line in daemon.errors)


def test_a_read_only_file_system_keeps_no_machine_from_booting(seed: Path, tmp_path: Path) -> None:
    if not may_mount(tmp_path):
        pytest.skip("needs root and unshare, to mount a filesystem")
    state = tmp_path / "state"
    script = f'mount --bind {state} {state} && mount -o remount,bind,ro {state}; exec "$@"'
    with copied(seed, tmp_path, (*PRIVATE, "sh", "-c", script, "sh")) as daemon:
        assert boots(daemon)
        assert not boots(daemon, NEWCOMER)
        assert trouble(daemon) == {"control", "database", "fleet"}
        assert daemon.stop() == 0


def test_what_only_a_mirror_has_comes_back_from_there(seed: Path, tmp_path: Path) -> None:
    daemon = copied(seed, tmp_path, fleet={"mirror": f"file://{tmp_path}/mirror.git"})
    shutil.copytree(seed / REPOSITORY, tmp_path / "mirror.git")
    for lost in [newest(daemon.state, what) for what in ("main", "main^{tree}", "main:boot.ipxe")]:
        replace(lost, b"")
    with daemon:
        assert boots(daemon)
        wait_until(lambda: is_sound(daemon), "the objects to be fetched")
        wait_until(lambda: not trouble(daemon) - {"keys"}, "the trouble to be over")
        assert daemon.stop() == 0


def test_a_repository_that_is_gone_is_no_new_fleet(seed: Path, tmp_path: Path) -> None:
    """What was applied is served until somebody pushes a clone, of which the history is then."""
    daemon = copied(seed, tmp_path)
    git(tmp_path, "clone", "--quiet", "--bare", str(seed / REPOSITORY), "clone.git")
    shutil.rmtree(daemon.state / REPOSITORY)
    with daemon:
        assert boots(daemon)
        assert not boots(daemon, NEWCOMER)
        wait_until(lambda: "fleet" in trouble(daemon), "the trouble to be told")
        git(tmp_path / "clone.git", "push", "--quiet", str(daemon.repository.path), "main:main")
        wait_until(lambda: not trouble(daemon) - {"keys"}, "the clone to be followed")
        assert daemon.stop() == 0


def test_a_fleet_in_a_directory_is_kept_too(tmp_path: Path) -> None:
    files = {**FILES, **LISTED}
    daemon = Daemon(tmp_path)
    for name, text in files.items():
        (daemon.fleet / name).parent.mkdir(parents=True, exist_ok=True)
        (daemon.fleet / name).write_text(text or "")
    with daemon:
        assert boots(daemon)
        assert daemon.stop() == 0
    (daemon.fleet / f"machines/{NAME}.yaml").write_bytes(b"")
    with daemon:
        assert boots(daemon)
        assert f"machines/{NAME}.yaml" in daemon.ready()[1]["parts"]["fleet"]
        assert daemon.stop() == 0


@pytest.mark.parametrize("kind", ["empty", "missing"])
def test_an_inventory_that_was_lost_opens_no_window(seed: Path, tmp_path: Path, kind: str) -> None:
    daemon = copied(seed, tmp_path)
    KINDS[kind](daemon.state / "inventory.db")
    with daemon:
        daemon.wait_for_log("enrolment.closed")
        assert daemon.stop() == 0
    assert not daemon.logged("enrolment.open")


def test_a_second_pi_opens_no_window(seed: Path, tmp_path: Path) -> None:
    with Hosted(tmp_path, {"fleet": {"source": f"file://{seed / REPOSITORY}", "read_only": True}}) as second:
        second.wait_for_log("enrolment.closed")
        assert second.stop() == 0
    assert not second.logged("enrolment.open")
