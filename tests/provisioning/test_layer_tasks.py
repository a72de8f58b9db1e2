"""What nobody foresaw in one cluster's work ends neither the daemon nor another cluster's work."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field

import pytest
from support.waiting import until

from iluvatar_pxe.changed import Changed
from iluvatar_pxe.provisioning import layer_tasks
from iluvatar_pxe.provisioning.layer_tasks import LayerTasks


@dataclass
class Layers:
    """What is asked of a cluster's context: the layers that there are."""

    names: list[str] = field(default_factory=lambda: ["arda", "valinor"])
    changed: Changed = field(default_factory=Changed)

    def layers(self) -> list[str]:
        return self.names


@dataclass
class Work:
    fails: bool
    begun: int = 0

    async def run(self) -> None:
        self.begun += 1
        if self.fails:
            raise ValueError("nobody thought of this")
        await asyncio.Event().wait()


async def test_it_is_told_and_begun_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(layer_tasks, "AGAIN_SECONDS", 0.02)
    layers, works = Layers(), {"arda": Work(fails=True), "valinor": Work(fails=False)}
    begin: Callable[[str], Work] = works.__getitem__
    tasks = LayerTasks(layers, begin)
    running = asyncio.create_task(tasks.run())
    layers.changed.tell()
    await until(lambda: tasks.failed and works["arda"].begun > 1)
    assert tasks.failed == {"arda": "arda: this server failed on its cluster, see its log; it tries again"}
    assert works["valinor"].begun == 1
    works["arda"].fails = False
    await until(lambda: not tasks.failed)
    layers.names.remove("arda")
    layers.changed.tell()
    await until(lambda: set(tasks.by_layer) == {"valinor"})
    assert not running.done()
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
