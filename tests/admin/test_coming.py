"""Which boot files the daemon is fetching, as programs beside it learn it."""

import json
from dataclasses import replace
from pathlib import Path

from admin.samples import Counter
from support.wanted import SmallDesk, wanted

from iluvatar_pxe.admin.coming import ShowComing, coming_of
from iluvatar_pxe.catalogue.progress import Progress, State


async def test_what_is_not_here_yet_arrives_as_it_is(counter: Counter, tmp_path: Path) -> None:
    progress = Progress(state=State.WAITING, done=3, size=9, rate=1.5, trouble="no route to host")
    unknown = Progress(state=State.LOADING)
    kernel = replace(wanted("kernel"), progress=progress)
    files = {
        "kernel": kernel,
        "initramfs": replace(wanted("initramfs"), progress=unknown),
        "old": wanted("old", state=State.READY),
    }
    desk = SmallDesk(tmp_path, {}, files)
    answer = await ShowComing().carry_out(replace(counter.context, assets=desk), "root")
    assert coming_of(json.loads(json.dumps(answer))) == {"kernel": progress, "initramfs": unknown}
