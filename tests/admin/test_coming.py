"""Which boot files the daemon is fetching, as programs beside it learn it."""

import json
from pathlib import Path

from admin.samples import Counter
from support.three_files import INITRD, KERNEL, PI, three_files
from support.waiting import until

from iluvatar_pxe.admin.coming import ShowComing
from iluvatar_pxe.admin.requests.coming import coming_of
from iluvatar_pxe.catalogue.progress import Progress, State
from iluvatar_pxe.values import replace


async def test_what_is_not_here_yet_arrives_as_it_is(counter: Counter, tmp_path: Path) -> None:
    async with three_files(tmp_path, fetch=True) as site:
        bench = site.bench
        await bench.reach(KERNEL, State.READY)
        await site.want(site.of(INITRD, b"initrd" * 100_000, sized=False, stall=100_000))
        await bench.reach(PI, State.WAITING)
        await until(lambda: bench.progress(INITRD).done == 100_000)
        chosen = Progress(state=State.QUEUED)
        bench.unresolved = {"talos": chosen}
        answer = await ShowComing().carry_out(replace(counter.context, assets=bench.commands), "root")
        known = coming_of(json.loads(json.dumps(answer)))
        assert known == {INITRD: bench.progress(INITRD), PI: bench.progress(PI), "talos stable": chosen}
    assert (known[INITRD].state, known[INITRD].size) == (State.LOADING, None)
    assert "404" in known[PI].trouble
