"""Simulated machines of several kinds at once: ``python simulated.py INTERFACE KIND…`` prints a JSON list of reports."""

import asyncio
import json
import sys
from typing import Any

from iluvatar_pxe.lab.process import Process
from iluvatar_pxe.lab.room.namespace import Namespace
from iluvatar_pxe.simulate.boot import boot_with_nics
from iluvatar_pxe.simulate.link.attachment import Ports
from iluvatar_pxe.simulate.machine import Kind, Machine, random_mac

BOOT_SECONDS = 200.0


def start_simulated(namespace: Namespace, network: str, *kinds: str) -> Process:
    """Boot machines by cards on a station's ``eth0``, at once."""
    command = [sys.executable, __file__, "eth0", *kinds]
    return namespace.start("simulated", command, network=network)


def reports_of(process: Process) -> list[dict[str, Any]]:
    """Wait until all machines have booted, and return their reports in the order of the kinds."""
    process.wait(BOOT_SECONDS)
    found: list[dict[str, Any]] = json.loads(process.output.splitlines()[-1])
    return found


def main() -> None:
    interface, *kinds = sys.argv[1:]
    machines = [Machine(Kind(kind), random_mac(Kind(kind))) for kind in kinds]
    reports = asyncio.run(boot_with_nics(machines, interface, Ports()))
    found = [
        {
            "kind": report.machine.kind,
            "mac": report.machine.mac_text,
            "result": report.result,
            "reason": f"{report.stages.failed}: {report.reason}" if report.reason else "",
            "stages": {stage.name: stage.detail for stage in report.stages.done},
        }
        for report in reports
    ]
    sys.stdout.write(json.dumps(found) + "\n")


if __name__ == "__main__":
    main()
