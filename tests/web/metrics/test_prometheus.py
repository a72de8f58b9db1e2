"""A real Prometheus loads the rules, and scrapes a daemon by which simulated machines boot."""

import json
import os
import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import pytest
from support.monitoring import RULES, expressions
from support.simulated import reports_of, start_simulated
from support.simulated_site import LOCAL, PCS, simulated_site
from support.stations import Site
from support.waiting import wait_until

from iluvatar_pxe.lab.daemon import STATION
from iluvatar_pxe.lab.process import Process
from iluvatar_pxe.lab.room.namespace import DIRECTORY
from iluvatar_pxe.lab.room.network import INTERFACE, SERVER_ADDRESS
from iluvatar_pxe.simulate.machine import Kind

PCS_OF_TALOS = (Kind.UEFI_X64, Kind.IPXE)
BOOTS = len(PCS_OF_TALOS) + 1
CONFIG = f"""global: {{scrape_interval: 1s, evaluation_interval: 1s}}
rule_files: [{DIRECTORY}/alerts.yaml]
scrape_configs:
  - job_name: iluvatar-pxe
    static_configs: [{{targets: ["{SERVER_ADDRESS}:8080"]}}]
"""
WITHOUT_DATA = {
    "iluvatar_pxe_boot_duration_seconds_bucket": "a simulated machine joins nothing",
    "iluvatar_pxe_request_faults_total": "nothing was refused",
    "iluvatar_pxe_cluster_authority_expiry_timestamp_seconds": "there is no cluster",
    "iluvatar_pxe_fleet_commit_timestamp_seconds": "the fleet is a plain directory",
}
"""Metrics of the dashboard that such a run has no samples of, and why."""


@dataclass(frozen=True)
class Prometheus:
    site: Site
    process: Process

    def asks(self, path: str) -> Any:
        command = ["curl", "--silent", "--max-time", "20", f"http://127.0.0.1:9090/api/v1/{path}"]
        answer = json.loads(self.site.namespace.run(command, network=STATION))
        assert answer["status"] == "success", answer
        return answer["data"]

    def query(self, expression: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.asks(f"query?query={quote(expression, safe='')}")["result"]
        return found

    def value(self, expression: str) -> float:
        return sum(float(one["value"][1]) for one in self.query(expression))


@pytest.fixture(scope="module")
def prometheus() -> Iterator[Prometheus]:
    if os.geteuid() != 0 or not shutil.which("prometheus"):
        pytest.skip("needs root, for network namespaces, and prometheus")
    with simulated_site() as site:
        outside = site.namespace.outside
        outside(DIRECTORY / "prometheus.yaml").write_text(CONFIG)
        outside(DIRECTORY / "alerts.yaml").write_bytes(RULES.read_bytes())
        command = [
            "prometheus",
            f"--config.file={DIRECTORY}/prometheus.yaml",
            f"--storage.tsdb.path={DIRECTORY}/prometheus",
            "--web.listen-address=127.0.0.1:9090",
        ]
        process = site.namespace.start("prometheus", command, network=STATION)
        process.wait_for("Server is ready to receive web requests", 60)
        running = Prometheus(site, process)
        wait_until(lambda: running.value("up") == 1, "the first scrape")
        machines = start_simulated(site.namespace, PCS, *PCS_OF_TALOS, Kind.PI4)
        assert [report["reason"] for report in reports_of(machines)] == [""] * BOOTS
        local = [sys.executable, "-m", "iluvatar_pxe", "simulate", "ipxe", "--mac", LOCAL]
        site.namespace.run([*local, "--interface", INTERFACE], network=PCS)
        grown = "increase(iluvatar_pxe_boots_total[5m])"
        wait_until(
            lambda: running.query(grown), "the last boot to be scraped twice: one sample has no increase"
        )
        yield running


def test_it_knows_the_boots_that_there_were(prometheus: Prometheus) -> None:
    """The daemon takes these machines for real ones."""
    assert prometheus.value('iluvatar_pxe_boots_started_total{layer="arda", chain="talos"}') == BOOTS - 1
    assert prometheus.value('iluvatar_pxe_boots_started_total{layer="ainur", chain="raspberry-pi"}') == 1
    assert prometheus.value("iluvatar_pxe_boots_started_total") == BOOTS
    assert prometheus.value('iluvatar_pxe_boots_total{outcome="local"}') == 1
    assert prometheus.value('iluvatar_pxe_machines{layer="arda", phase="installing"}') == BOOTS - 1
    timed = 'iluvatar_pxe_boot_stage_duration_seconds_count{stage="config", simulated="false"}'
    assert prometheus.value(timed) == BOOTS - 1
    assert prometheus.value("iluvatar_pxe_machine_under_way_last_seen_timestamp_seconds > 0") > 0


def test_all_rules_are_loaded_and_can_be_evaluated(prometheus: Prometheus) -> None:
    def health() -> set[str]:
        (group,) = prometheus.asks("rules")["groups"]
        return {rule["health"] for rule in group["rules"]}

    assert wait_until(lambda: "unknown" not in health() and health(), "the rules to be evaluated") == {"ok"}
    assert {one["labels"]["alertname"] for one in prometheus.asks("alerts")["alerts"]} <= {
        "IluvatarPxeAssetMissing",
        "IluvatarPxePartUnhealthy",
    }, "boot files are not fetched here"


def test_every_panel_has_data(prometheus: Prometheus) -> None:
    empty = {one for one in expressions() if not prometheus.query(one)}
    unexplained = {one for one in empty if not any(name in one for name in WITHOUT_DATA)}
    assert not unexplained


def test_a_daemon_that_ends_is_lost(prometheus: Prometheus) -> None:
    daemon = prometheus.site.daemon
    assert daemon
    daemon.stop()
    alert = 'ALERTS{alertname="IluvatarPxePiLost", alertstate="pending"}'
    assert wait_until(lambda: prometheus.query(alert), "the alert")
