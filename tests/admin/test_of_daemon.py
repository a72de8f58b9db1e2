"""What only a daemon that runs can tell: its DNS server's answers and its parts' health."""

from dataclasses import dataclass, field

import pytest
from admin.samples import Counter

from iluvatar_pxe.admin.assets import AssetsStatus
from iluvatar_pxe.admin.command import Command
from iluvatar_pxe.admin.dns import DnsFlush, DnsQuery
from iluvatar_pxe.admin.health import Health, ShowHealth
from iluvatar_pxe.admin.requests.request import CommandResult
from iluvatar_pxe.errors import OperationError
from iluvatar_pxe.values import replace
from iluvatar_pxe.wire.dns.name import Name, name_of
from iluvatar_pxe.wire.dns.records import type_of

QUERY = DnsQuery(name="git.lab.home.arpa.", type="aaaa")


@dataclass
class Remembering:
    """A DNS server that remembers so many answers, and what it is asked."""

    answers: int
    asked: list[tuple[Name, int]] = field(default_factory=list)

    async def query(self, name: Name, kind: int) -> CommandResult:
        self.asked.append((name, kind))
        return {"records": ["one"]}

    def flush(self) -> int:
        forgotten, self.answers = self.answers, 0
        return forgotten


@pytest.mark.parametrize("command", [QUERY, DnsFlush(), ShowHealth(), AssetsStatus()])
async def test_there_is_none_to_be_asked(counter: Counter, command: Command) -> None:
    with pytest.raises(OperationError) as caught:
        await counter.ask(command)
    assert str(caught.value) == "no daemon is running; start it: iluvatar-pxe serve"


async def test_dns(counter: Counter) -> None:
    server = Remembering(answers=2)
    context = replace(counter.context, dns=server)
    assert await QUERY.carry_out(context, "root") == {"records": ["one"]}
    assert server.asked == [(name_of("git.lab.home.arpa."), type_of("AAAA"))]
    for count in (2, 0):
        answer = await DnsFlush().carry_out(context, "root")
        assert answer == {"message": f"{count} cached answers flushed"}


async def test_health(counter: Counter) -> None:
    health = Health(
        parts={"fleet": lambda: None, "tls": lambda: "it has expired"},
        programs=lambda: {"bios-pxe": "none: see docs"},
    )
    answer = await ShowHealth().carry_out(replace(counter.context, report=lambda: health.report()[1]), "root")
    assert answer == {
        "ready": False,
        "parts": {"fleet": "ok", "tls": "it has expired"},
        "boot": [],
        "clusters": [],
        "time": [],
        "network": [],
        "notifications": [],
        "programs": {"bios-pxe": "none: see docs"},
        "dns": {},
    }
