"""The rogue in a process of its own: ``python -m support.rogue.alone KNOWLEDGE CONTROL_SOCKET SEED COUNT [KIND…]``.

Prints a JSON line for each way that brought something, and one at the end: how many ways of each kind it went, and how
many answers had which HTTP status.
"""

import asyncio
import json
import re
import sys
from collections import Counter
from itertools import islice
from pathlib import Path

from support.rogue.kinds_other import KINDS
from support.rogue.knowledge import Knowledge
from support.rogue.tries import Rogue
from support.rogue.ways import Way, ways

AT_ONCE = 12
_STATUS = re.compile(rb"\AHTTP/1\.[01] (\d{3})")
_CONFIGURED = re.compile(
    rb"talos\.config=http|^kind: (?:EventSink|LinkAlias|Hostname)Config|^machine:\s", re.MULTILINE
)
"""A script with a ticket, or a part of any configuration."""


def main() -> None:
    file, control, seed, count, *kinds = sys.argv[1:]
    known = Knowledge.read(Path(file))
    chosen = {name: make for name, make in KINDS.items() if not kinds or name in kinds}
    planned = list(islice(ways(known, int(seed), chosen), int(count)))
    asyncio.run(_go(Rogue(known, Path(control)), planned))


async def _go(rogue: Rogue, planned: list[Way]) -> None:
    gone, statuses = Counter[str](), Counter[str]()
    left = iter(planned)

    async def walk() -> None:
        for way in left:
            answers = await rogue.go(way)
            gone[way.kind] += 1
            for answer in answers:
                if status := _STATUS.match(answer):
                    statuses[status[1].decode()] += 1
                if got := loot(answer, rogue.known):
                    _say({"kind": way.kind, "by": way.by, "sent": way.sent.decode("latin-1"), "got": got})

    async with asyncio.TaskGroup() as group:
        for _ in range(AT_ONCE):
            group.create_task(walk())
    _say({"gone": gone, "statuses": statuses})


def loot(answer: bytes, known: Knowledge) -> list[str]:
    """Return what an answer has that the rogue must not get."""
    found = [name for name, secret in known.secrets.items() if secret.encode() in answer]
    return found + [word.decode() for word in _CONFIGURED.findall(answer)]


def _say(line: dict[str, object]) -> None:
    sys.stdout.write(json.dumps(line) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
