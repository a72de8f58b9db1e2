"""A daemon without CAP_NET_RAW: no machine can prove who it is, and the daemon says so."""

import os
from pathlib import Path

import pytest
from support.daemon import Daemon

WITHOUT = ["setpriv", "--bounding-set=-net_raw", "--inh-caps=-net_raw"]


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root: gives up a capability")
def test_health_names_what_is_missing(tmp_path: Path) -> None:
    with Daemon(tmp_path, prefix=WITHOUT) as daemon:
        status, report = daemon.ready()
    assert status == 503
    assert report["parts"]["dhcp"].startswith(
        "lo: Operation not permitted, so no machine can prove who it is"
    )


def test_all_is_well_with_it(tmp_path: Path) -> None:
    with Daemon(tmp_path) as daemon:
        _, report = daemon.ready()
    is_allowed = os.geteuid() == 0
    assert (report["parts"]["dhcp"] == "ok") is is_allowed
