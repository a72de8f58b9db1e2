"""Work in the background gives way to what machines wait for."""

import os
import subprocess
import threading

from iluvatar_pxe.host.background import background_thread


def priorities() -> tuple[int, str]:
    """Return how nice this thread is, and its priority at the disk, as ionice(1) tells it."""
    thread = threading.get_native_id()
    command = ["ionice", "--pid", str(thread)]
    told = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    return os.getpriority(os.PRIO_PROCESS, thread), told.strip()


def test_a_background_thread_has_a_low_priority_and_no_other_has() -> None:
    before = priorities()
    with background_thread("test") as thread:
        assert thread.submit(priorities).result() == (10, "best-effort: prio 7")
    assert priorities() == before
