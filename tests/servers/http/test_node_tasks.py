"""A node asks what it is to do: its own program against the real server; systemctl is a stand-in."""

import asyncio
import fcntl
import hashlib
import json
import os
import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs
from support.ainur import bundle_of
from support.fleets import fleet_of
from support.node_programs import NodeRoot, program
from support.pi_cluster import Cluster
from support.web import Web, web

from iluvatar_pxe import ratelimit
from iluvatar_pxe.errors import ConfigurationError, WireError
from iluvatar_pxe.layers.ainur.credentials import administrator_credentials
from iluvatar_pxe.layers.ainur.keys import load_chain
from iluvatar_pxe.layers.ainur.node_tasks import (
    Facts,
    Kind,
    State,
    Task,
    answer_code,
    content_code,
    request_code,
    task_key,
    write_answer,
)
from iluvatar_pxe.provisioning import node_tasks
from iluvatar_pxe.provisioning.node_tasks import NodeTasks

LAYER = "image: ubuntu\nroot: {kind: memory, data: {label: data}}\n"
FLEET = fleet_of(("ainur-01", "2c:cf:67:00:00:05", "layer: ainur\nrole: server\n"), ainur=LAYER)
OLD, NEW = b"old k3s", b"new k3s " * 1000
PATH = "/assets/k3s/new/k3s-arm64"
RESTART = Task("restart/1", Kind.RESTART)
UPGRADE = Task(
    "upgrade/v1.36.4+k3s1",
    Kind.UPGRADE,
    {
        "version": "v1.36.4+k3s1",
        "assets": [
            {
                "path": PATH,
                "sha256": hashlib.sha256(NEW).hexdigest(),
                "to": "/usr/local/bin/k3s",
                "mode": "755",
            }
        ],
    },
)


@dataclass
class Site:
    """A daemon, a node, and the node's programs."""

    web: Web
    tasks: NodeTasks
    node: NodeRoot
    program: Any

    def ticks(self) -> list[str]:
        """Have the timer run the program; return what systemctl was called with."""
        self.program.main(self.node.root)
        return self.node.called()

    def k3s_starts(self) -> None:
        """Run what runs before k3s."""
        self.program.prepare.main(self.node.root)
        self.program.main(self.node.root, before_k3s=True)

    @property
    def facts(self) -> Facts:
        return self.tasks.facts["ainur-01"]

    @property
    def state(self) -> tuple[str, State, str] | None:
        """What the daemon hears of the last task."""
        self.program.main(self.node.root)
        task = self.facts.task
        return (task.id, task.state, task.why) if task else None

    @property
    def k3s(self) -> bytes:
        return (self.node.root / "usr/local/bin/k3s").read_bytes()


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    monkeypatch.setattr(ratelimit._complaints, "_limiters", {})
    made = Cluster(fleet=FLEET)
    with web(tmp_path, FLEET, cloud_init=made.cloud_init) as running:
        assert running.booter.cloud_init
        tasks = running.booter.cloud_init.node_tasks
        node = NodeRoot(tmp_path / "root")
        site = Site(running, tasks, node, program("tasks"))
        own = {"path": "/assets/k3s/old", "sha256": hashlib.sha256(OLD).hexdigest(), "mode": "755"}
        node.lay([f"http://127.0.0.1:{running.port}"], [{**own, "to": "/usr/local/bin/k3s"}], monkeypatch)
        for path, text in {
            "etc/iluvatar/swapped": "",
            "run/iluvatar-clock": "",
            "usr/local/bin/k3s": OLD.decode(),
        }.items():
            node.write(path, text)
        node.write("etc/iluvatar/node.json", json.dumps({**node.config, "data": None, "not_before": 0}))
        yield site


def test_a_node_tells_how_it_is_and_has_nothing_to_do(site: Site) -> None:
    site.node.write("run/reboot-required", "*** System restart required ***\n")
    site.node.write("var/lib/rancher/k3s/server/db/etcd/member/wal/0.wal", "")
    assert site.ticks() == []
    facts = site.facts
    assert (facts.version, facts.boot, facts.reboot_required) == ("v1.36.3+k3s1", site.node.boot, True)
    assert facts.etcd
    assert datetime.now(UTC) - facts.etcd < timedelta(hours=1)
    assert (facts.task, facts.ends) == (None, None)


def test_a_node_tells_when_the_first_of_its_certificates_ends(site: Site) -> None:
    bundle, now = bundle_of(), datetime(2026, 12, 1, tzinfo=UTC)
    for days, path in {90: "server/tls/client-admin.crt", 40: "agent/client-kubelet.crt"}.items():
        crt = administrator_credentials(bundle, timedelta(days=days), now, os.urandom).crt
        site.node.write(f"var/lib/rancher/k3s/{path}", crt)
    site.node.write("var/lib/rancher/k3s/agent/client-ca.crt", bundle.client.crt)
    site.node.write("var/lib/rancher/k3s/agent/empty.crt", "")
    cut = "-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n"
    site.node.write("var/lib/rancher/k3s/agent/cut.crt", cut)
    ended = administrator_credentials(bundle, timedelta(days=1), now, os.urandom).crt
    site.node.write("var/lib/rancher/k3s/agent/containerd/fs/etc/ssl/root.crt", ended)
    site.ticks()
    certificates = (site.node.root / "var/lib/rancher/k3s/agent/client-kubelet.crt").read_text()
    assert site.facts.ends == load_chain(certificates)[0].not_valid_after_utc


def test_what_a_task_needs_besides_is_only_given_by_tls_and_to_its_node(site: Site) -> None:
    async def secret() -> bytes:
        return b"secret"

    key, body = task_key(bundle_of(), "ainur-01"), b'{"node": "ainur-01"}'
    code = content_code(key, body)
    assert site.web.post("/k3s/content", body, Authorization=code).status == 404
    with pytest.raises(ConfigurationError, match="nothing is kept for it here"):
        asyncio.run(site.tasks.content("10.0.0.1", body, code))
    site.tasks.offer("ainur-01", secret)
    assert asyncio.run(site.tasks.content("10.0.0.1", body, code)) == b"secret"
    for wrong in (
        "",
        "\udcff",
        request_code(key, body),
        content_code(task_key(bundle_of(), "ainur-02"), body),
    ):
        with pytest.raises(ConfigurationError, match="does not prove to be it"):
            asyncio.run(site.tasks.content("10.0.0.1", body, wrong))
    for faulty in (b"", b"[]", b'{"node": "../x"}'):
        with pytest.raises(WireError):
            asyncio.run(site.tasks.content("10.0.0.1", faulty, code))


def test_a_restart_is_done_once_and_told(site: Site) -> None:
    site.tasks.give("ainur-01", RESTART)
    assert site.ticks() == ["restart --no-block k3s.service"]
    assert site.facts.task
    assert site.facts.task.state is State.BEGUN, "what goes on is known before it is through"
    site.k3s_starts()
    assert site.state == ("restart/1", State.DONE, "")
    assert site.ticks() == []
    site.tasks.give("ainur-01", Task("restart/2", Kind.RESTART))
    assert site.ticks() == ["restart --no-block k3s.service"]


def test_what_a_daemon_gives_again_after_another_task_is_not_done_again(site: Site) -> None:
    for number in (1, 2):
        site.tasks.give("ainur-01", Task(f"restart/{number}", Kind.RESTART))
        site.k3s_starts()
    site.tasks.give("ainur-01", RESTART)
    assert site.ticks() == []
    assert site.state == ("restart/2", State.DONE, "")


def test_a_task_that_is_not_given_again_lapses(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its daemon may see the cluster no more, and another one has taken its turn."""
    site.tasks.give("ainur-01", RESTART)
    monkeypatch.setattr(node_tasks, "GIVEN_SECONDS", 0.0)
    assert site.ticks() == []


def test_k3s_that_just_starts_needs_no_restart(site: Site) -> None:
    site.tasks.give("ainur-01", RESTART)
    site.k3s_starts()
    assert (site.state, site.node.called()) == (("restart/1", State.DONE, ""), [])


def test_an_upgrade_is_downloaded_while_k3s_runs_and_takes_its_place_while_it_is_down(site: Site) -> None:
    site.web.put("k3s/new/k3s-arm64", NEW)
    site.tasks.give("ainur-01", UPGRADE)
    assert site.ticks() == ["restart --no-block k3s.service"]
    assert site.k3s == OLD
    site.k3s_starts()
    assert site.k3s == NEW
    assert site.node.config["version"] == "v1.36.4+k3s1"
    assert site.state == (UPGRADE.id, State.DONE, "")
    site.k3s_starts()  # the old file does not come back
    assert site.k3s == NEW


def test_an_upgrade_waits_for_its_files(site: Site) -> None:
    site.tasks.give("ainur-01", UPGRADE)
    with pytest.raises(site.program.prepare.Trouble):
        site.ticks()
    assert site.node.called() == []
    with pytest.raises(site.program.prepare.Trouble):
        site.ticks()
    assert site.facts.task
    assert (site.facts.task.state, PATH in site.facts.task.why) == (State.WAITS, True)
    site.web.put("k3s/new/k3s-arm64", NEW)
    assert site.ticks() == ["restart --no-block k3s.service"]


@pytest.mark.parametrize("moment", ["store", "fetch_asset", "sync"])
@pytest.mark.parametrize("times", range(5))
def test_a_loss_of_power_at_any_moment_of_an_upgrade_leads_to_the_new_version(
    site: Site, monkeypatch: pytest.MonkeyPatch, moment: str, times: int
) -> None:
    """Before a file is stored, before one takes its place, and just after either."""
    site.web.put("k3s/new/k3s-arm64", NEW)
    site.tasks.give("ainur-01", UPGRADE)
    prepare, left = site.program.prepare, iter(range(times))
    works = getattr(prepare, moment)

    def until_power_is_lost(*arguments: Any) -> Any:
        if next(left, None) is None:
            raise KeyboardInterrupt
        return works(*arguments)

    with monkeypatch.context() as patch:
        patch.setattr(prepare, moment, until_power_is_lost)
        with suppress(KeyboardInterrupt):
            site.program.main(site.node.root)
            site.k3s_starts()
    site.node.start_up()
    site.k3s_starts()
    site.ticks()
    site.k3s_starts()
    assert site.k3s == NEW
    assert site.state == (UPGRADE.id, State.DONE, "")


def test_a_machine_restarts_once(site: Site) -> None:
    task = Task("reboot/1", Kind.REBOOT, {"boot": site.node.boot})
    site.tasks.give("ainur-01", task)
    assert site.ticks() == ["reboot"]
    assert site.ticks() == ["reboot"], "until it has"
    site.node.start_up()
    site.k3s_starts()
    assert (site.node.called(), site.state) == ([], ("reboot/1", State.DONE, ""))
    (site.node.root / site.program.STATE).unlink()  # what it had in memory is gone
    assert site.ticks() == []


def test_what_is_not_known_to_be_a_daemon_s_is_not_done(
    site: Site, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    site.tasks.give("ainur-01", RESTART)
    answer = site.tasks.answer

    async def forged(client: str, body: bytes, code: str) -> tuple[bytes, str]:
        await answer(client, body, code)
        found = write_answer(RESTART)
        return found, answer_code(task_key(bundle_of(), "ainur-01"), "0" * 32, found)

    async def garbled(client: str, body: bytes, code: str) -> tuple[bytes, str]:
        return (await answer(client, body, code))[0], "ü"

    for told in (forged, garbled):  # a true answer to another question, and what is no code
        monkeypatch.setattr(site.tasks, "answer", told)
        assert site.ticks() == []
        assert "no answer of a daemon that knows this cluster" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["ainur-01", "ainur-02", "talos-01"])
def test_who_does_not_prove_to_be_a_node_is_refused_and_logged(site: Site, name: str) -> None:
    site.tasks.give(name, RESTART)
    site.node.write("etc/iluvatar/node.json", json.dumps({**site.node.config, "name": name}))
    site.node.write("etc/iluvatar/task-key", task_key(bundle_of("other"), name).hex())
    with capture_logs() as logs:
        assert site.ticks() == []
    (line,) = [one for one in logs if one["event"] == "k3s.tasks.refused"]
    assert (line["node"], line["client"]) == (name, "127.0.0.1")
    assert site.tasks.facts == {}


@pytest.mark.parametrize(
    "body", [b"", b"[]", b"{}", b'{"node": "a", "nonce": "x", "facts": {}}', b"[" * 9000]
)
def test_what_is_no_question_is_refused(site: Site, body: bytes) -> None:
    assert site.web.post("/k3s/tasks", body).status == 400


def test_what_is_too_large_is_refused(site: Site) -> None:
    assert site.web.post("/k3s/tasks", b" " * 20_000).status == 413


def test_another_daemon_is_asked_where_one_is_away(site: Site) -> None:
    away = "http://127.0.0.1:1"
    site.node.write(
        "etc/iluvatar/node.json",
        json.dumps({**site.node.config, "daemons": [away, *site.node.config["daemons"]]}),
    )
    site.tasks.give("ainur-01", RESTART)
    assert site.ticks() == ["restart --no-block k3s.service"]


@contextmanager
def dripping(heads: bytes) -> Iterator[str]:
    """Give the URL of a server that answers one byte after another, until the block ends; ``heads`` come at once."""
    over = threading.Event()

    class Drips(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            self.request.sendall(heads)
            while not over.wait(0.05):
                self.request.sendall(b"x")

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Drips) as server:
        serving = threading.Thread(target=server.serve_forever, args=[0.05])
        serving.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}"
        finally:
            over.set()
            server.shutdown()
            serving.join()


@pytest.mark.parametrize("heads", [b"", b"HTTP/1.1 200 OK\r\nContent-Length: 99999\r\n\r\n"])
def test_who_answers_byte_by_byte_keeps_k3s_from_starting_for_seconds_only(
    site: Site, heads: bytes, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(site.program, "TIMEOUT", 0.2)
    monkeypatch.setattr(site.program.prepare, "TIMEOUT", 0.2)
    with dripping(heads) as slow:
        told = {**site.node.config, "daemons": [slow], "url": f"{slow}/cloud-init/T"}
        site.node.write("etc/iluvatar/node.json", json.dumps(told))
        site.k3s_starts()
        assert f"tasks: {slow}: has not answered within 0.2 s" in capsys.readouterr().err
        with pytest.raises(site.program.prepare.Trouble, match=r"has not answered within 0\.2 s"):
            site.program.prepare.ask(told, "swap", {})


def test_what_runs_already_is_left_alone(site: Site) -> None:
    site.tasks.give("ainur-01", RESTART)
    with (site.node.root / site.program.LOCK).open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert site.ticks() == []
    assert site.ticks() != []
