"""A sealed machine configuration: in Git nobody reads it, and its machine is served it."""

import re
import urllib.request
from functools import partial
from pathlib import Path

from support.hosted import FILES, Hosted
from support.repositories import Person, git
from support.waiting import wait_until
from support.warm import run_warm

from iluvatar_pxe.gitops.secrets.sealing import daemon_key, new_key
from iluvatar_pxe.wire.pxe import SIMULATED

MAC = "52:54:00:77:00:01"
CONFIG = "machine: {type: worker, token: abcdef.0123456789abcdef}\n"
LISTED = f'match: {{macs: ["{MAC}"]}}\nrole: worker\n'
AS_REAL = {"simulate": {"as_real": True}}


def asks(daemon: Hosted, path: str) -> str:
    """Ask as a machine that is simulated on the daemon's host."""
    url = f"http://127.0.0.1:{daemon.http_port}{path}"
    with urllib.request.urlopen(
        urllib.request.Request(url, headers={"User-Agent": SIMULATED.decode()})
    ) as answer:
        return str(answer.read().decode())


def script(daemon: Hosted) -> str:
    return asks(daemon, f"/ipxe?mac={MAC}&arch=x86_64&platform=efi")


def configuration(daemon: Hosted) -> str:
    """Return what the machine gets by the ticket in its script."""
    found = wait_until(lambda: re.search(r"/talos/\S+/config\.yaml", script(daemon)), "a ticket")
    assert found
    return asks(daemon, found[0])


def sealed_fleet(owner: Person) -> None:
    """Push a fleet whose configuration is sealed, as the README says."""
    owner.commit({**FILES, "machines/one.yaml": LISTED, "configs/worker.yaml": CONFIG})
    sealed = run_warm("fleet", "seal", str(owner.directory / "configs" / "worker.yaml"))
    assert sealed.status == 0, sealed.error
    owner.git("commit", "--quiet", "--all", "--amend", "--no-edit")
    assert "warning" not in owner.push()


def test_the_machine_is_served_what_git_does_not_show(tmp_path: Path) -> None:
    with Hosted(tmp_path, AS_REAL) as daemon:
        owner = daemon.owner(tmp_path / "clone")
        sealed_fleet(owner)
        assert configuration(daemon) == CONFIG
        assert "abcdef" not in git(daemon.repository.path, "grep", "-h", "", "main", "--", "configs")
        assert daemon.ready()[1]["parts"]["fleet"] == "ok"
        assert daemon.stop() == 0
    assert not any("0123456789abcdef" in line for line in daemon.errors), "never in the log"


def test_a_daemon_whose_key_does_not_open_it_holds_the_machine_until_the_owner_lets_it(
    tmp_path: Path,
) -> None:
    """As on a new Pi: whose key, and what to type, is told everywhere."""
    with Hosted(tmp_path, AS_REAL) as daemon:
        owner, recovery = daemon.owner(tmp_path / "clone"), daemon.recovery_key
        sealed_fleet(owner)
        assert configuration(daemon) == CONFIG
        assert daemon.stop() == 0
    (tmp_path / "paper").write_text(recovery)
    (daemon.state / "age.key").write_text(f"{new_key()}\n")
    with Hosted(tmp_path, AS_REAL) as again:
        public = daemon_key(again.state / "age.key").to_public()
        why = f"configs/worker.yaml is sealed, but not to this host's key {public}; run: iluvatar-pxe fleet recover --key FILE"
        assert again.ready()[1]["parts"]["fleet"] == why
        assert [line["why"] for line in again.logged("fleet.sealed")][:1] == [why]
        assert "configs/worker.yaml is sealed" in script(again)
        settings = ("--config", str(tmp_path / "config.toml"))
        recovered = run_warm("fleet", "recover", "--key", str(tmp_path / "paper"), *settings)
        assert "configs/worker.yaml" in recovered.output, recovered.error
        assert configuration(again) == CONFIG
        assert again.ready()[1]["parts"]["fleet"] == "ok"


def test_a_repository_elsewhere_that_holds_secrets_in_clear_is_told_in_the_log(tmp_path: Path) -> None:
    with Hosted(tmp_path) as daemon:
        owner = daemon.owner(tmp_path / "clone")
        owner.commit({**FILES, "configs/worker.yaml": CONFIG})
        assert "fleet seal configs/worker.yaml" in owner.push()
        told = daemon.wait_for_log("fleet.clear_secrets")
        assert (told["files"], told["why"].partition(":")[0]) == (1, "configs/worker.yaml")


def says(daemon: Hosted, problem: str) -> bool:
    return bool(daemon.ready()[1]["parts"]["fleet"] == problem)


def test_what_a_sealed_patch_makes_is_known_once_the_daemon_opens_it(tmp_path: Path) -> None:
    with Hosted(tmp_path) as daemon:
        owner = daemon.owner(tmp_path / "clone")
        patch = owner.directory / "patches" / "arda.yaml"
        layer = "kind: talos\ntalos: {version: v1.13.9}\npatches: [patches/arda.yaml]\n"
        for text, problem in (
            (
                "machine: {kubelets: {}}\n",
                "patches/arda.yaml:1: machine.kubelets: no such key; did you mean kubelet?",
            ),
            ("machine: {kubelet: {}}\n", "ok"),
        ):
            owner.commit({"layers/arda.yaml": layer, "patches/arda.yaml": text})
            assert run_warm("fleet", "seal", str(patch)).status == 0
            owner.git("commit", "--quiet", "--all", "--amend", "--no-edit")
            assert "rejected" not in owner.push()
            wait_until(partial(says, daemon, problem), problem)
