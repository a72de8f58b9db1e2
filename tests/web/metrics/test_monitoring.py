"""The alert rules and the dashboard: valid, and about metrics that there are."""

import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from support.daemon import Daemon
from support.monitoring import DASHBOARD, METRIC, RULES, dashboard, expressions
from support.scrape import Scrape

HERE = Path(__file__).parent
PAGE = HERE.parents[2] / "docs" / "metrics.md"


@pytest.fixture(scope="module")
def daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    with Daemon(tmp_path_factory.mktemp("daemon")) as running:
        yield running


def promtool(*words: str, cwd: Path) -> None:
    done = subprocess.run(["promtool", *words], capture_output=True, text=True, check=False, cwd=cwd)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_rules_are_valid_and_fire_when_they_should(tmp_path: Path) -> None:
    for file in (RULES, HERE / "alerts_test.yaml"):
        shutil.copy(file, tmp_path)
    promtool("check", "rules", "alerts.yaml", cwd=tmp_path)
    promtool("test", "rules", "alerts_test.yaml", cwd=tmp_path)


def test_every_alert_is_tested() -> None:
    (group,) = yaml.safe_load(RULES.read_text())["groups"]
    tests = yaml.safe_load((HERE / "alerts_test.yaml").read_text())["tests"]
    fired = {one["alertname"] for test in tests for one in test["alert_rule_test"] if one["exp_alerts"]}
    assert {rule["alert"] for rule in group["rules"]} == fired


def test_what_the_dashboard_asks_is_promql(tmp_path: Path) -> None:
    rules = [{"record": f"panel:{number}", "expr": one} for number, one in enumerate(expressions())]
    file = tmp_path / "panels.yaml"
    file.write_text(yaml.safe_dump({"groups": [{"name": "panels", "rules": rules}]}))
    promtool("check", "rules", file.name, cwd=tmp_path)


def test_the_dashboard_can_be_imported() -> None:
    """As far as that can be told without Grafana: what its import asks for, and panels that do not overlap."""
    board = dashboard()
    assert board["__inputs"][0]["name"] == "DS_PROMETHEUS"
    assert board["id"] is None
    panels = board["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    places = [
        (x, y)
        for place in (panel["gridPos"] for panel in panels)
        for x in range(place["x"], place["x"] + place["w"])
        for y in range(place["y"], place["y"] + place["h"])
    ]
    assert len(set(places)) == len(places)
    assert max(x for x, _ in places) < 24
    needed = {one["id"] for one in board["__requires"] if one["type"] == "panel"}
    assert {panel["type"] for panel in panels} - {"row"} == needed


def test_the_page_of_the_documentation_has_every_metric(daemon: Daemon) -> None:
    page = PAGE.read_text()
    named = {name.removeprefix("iluvatar_pxe_") for name in Scrape.of(daemon).families}
    assert not {name for name in named if not name.startswith("process_") and f"`{name}`" not in page}
    alerts = {rule["alert"] for rule in yaml.safe_load(RULES.read_text())["groups"][0]["rules"]}
    assert alerts == set(re.findall(r"\| (IluvatarPxe\w+) \|", page))


def test_the_configuration_of_the_documentation_is_one(tmp_path: Path) -> None:
    shutil.copy(RULES, tmp_path)
    (tmp_path / "prometheus.yaml").write_text(PAGE.read_text().split("```yaml\n")[1].partition("```")[0])
    promtool("check", "config", "prometheus.yaml", cwd=tmp_path)


@pytest.mark.parametrize("file", [RULES, DASHBOARD], ids=lambda file: file.name)
def test_every_metric_that_is_named_is_there(file: Path, daemon: Daemon) -> None:
    scrape = Scrape.of(daemon)
    missing = set(METRIC.findall(file.read_text())) - scrape.names
    assert not missing
