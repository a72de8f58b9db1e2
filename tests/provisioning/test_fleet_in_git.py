"""The fleet in the daemon's own repository: cloned and pushed with the real git, checked, in force, and on record."""

import json
import os
import re
import sqlite3
import subprocess
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from support.hosted import Hosted
from support.repositories import Person, bare, git
from support.waiting import wait_until
from support.warm import Ended, run_warm

from iluvatar_pxe.fleet.parse import parse_fleet
from iluvatar_pxe.gitops.secrets.sealing import daemon_key, seal, unseal

MAC = "52:54:00:77:00:01"
LISTED = f'match: {{macs: ["{MAC}"]}}\nrole: worker\nchain: hold\n'


@pytest.fixture(scope="module")
def pi(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hosted]:
    with Hosted(tmp_path_factory.mktemp("pi")) as daemon:
        yield daemon


@pytest.fixture
def ada(pi: Hosted, tmp_path: Path) -> Iterator[Person]:
    """The owner, whose changes are taken back at the end."""
    person = pi.owner(tmp_path / "clone")
    before = person.git("rev-parse", "HEAD").strip()
    yield person
    person.git("fetch", "--quiet")
    person.git("reset", "--quiet", "--hard", "origin/main")
    person.git("rm", "--quiet", "-r", ".")
    person.git("checkout", before, "--", ".")
    person.commit({}, "As before")
    person.push()


def in_force(daemon: Hosted, commit: str) -> dict[str, Any]:
    """Wait until a commit is in force, and return its line of log."""

    def line() -> list[dict[str, Any]]:
        return [one for one in daemon.logged("fleet.applied") if one.get("commit") == commit[:12]]

    return wait_until(line, "the commit to be in force")[0]


def rows(daemon: Hosted, query: str) -> list[tuple[Any, ...]]:
    with closing(sqlite3.connect(daemon.state / "inventory.db")) as database:
        return database.execute(query).fetchall()


def command(daemon: Hosted, *words: str) -> Ended:
    return run_warm(*words, "--config", str(daemon._file))


def test_the_first_start_makes_a_fleet_and_shows_its_keys_once(tmp_path: Path) -> None:
    with Hosted(tmp_path) as daemon:
        token, key = daemon.token, daemon.recovery_key
        assert daemon.stop() == 0
    kept = b"".join(path.read_bytes() for path in daemon.state.rglob("*") if path.is_file())
    assert token.encode() not in kept
    assert key.encode() not in kept
    assert not any(token in line or key in line for line in daemon.errors), "never in the log"
    with Hosted(tmp_path) as again:
        assert "ilu_" not in again.output
        assert "AGE-SECRET-KEY" not in again.output
        assert git(again.repository.path, "show", "main:recipients.yaml").count("age1") == 2
        assert again.stop() == 0


def test_what_a_service_prints_has_no_key_in_it(tmp_path: Path) -> None:
    """It is kept for ever. `fleet init` makes and shows the keys later."""
    daemon = Hosted(tmp_path)
    journal = tmp_path / "journal"
    with journal.open("wb") as output:
        environment = {**os.environ, "INVOCATION_ID": "0" * 32}
        with subprocess.Popen(daemon._command, stdout=output, stderr=output, env=environment) as process:
            try:
                wait_until(lambda: b'"listening"' in journal.read_bytes(), "the daemon to listen")
                told = command(daemon, "fleet", "init")
            finally:
                process.terminate()
    assert b"ilu_" not in journal.read_bytes()
    assert b"AGE-SECRET" not in journal.read_bytes()
    assert re.search(r"ilu_\S+", told.output)
    assert re.search(r"AGE-SECRET-KEY-1\S+", told.output)
    assert "shown before" in command(daemon, "fleet", "init").output


def test_what_is_pushed_is_in_force_recorded_and_explained(pi: Hosted, ada: Person) -> None:
    commit = ada.commit({"machines/nas.yaml": LISTED}, "The NAS waits")
    ada.push()
    line = in_force(pi, commit)
    assert (line["author"], line["subject"], line["machines"]) == ("Ada", "The NAS waits", 1)
    assert b"nas" in pi.get(f"/ipxe?mac={MAC}")[1]
    changed = wait_until(lambda: pi.logged("fleet.changed"), "the change to be told")[-1]
    assert changed["machine"] == "nas"
    found = wait_until(
        lambda: rows(
            pi,
            f"SELECT outcome, author, machine, change FROM fleet_history WHERE \"commit\" = '{commit[:12]}'",
        ),
        "the change to be recorded",
    )
    assert found == [("in force", "Ada", "nas", changed["change"])]
    pi.fsck()


def test_a_bad_commit_is_refused_with_all_that_is_wrong(pi: Hosted, ada: Person) -> None:
    before = git(pi.repository.path, "rev-parse", "main")
    arda = (
        (ada.directory / "layers" / "arda.yaml").read_text().replace("controlPlanes: 1", "controlPlanes: 2")
    )
    number = arda[: arda.index("controlPlanes")].count("\n") + 1
    ada.commit(
        {
            "layers/arda.yaml": arda,
            "machines/a.yaml": LISTED,
            "machines/b.yaml": LISTED,
            "fleet.yaml": "colour: red\n",
        }
    )
    told = ada.push(check=False)
    assert f"remote: layers/arda.yaml:{number}: controlPlanes: must be 1, 3 or 5 (got 2)" in told
    assert f"remote: machines/b.yaml:1: {MAC} is already listed in machines/a.yaml" in told
    assert "remote: fleet.yaml:1: colour: no such key" in told
    assert "[remote rejected]" in told
    assert git(pi.repository.path, "rev-parse", "main") == before
    assert pi.ready()[1]["parts"]["fleet"] == "ok"
    pi.fsck()


def test_a_commit_is_looked_at_before_it_is_pushed_to_the_branch(pi: Hosted, ada: Person) -> None:
    ada.commit({"machines/nas.yaml": LISTED})
    ada.push("origin", "HEAD:refs/heads/try")
    told = command(pi, "fleet", "diff", "try")
    assert (told.status, told.error) == (0, "")
    assert told.output.startswith("nas: listed as worker of arda (new)")
    assert json.loads(command(pi, "fleet", "diff", "try", "--json").output)["changes"][0]["machine"] == "nas"
    assert command(pi, "fleet", "diff").output == "Nothing changes for any machine.\n"
    assert command(pi, "fleet", "validate").output.startswith("branch main of ")
    ada.push("origin", ":refs/heads/try", check=False)


def test_a_transfer_that_runs_is_not_disturbed_by_a_push(pi: Hosted, ada: Person) -> None:
    large = pi.assets / "talos" / "large"
    large.parent.mkdir(parents=True, exist_ok=True)
    large.write_bytes(os.urandom(1 << 20) * 32)
    wait_until(lambda: pi.get("/assets/talos/large")[0] == 200, "the file to be served")
    with subprocess.Popen(
        ["curl", "--silent", "--limit-rate", "16M", f"http://127.0.0.1:{pi.http_port}/assets/talos/large"],
        stdout=subprocess.PIPE,
    ) as download:
        assert download.stdout
        first = download.stdout.read(1)
        commit = ada.commit({"machines/nas.yaml": LISTED})
        ada.push()
        in_force(pi, commit)
        assert download.poll() is None, "the transfer goes on meanwhile"
        assert first + download.stdout.read() == large.read_bytes()
    large.unlink()


def test_who_bypasses_the_check_changes_nothing(pi: Hosted, ada: Person) -> None:
    """Somebody with the disk in hand: the last good state stays in force, and everybody is told."""
    good = git(pi.repository.path, "rev-parse", "main").strip()
    commit = ada.commit({"fleet.yaml": "colour: red\n"})
    git(pi.repository.path, "fetch", "--quiet", str(ada.directory), f"{commit}:refs/heads/smuggled")
    git(pi.repository.path, "update-ref", "refs/heads/main", commit)
    why = f"commit {commit[:12]} is not applied: fleet.yaml:1: colour: no such key; remove it or correct its name"
    wait_until(lambda: pi.ready()[1]["parts"]["fleet"] == why, "the fault to be told")
    told = command(pi, "check")
    assert (told.status, f"fleet:     {why}" in told.output) == (1, True)
    assert b"ipxe" in pi.get(f"/ipxe?mac={MAC}")[1]
    git(pi.repository.path, "update-ref", "refs/heads/main", good)
    wait_until(lambda: pi.ready()[1]["parts"]["fleet"] == "ok", "the fleet to be well")
    assert command(pi, "check").status == 0
    ada.git("reset", "--quiet", "--hard", "origin/main")


def test_argo_cd_gets_nothing_for_a_layer_that_the_fleet_does_not_have(pi: Hosted) -> None:
    told = command(pi, "fleet", "argocd", "adra")
    error = "adra: the fleet has no layers/adra.yaml; create it, or did you mean arda? The fleet has ainur and arda"
    assert (told.status, told.output, told.error) == (2, "", f"iluvatar-pxe: {error}\n")
    assert "argocd-adra" not in command(pi, "fleet", "token", "list").output


def test_argo_cd_reads_it(pi: Hosted, tmp_path: Path) -> None:
    """With the manifests that we print, and the calls that Argo CD makes: ls-remote polls, and a shallow fetch."""
    told = command(pi, "fleet", "argocd", "arda")
    assert told.status == 0, told.error
    authority, secret, _, application = (json.loads(text) for text in told.output.split("---\n")[1:])
    data = secret["stringData"]
    (tmp_path / "ca.crt").write_text(authority["data"][data["url"].partition("//")[2].partition(":")[0]])
    url = data["url"].replace("https://", f"https://{data['username']}:{data['password']}@")
    environment = {"GIT_SSL_CAINFO": str(tmp_path / "ca.crt")}
    assert "refs/heads/main" in git(tmp_path, "ls-remote", url, environment=environment)
    git(tmp_path, "init", "--quiet", "argo")
    argo = tmp_path / "argo"
    git(argo, "remote", "add", "origin", url)
    branch = application["spec"]["source"]["targetRevision"]
    git(
        argo,
        "fetch",
        "--quiet",
        "--force",
        "--prune",
        "--depth",
        "1",
        "origin",
        branch,
        environment=environment,
    )
    git(argo, "checkout", "--quiet", "--force", "FETCH_HEAD")
    assert (argo / application["spec"]["source"]["path"] / "README.md").is_file()
    assert git(argo, "rev-list", "--count", "HEAD").strip() == "1"
    assert "403" in git(argo, "push", url, "HEAD:main", check=False, environment=environment), (
        "it is read-only"
    )
    shallow = ("clone", "--quiet", "--depth", "1", "--single-branch", url, "again")
    git(tmp_path, *shallow, environment=environment)
    second = command(pi, "fleet", "argocd", "arda")
    assert data["password"] not in second.output
    assert "Authentication failed" in git(tmp_path, "ls-remote", url, check=False, environment=environment)


def test_a_new_host_opens_what_is_sealed(tmp_path: Path) -> None:
    """The first Pi is lost. A clone, and the recovery key on paper, are all that is left."""
    (tmp_path / "old").mkdir()
    with Hosted(tmp_path / "old") as old:
        key = old.recovery_key
        clone = old.owner(tmp_path / "clone")
        recipients = parse_fleet(
            {"fleet.yaml": "", "recipients.yaml": (clone.directory / "recipients.yaml").read_text()}
        )
        sealed = seal(b"cluster secrets", recipients.recipients.keys)
        record = f"layer: arda\ncaFingerprint: '{':'.join(['AB'] * 32)}'\n"
        clone.commit({"clusters/arda.yaml": record, "clusters/arda.secrets.age": sealed.decode()})
        clone.push()
        assert old.stop() == 0
    central = bare(tmp_path / "central.git")
    clone.push(str(central.path), "main")
    (tmp_path / "new").mkdir()
    new = Hosted(tmp_path / "new", {"fleet": {"source": f"file://{central.path}"}})
    (tmp_path / "paper").write_text(f"{key}\n")
    with new:
        told = command(new, "fleet", "recover", "--key", str(tmp_path / "paper"))
        assert (told.status, told.output) == (
            0,
            "This host can now open every sealed file of the fleet: clusters/arda.secrets.age\n",
        ), told.error
        assert command(new, "fleet", "recover", "--key", str(tmp_path / "clone" / "README.md")).status == 1
    text = git(central.path, "show", "main:clusters/arda.secrets.age")
    own = daemon_key(new.state / "age.key")
    assert unseal("x", text.encode(), [own]) == b"cluster secrets"


def test_a_lost_pi_is_made_again_of_a_clone(tmp_path: Path) -> None:
    """The new one has started with a fleet of its own already; once somebody has worked there, nothing is replaced."""
    (tmp_path / "old").mkdir()
    with Hosted(tmp_path / "old") as old:
        clone = old.owner(tmp_path / "clone")
        commit = clone.commit({"machines/nas.yaml": LISTED})
        clone.push()
    (tmp_path / "new").mkdir()
    with Hosted(tmp_path / "new") as new:
        assert new.token
        told = command(new, "fleet", "init", "--from", str(clone.directory))
        assert told.status == 0, told.error
        wait_until(lambda: b"nas" in new.get(f"/ipxe?mac={MAC}")[1], "the old fleet to be in force")
        assert commit in git(new.repository.path, "rev-list", "main")
        again = command(new, "fleet", "init", "--from", str(clone.directory))
        assert (again.status, "already has commits, which are not replaced" in again.error) == (1, True)
        new.fsck()
