"""The programs of a node, run below a directory that stands for ``/``; what they call of the system is a stand-in."""

import importlib.util
import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from support.ainur import bundle_of

from iluvatar_pxe.layers.ainur.node_tasks import task_key

PROGRAMS = Path(__file__).parents[2] / "boot_assets/k3s"
_BOOT = "proc/sys/kernel/random/boot_id"


def program(name: str) -> Any:
    """Return a program as a module, without its last lines being run."""
    spec = importlib.util.spec_from_file_location(name, PROGRAMS / f"{name}.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@dataclass
class NodeRoot:
    """A node that has its secrets, as far as its tasks need it; ``systemctl`` notes what it is called with."""

    root: Path
    name: str = "ainur-01"

    def lay(self, daemons: list[str], assets: list[dict[str, str]], monkeypatch: pytest.MonkeyPatch) -> None:
        told: dict[str, Any] = {"name": self.name, "unit": "k3s.service", "version": "v1.36.3+k3s1"}
        told |= {"daemons": daemons, "assets": assets, "url": f"{daemons[0]}/cloud-init/T"}
        self.write("etc/iluvatar/node.json", json.dumps(told))
        self.write("etc/iluvatar/task-key", task_key(bundle_of(), self.name).hex() + "\n")
        self.start_up()
        tools = self.root.parent / "tools"
        tools.mkdir()
        (tools / "systemctl").write_text(f'#!/bin/sh\necho "$*" >> {tools}/called\n')
        (tools / "systemctl").chmod(0o755)
        monkeypatch.setenv("PATH", f"{tools}:{os.environ['PATH']}")

    def write(self, path: str, text: str) -> None:
        (self.root / path).parent.mkdir(parents=True, exist_ok=True)
        (self.root / path).write_text(text)

    def start_up(self) -> None:
        """Be another start of the machine."""
        self.write(_BOOT, f"{uuid4()}\n")

    @property
    def boot(self) -> str:
        return (self.root / _BOOT).read_text().strip()

    @property
    def config(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads((self.root / "etc/iluvatar/node.json").read_text())
        return found

    def called(self) -> list[str]:
        """Return what systemctl was called with since this was asked last."""
        log = self.root.parent / "tools/called"
        words = log.read_text().splitlines() if log.exists() else []
        log.unlink(missing_ok=True)
        return words
