"""What we ship for Prometheus and Grafana."""

import json
import re
from typing import Any

from iluvatar_pxe.resources import data_directory

_MONITORING = data_directory("boot_assets") / "monitoring"
RULES = _MONITORING / "alerts.yaml"
DASHBOARD = _MONITORING / "dashboard.json"
_VARIABLES = {"$__rate_interval": "5m", "$instance": ".*", "$layer": ".*", "$simulated": ".*"}
"""What Grafana puts in the place of its variables, where everything is chosen."""
METRIC = re.compile(r"\b(?:iluvatar_pxe|process)_[a-z0-9_]+")


def dashboard() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(DASHBOARD.read_text())
    return found


def expressions() -> list[str]:
    """Return what the dashboard's panels ask of Prometheus."""
    written = [target["expr"] for panel in dashboard()["panels"] for target in panel.get("targets", [])]
    return [_filled(expression) for expression in written]


def _filled(expression: str) -> str:
    for variable, value in _VARIABLES.items():
        expression = expression.replace(variable, value)
    return expression
