"""The demonstration: an x86 and an arm64 machine that nobody has listed enrol and boot at the same time."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from iluvatar_pxe.lab.daemon import ask
from iluvatar_pxe.lab.room.lab import BOOT_SECONDS
from iluvatar_pxe.lab.user_lab import Sources, user_lab
from iluvatar_pxe.lab.watch.attempt import Attempt, attempt_boot

MACHINES = {"uefi-x64": "52:54:00:64:00:01", "uefi-arm64": "52:54:00:a6:40:02"}
"""MACs by kind of firmware."""


def demonstrate(
    sources: Sources, say: Callable[[str], None], show: Callable[[str, str], None]
) -> tuple[list[Attempt], str]:
    """Boot both machines; return how it went, and the inventory as ``machines list`` prints it. Raises LabError.

    ``show`` gets a kind of firmware and a line of that machine's console, from a thread for each.
    """
    with user_lab(sources, say) as user, ThreadPoolExecutor(len(MACHINES)) as pool:

        def boot(kind: str) -> Attempt:
            return attempt_boot(
                user.lab.network, kind, MACHINES[kind], lambda line: show(kind, line), BOOT_SECONDS
            )

        attempts = list(pool.map(boot, MACHINES))
        return attempts, ask(user.lab.namespace, "machines", "list")
