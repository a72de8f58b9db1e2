"""The daemon goes on, or ends, as it should, whatever is wrong around it."""

import os
import signal
from pathlib import Path

from support.daemon import Daemon
from support.waiting import wait_until
from support.warm import run_warm

STOP_GUARD = 15.0
"""Seconds after which a stop has failed; it is to take less than 10."""
MAC = "52:54:00:77:00:01"


def test_a_second_daemon_on_the_same_state_is_refused(tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    first, second = (
        Daemon(tmp_path),
        Daemon(tmp_path / "other", {"state": {"directory": str(tmp_path / "state")}}),
    )
    with first:
        second.start()
        assert second.ends() == 1
        assert second.errors == [
            f"iluvatar-pxe: {first.state}: another iluvatar-pxe uses it; stop that or set [state] directory"
        ]
        assert first.ready()[0] == 200
    with second:
        assert second.ready()[0] == 200


def test_a_log_that_nobody_reads_stops_nothing(tmp_path: Path) -> None:
    daemon = Daemon(tmp_path)
    reader, writer = os.pipe()
    with os.fdopen(writer, "wb") as log:
        daemon.start_with(log)
    try:
        wait_until(daemon.listens, "the daemon to listen")
        os.close(reader)
        for number in range(3):
            assert daemon.get(f"/ipxe?mac=52:54:00:77:00:0{number}")[0] == 200
        daemon.process.send_signal(signal.SIGHUP)
        assert daemon.get(f"/ipxe?mac={MAC}")[0] == 200
    finally:
        assert daemon.stop(STOP_GUARD) in {
            0,
            120,
        }  # 120: Python itself says that the log could not be written


def test_sigterm_ends_it_while_a_fleet_is_still_being_read(tmp_path: Path) -> None:
    with Daemon(tmp_path) as daemon:
        (daemon.fleet / "fleet.yaml").write_text("a:\n" + "  - {b: [c, d, e]}\n" * 40_000)
        daemon.process.send_signal(signal.SIGHUP)
        daemon.get("/healthz")
        assert daemon.stop(STOP_GUARD) == 0
        assert daemon.logged("stopped")


def test_a_misspelt_option_is_usage(tmp_path: Path) -> None:
    ended = run_warm("serve", "--confg", str(tmp_path))
    assert ended.status == 2
    assert "Traceback" not in ended.error
