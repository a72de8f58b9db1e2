"""A real daemon's ``/metrics``: valid, and true of what it did."""

import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from support.daemon import Daemon
from support.dig import dig
from support.fleets import INITRAMFS, KERNEL
from support.hosted import FILES
from support.scrape import Scrape
from support.tftp_client import TftpClient
from support.waiting import PATIENCE, wait_until

from iluvatar_pxe.wire.ntp import encode_request
from iluvatar_pxe.wire.tftp.packet import Data

FLEET = """enrolment: {mode: join, countdown: 1}
rules: [{match: {manufacturer: iluvatar-pxe}, layer: arda, role: worker}]
"""
BOOTS = 5
"""Each is one DISCOVER and six requests by HTTP, two of them for boot files."""
FILE = b"boot file" * 1000


@dataclass(frozen=True)
class Run:
    """A daemon by which simulated machines have booted, and what it said before and after."""

    daemon: Daemon
    before: Scrape
    after: Scrape

    def grew(self, name: str, **labels: str) -> float:
        return self.after.sum(name, **labels) - self.before.sum(name, **labels)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Run]:
    directory = tmp_path_factory.mktemp("daemon")
    daemon = Daemon(directory)
    for place, files in (
        (daemon.fleet, {**FILES, "fleet.yaml": FLEET}),
        (daemon.assets, dict.fromkeys((KERNEL, INITRAMFS), FILE.decode())),
    ):
        for name, text in files.items():
            (place / name).parent.mkdir(parents=True, exist_ok=True)
            (place / name).write_text(text or "", encoding="utf-8")
    with daemon:
        before = Scrape.of(daemon)
        simulate(directory, "ipxe", "--count", str(BOOTS))
        yield Run(daemon, before, Scrape.of(daemon))


def simulate(directory: Path, *words: str) -> None:
    command = [sys.executable, "-m", "iluvatar_pxe", "simulate", *words, "--server", "127.0.0.1"]
    subprocess.run([*command, "--config", str(directory / "config.toml")], check=True, timeout=PATIENCE)


def test_as_many_boots_are_counted_as_there_were(run: Run) -> None:
    of_all = {"layer": "arda", "chain": "talos", "simulated": "true"}
    assert run.grew("boots_started_total") == run.grew("boots_started_total", **of_all) == BOOTS
    assert run.grew("boots_total") == run.grew("boots_total", outcome="fetched", **of_all) == BOOTS
    for stage in ("script", "config"):  # for boot files all five are one: they have one address
        timed = {"stage": stage, "simulated": "true"}
        assert run.after.sum("boot_stage_duration_seconds_count", **timed) == BOOTS


def test_simulated_machines_are_none_of_the_real_ones(run: Run) -> None:
    assert run.after.sum("machines") == 0
    assert run.after.sum("boots_started_total", simulated="false") == 0
    assert run.after.sum("boot_stage_duration_seconds_count", simulated="false") == 0


def test_each_request_of_these_boots_is_counted(run: Run) -> None:
    offers = run.grew("request_duration_seconds_count", protocol="dhcp")
    assert BOOTS <= offers == run.grew("requests_total", protocol="dhcp"), "who waits for long asks again"
    (size,) = {line["bytes"] for line in run.daemon.logged("boot") if line["stage"] == "ipxe-discover"}
    assert run.grew("sent_bytes_total", protocol="dhcp") == offers * size
    own = 1  # the second scrape
    assert run.grew("requests_total", protocol="http") == 6 * BOOTS + own
    assert run.grew("transfers_total", protocol="http", outcome="done") == 2 * BOOTS
    assert run.grew("sent_bytes_total", protocol="http") > 2 * BOOTS * len(FILE)
    assert run.after.sum("request_faults_total") == run.after.sum("transfers_in_progress") == 0


def test_tftp(run: Run) -> None:
    def transfers() -> dict[str, float]:
        found = Scrape.of(run.daemon).all("transfers_total", protocol="tftp")
        return {dict(key)["outcome"]: number for key, number in found.items()}

    with TftpClient(run.daemon.tftp_port, "autoexec.ipxe") as client:
        packet = client.receive()
        assert isinstance(packet, Data)
        text = client.finish(packet)
    with TftpClient(run.daemon.tftp_port, "nothing") as client:
        client.receive()
    assert wait_until(lambda: len(transfers()) > 1 and transfers(), "both ends") == {"done": 1, "missing": 1}
    scrape = Scrape.of(run.daemon)
    assert scrape.sum("requests_total", protocol="tftp") == 2
    assert scrape.sum("sent_bytes_total", protocol="tftp") == len(text)
    assert scrape.sum("request_duration_seconds_count", protocol="tftp") == 2


def test_dns_counts_what_is_read_and_what_lies_ready(run: Run) -> None:
    port = run.daemon.settings["dns"]["port"]
    for words in ((), (), (), ("+tcp",)):
        dig(port, "localhost", "A", *words)
    scrape = Scrape.of(run.daemon)
    assert scrape.sum("requests_total", protocol="dns") == scrape.sum("dns_answers_total") == 4
    hot = scrape.sum("dns_answers_total", origin="hot")
    assert scrape.sum("request_duration_seconds_count", protocol="dns") == 4 - hot
    assert hot


def test_ntp(run: Run) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.settimeout(PATIENCE)
        client.sendto(encode_request(1), ("127.0.0.1", run.daemon.settings["ntp"]["port"]))
        size = len(client.recv(512))
    scrape = Scrape.of(run.daemon)
    assert scrape.sum("requests_total", protocol="ntp") == 1
    assert scrape.sum("sent_bytes_total", protocol="ntp") == size


def test_refusals_are_faults_by_their_status(run: Run) -> None:
    assert run.daemon.get("/assets/nothing")[0] == 404
    assert run.daemon.get("/git/fleet.git/info/refs?service=git-upload-pack")[0] == 401, "with a question"
    wrong = {"Authorization": "Basic bWU6d3Jvbmc=", "Content-Type": "application/x-git-upload-pack-request"}
    assert run.daemon.post("/git/fleet.git/git-upload-pack", b"", wrong) == 401
    scrape = Scrape.of(run.daemon)
    assert scrape.sum("request_faults_total", protocol="http", reason="404") == 1
    assert scrape.sum("request_faults_total", protocol="git") == 1
    assert scrape.sum("requests_total", protocol="git") == 2


def test_what_serves_metrics_is_not_loaded_before_somebody_asks() -> None:
    program = "import sys, iluvatar_pxe.app.app; sys.exit('prometheus_client' in sys.modules)"
    subprocess.run([sys.executable, "-c", program], check=True)


def test_promtool_finds_nothing_to_object_to(run: Run) -> None:
    done = subprocess.run(
        ["promtool", "check", "metrics"], input=run.after.text, text=True, capture_output=True, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_the_state_of_the_daemons_parts(run: Run) -> None:
    assert run.after.sum("database_up") == 1
    assert run.after.all("assets", state="ready")
    assert run.after.sum("part_healthy", part="database") == 1
    assert {dict(key)["certificate"] for key in run.after.all("certificate_expiry_timestamp_seconds")} == {
        "server",
        "authority",
    }
    assert run.after.sum("build_info") == 1
