"""The program that a Pi runs before k3s, below a directory that stands for ``/``. Clock, mount and chpasswd are stand-ins."""

import hashlib
import importlib.util
import json
import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from support.ainur import cluster_of, node_of
from support.swapping import TICKET, Swapping, swapping

from iluvatar_pxe.layers.ainur.documents import secret_files_of, swap_answer
from iluvatar_pxe.layers.ainur.part import K3sPart

PROGRAM = Path(__file__).parents[3] / "boot_assets/k3s/prepare.py"
NOW = 1_796_000_000.0
BEGIN = 1_795_000_000
ASSET = "/assets/k3s/v1.36.3%2Bk3s1/k3s-arm64"
K3S = bytes(range(256)) * 400
FILES = [
    {"path": "/etc/rancher/node/password", "mode": "600", "text": "p\n", "stays": True},
    {"path": "/etc/rancher/k3s/token", "mode": "600", "text": "t\n", "stays": False},
    {"path": "/var/lib/rancher/k3s/server/tls/a.crt", "mode": "644", "text": "c\n", "stays": False},
]
PASSWORDS = {"path": "/etc/iluvatar/passwords", "mode": "600", "text": "anna:$y$x\n", "stays": False}


@dataclass
class Clock:
    """Stands for the module ``time``: nobody sets this host's clock."""

    now: float = NOW
    slept: list[float] = field(default_factory=list)
    CLOCK_REALTIME = 0

    def time(self) -> float:
        return self.now

    def clock_settime(self, _: int, moment: float) -> None:
        self.now = moment

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds


@dataclass
class Node:
    """A node: its files, its clock, and the program."""

    root: Path
    daemon: Swapping
    program: Any
    clock: Clock

    def prepare(self) -> None:
        self.program.main(self.root)

    def fails(self) -> str:
        """Have it try, and return why k3s cannot start yet."""
        with pytest.raises(self.program.Trouble) as caught:
            self.prepare()
        return str(caught.value)

    def configure(self, **more: Any) -> None:
        config = {
            "daemons": [self.daemon.url],
            "clocks": [self.daemon.url],
            "name": "ainur-01",
            "url": f"{self.daemon.url}{TICKET}",
            "not_before": BEGIN,
            "data": None,
            "assets": [self.asset()],
        }
        self.write("etc/iluvatar/node.json", json.dumps({**config, **more}))

    def asset(self, data: bytes = K3S) -> dict[str, str]:
        return {
            "path": ASSET,
            "sha256": hashlib.sha256(data).hexdigest(),
            "to": "/usr/local/bin/k3s",
            "mode": "755",
        }

    def write(self, path: str, text: str) -> None:
        (self.root / path).parent.mkdir(parents=True, exist_ok=True)
        (self.root / path).write_text(text)

    def read(self, path: str) -> str:
        return (self.root / path).read_text()

    def called(self) -> list[str]:
        """Return the stand-in programs that ran, with their arguments."""
        log = self.root.parent / "called"
        return log.read_text().splitlines() if log.exists() else []


@pytest.fixture
def node(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Node]:
    programs = tmp_path / "programs"
    programs.mkdir()
    for name, more in {
        "mount": '[ "$1" != LABEL=none ] || { echo "mount: $2: no such file system" >&2; exit 1; }',
        "chpasswd": f"cat >> {tmp_path}/called",
        "timedatectl": f"cat {tmp_path}/synchronized 2>/dev/null || echo no",
    }.items():
        (programs / name).write_text(f'#!/bin/sh\necho "{name} $*" >> {tmp_path}/called\n{more}\n')
        (programs / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{programs}:{os.environ['PATH']}")
    spec = importlib.util.spec_from_file_location("prepare", PROGRAM)
    assert spec
    assert spec.loader
    program = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(program)
    monkeypatch.setattr(program, "time", clock := Clock())
    with swapping(files=list(FILES), assets={ASSET: K3S}, now=NOW) as daemon:
        found = Node(tmp_path / "root", daemon, program, clock)
        found.configure()
        yield found


def mode_of(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_it_gets_its_secrets_and_k3s_and_then_asks_nobody(node: Node) -> None:
    (node.root / "var/lib/rancher/k3s/agent/images").mkdir(parents=True)
    node.prepare()
    assert node.read("etc/rancher/k3s/token") == "t\n"
    assert mode_of(node.root / "etc/rancher/k3s/token") == 0o600
    assert mode_of(node.root / "var/lib/rancher/k3s/server/tls/a.crt") == 0o644
    assert (node.root / "usr/local/bin/k3s").read_bytes() == K3S
    assert mode_of(node.root / "usr/local/bin/k3s") == 0o755
    assert (node.root / "usr/local/bin/kubectl").readlink() == Path("k3s")
    assert (node.root / "var/lib/rancher/k3s/agent/images/.cache.json").exists()
    assert node.daemon.names() == ["swap", "stored", ASSET]
    assert node.daemon.reports() == [
        ("k3s/secrets", "start", ""),
        ("k3s/secrets", "finish", "SUCCESS"),
        ("k3s/k3s", "start", ""),
        ("k3s/k3s", "finish", "SUCCESS"),
    ]
    asked = len(node.daemon.asked)
    node.prepare()
    assert len(node.daemon.asked) == asked
    assert not list(node.root.rglob("*.new"))
    assert not list(node.root.rglob("*.part"))


@pytest.mark.parametrize("part", K3sPart)
def test_it_reads_what_the_daemon_answers(node: Node, part: K3sPart) -> None:
    files = secret_files_of(cluster_of(), node_of(), part)
    node.daemon.files = json.loads(swap_answer(files, ""))["files"]
    node.prepare()
    assert {path: node.read(path.lstrip("/")) for path in files} == {
        path: one.text for path, one in files.items()
    }
    assert {path: mode_of(node.root / path.lstrip("/")) for path in files} == {
        path: one.mode for path, one in files.items()
    }


def test_it_says_whether_etcd_has_data(node: Node) -> None:
    (node.root / "var/lib/rancher/k3s/server/db/etcd/member/wal").mkdir(parents=True)
    node.prepare()
    assert ("swap", {"etcd": True}) in node.daemon.asked


def test_a_node_password_that_is_there_stays(node: Node) -> None:
    node.write("etc/rancher/node/password", "mine\n")
    node.prepare()
    assert node.read("etc/rancher/node/password") == "mine\n"


def test_a_lost_answer_strands_nobody(node: Node) -> None:
    node.daemon.hangs_up = {"swap"}
    assert "closed connection" in node.fails()
    assert not (node.root / "etc/rancher/k3s/token").exists()
    node.daemon.hangs_up = {"stored"}
    assert "closed connection" in node.fails()
    assert node.daemon.stored == "receipt 1"
    node.prepare()
    assert node.daemon.names() == ["swap", "swap", "stored", "stored", ASSET]
    assert (node.root / "etc/iluvatar/swapped").exists()
    assert not (node.root / "etc/iluvatar/receipt").exists()


def test_a_loss_of_power_before_the_files_are_stored_costs_another_swap(node: Node) -> None:
    node.write("etc/rancher/k3s", "a file in the way, as a full disk would be")
    with pytest.raises(OSError, match="k3s"):
        node.prepare()
    assert "stored" not in node.daemon.names()
    (node.root / "etc/rancher/k3s").unlink()
    node.prepare()
    assert node.daemon.stored == "receipt 1"


def test_files_that_are_stored_count_whatever_became_of_the_ticket(node: Node) -> None:
    node.daemon.hangs_up = {"stored"}
    node.fails()
    node.daemon.receipts.clear()
    node.prepare()
    assert node.daemon.names().count("swap") == 1


def test_it_waits_as_long_as_the_daemon_says(node: Node) -> None:
    node.daemon.waits = "ainur-02 joins first"
    assert node.fails() == "ainur-02 joins first"
    assert node.clock.slept == [7]
    assert node.daemon.reports()[-1] == ("k3s", "finish", "FAIL")
    assert node.daemon.asked[-1][1]["description"] == "ainur-02 joins first"
    node.daemon.waits = ""
    node.prepare()


def test_a_dead_ticket_is_told(node: Node) -> None:
    node.daemon.stored = "another one's"
    assert node.fails() == "the ticket was swapped before"


def test_only_the_daemon_that_made_the_ticket_is_shown_it(node: Node) -> None:
    away = "http://127.0.0.1:1"
    node.configure(daemons=[away, node.daemon.url], url=f"{away}{TICKET}")
    told = node.fails()
    assert told.startswith(f"{away}: ")
    assert told.endswith(
        "run on another one: iluvatar-pxe machines reinstall ainur-01, and restart this machine"
    )
    assert node.daemon.asked == []


def test_the_next_daemon_is_asked_for_files_where_one_is_away(node: Node) -> None:
    away = "http://127.0.0.1:1"
    node.configure(daemons=[away, node.daemon.url])
    node.prepare()
    node.configure(daemons=[away], assets=[node.asset(b"x")])
    assert node.fails().startswith(f"{away}{ASSET}: ")


def test_passwords_are_set_with_the_secrets(node: Node) -> None:
    node.daemon.files.append(PASSWORDS)
    node.prepare()
    assert node.called() == ["chpasswd --encrypted", "anna:$y$x"]


def test_passwords_are_set_again_until_the_first_boot_is_complete(node: Node) -> None:
    node.daemon.files.append(PASSWORDS)
    node.prepare()
    node.prepare()
    node.write("var/lib/cloud/iluvatar-configured", "")
    node.prepare()
    assert node.called() == ["chpasswd --encrypted", "anna:$y$x"] * 2


def test_a_download_goes_on_where_it_ended(node: Node) -> None:
    node.daemon.cuts_at = 1000
    assert node.fails() == f"{node.daemon.url}{ASSET}: ends {len(K3S) - 1000} bytes too early"
    assert not (node.root / "usr/local/bin/k3s").exists()
    node.prepare()
    assert (ASSET, "bytes=1000-") in node.daemon.asked
    assert (node.root / "usr/local/bin/k3s").read_bytes() == K3S


def test_a_download_that_was_complete_is_not_repeated(node: Node) -> None:
    node.write("usr/local/bin/.k3s.part", "")
    (node.root / "usr/local/bin/.k3s.part").write_bytes(K3S)
    node.prepare()
    assert ASSET not in node.daemon.names()
    assert (node.root / "usr/local/bin/k3s").read_bytes() == K3S


def test_what_has_another_checksum_is_downloaded_from_the_start(node: Node) -> None:
    node.write("usr/local/bin/.k3s.part", "of another version")
    assert "is another file than the daemon said" in node.fails()
    node.prepare()
    assert (node.root / "usr/local/bin/k3s").read_bytes() == K3S


def test_another_version_replaces_the_one_that_is_there(node: Node) -> None:
    node.prepare()
    node.daemon.assets[ASSET] = b"newer"
    node.configure(assets=[node.asset(b"newer")])
    node.prepare()
    assert (node.root / "usr/local/bin/k3s").read_bytes() == b"newer"


def test_a_clock_that_is_behind_is_set_by_the_daemon(node: Node) -> None:
    node.clock.now = 0.0
    node.prepare()
    assert node.clock.now == NOW
    assert node.called() == []


def test_a_clock_ahead_of_the_daemon_s_is_left_to_the_time_servers(node: Node) -> None:
    node.clock.now = NOW + 1000
    (node.root.parent / "synchronized").write_text("yes\n")
    node.prepare()
    assert node.clock.now == NOW + 1000
    assert node.called() == ["timedatectl show --property=NTPSynchronized --value"]


def test_a_clock_that_nobody_confirms_is_waited_for_and_then_has_to_do(node: Node) -> None:
    node.prepare()
    (node.root / "run/iluvatar-clock").unlink()
    node.configure(daemons=["http://127.0.0.1:1"], clocks=["http://127.0.0.1:1"])
    node.prepare()
    assert len(node.clock.slept) == node.program.SYNC_SECONDS
    node.prepare()
    assert len(node.clock.slept) == node.program.SYNC_SECONDS


def test_k3s_never_starts_before_its_cluster_was_made(node: Node) -> None:
    node.configure(daemons=["http://127.0.0.1:1"], clocks=["http://127.0.0.1:1"])
    node.clock.now = 5.0
    assert (
        node.fails() == "the clock says 1970-01-01, before the cluster was made on 2026-11-18; start a daemon"
    )
    assert "swap" not in node.daemon.names()


DATA = {"source": "LABEL=data", "folders": {"rancher": "/var/lib/rancher", ".": "/var/lib/longhorn"}}


def test_what_lasts_is_mounted_before_anything_is_stored_there(node: Node) -> None:
    node.configure(data=DATA)
    node.prepare()
    data = f"{node.root}/var/lib/iluvatar/data"
    assert node.called() == [
        f"mount LABEL=data {data}",
        f"mount --bind {data}/rancher {node.root}/var/lib/rancher",
        f"mount --bind {data} {node.root}/var/lib/longhorn",
    ]
    assert (node.root / "var/lib/iluvatar/data/rancher").is_dir()


def test_without_the_file_system_for_what_lasts_k3s_does_not_start(node: Node) -> None:
    node.configure(data={**DATA, "source": "LABEL=none"})
    assert node.fails() == f"mount: mount: {node.root}/var/lib/iluvatar/data: no such file system"
    assert node.daemon.names() == []
