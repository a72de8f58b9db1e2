"""The order in which several processes share the tests: what takes long begins first, and emulated firmware is not alone.

``--dist=worksteal`` gives each process as many tests as the others, in the order of their collection; whoever has none
left takes half of another's. A minute's test that begins last then keeps all but one process idle, and machines under
QEMU that all begin at the end share two processors. So one process begins with the firmware, and the others with
``LONGEST``.
"""

from collections.abc import Sequence
from itertools import chain
from pathlib import Path

import pytest

TESTS = Path(__file__).parents[1]
LONGEST = (
    "cli/test_lab.py",
    "documents/test_checkout.py",
    "documents/test_installed.py",
    "install/test_under_systemd.py",
    "provisioning/test_two_daemons.py",
    "provisioning/test_removing.py",
    "provisioning/test_convergence.py",
    "provisioning/test_whole_clusters.py",
    "provisioning/test_reinstalling.py",
    "provisioning/test_clusters.py",
    "provisioning/test_k3s_upkeep.py",
    "provisioning/test_k3s_clusters.py",
    "provisioning/test_k3s_recovering.py",
    "provisioning/test_pi_cluster.py",
    "gitops/test_hook.py",
    "provisioning/test_trust.py",
    "simulate/test_bad_link.py",
    "provisioning/test_damaged_state.py",
    "provisioning/test_cluster_secrets.py",
    "simulate/test_many.py",
    "provisioning/test_fleet_in_git.py",
    "cli/test_cluster.py",
    "servers/test_supervision.py",
    "provisioning/test_snapshots.py",
    "simulate/test_pi_images.py",
    "provisioning/test_raspberry_pi.py",
    "cli/test_bad_input.py",
    "simulate/test_examples.py",
)
"""Files, with those first whose tests take longest together."""


def begun_early(items: Sequence[pytest.Item], processes: int) -> list[pytest.Item]:
    """Return all tests in the order in which so many processes, two at least, are to share them."""
    by_file: dict[str, list[pytest.Item]] = {}
    for item in items:
        by_file.setdefault(item.path.relative_to(TESTS).as_posix(), []).append(item)
    long = [by_file.pop(name) for name in LONGEST if name in by_file]
    firmware = [by_file.pop(name) for name in list(by_file) if _is_firmware(by_file[name])]
    others = processes - 1
    first = [firmware, *(long[number::others] for number in range(others))]
    rest = list(chain.from_iterable(by_file.values()))
    order: list[pytest.Item] = []
    for left, files in zip(range(processes, 0, -1), first, strict=True):
        own = list(chain.from_iterable(files))
        missing = max(0, (len(items) - len(order)) // left - len(own))
        order += [*own, *rest[:missing]]
        del rest[:missing]
    return [*order, *rest]


def _is_firmware(items: Sequence[pytest.Item]) -> bool:
    return any(item.get_closest_marker("firmware") for item in items)
