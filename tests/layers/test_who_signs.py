"""Certificates are signed where the clock is checked, and nowhere else."""

import re
from pathlib import Path

import iluvatar_pxe

PACKAGE = Path(iluvatar_pxe.__file__).parent
SIGNING = re.compile(
    r"\b(generate_(k3s_)?bundle|new_(authority|root)|client_certificate|(talos|kubernetes|administrator)_credentials)\("
)


def test_only_the_service_that_asks_the_guarded_clock_signs_with_a_clusters_secrets() -> None:
    known = {
        str(path.relative_to(PACKAGE))
        for path in PACKAGE.rglob("*.py")
        if PACKAGE / "layers" not in path.parents and SIGNING.search(path.read_text(encoding="utf-8"))
    }
    assert known == {"provisioning/cluster_secrets.py"}
