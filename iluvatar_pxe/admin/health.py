"""Readiness by part, and the command that shows it."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from msgspec import Struct

from iluvatar_pxe.admin.command import Command, CommandContext, of_daemon
from iluvatar_pxe.admin.requests import health as requests
from iluvatar_pxe.admin.requests.request import CommandResult

Check = Callable[[], str | None]
"""Returns what is wrong with a part, in one line, or None."""


class Health(Struct, frozen=True):
    """Checks by part, and what else is worth telling."""

    parts: Mapping[str, Check]
    programs: Callable[[], Mapping[str, str]]
    """By kind of firmware, the iPXE program it gets, or why none."""
    boot: Callable[[], Sequence[str]] = list
    """What keeps machines from booting that the fleet lists or would let join, one line each."""
    clusters: Callable[[], Sequence[str]] = list
    """What clusters wait for that are not founded yet, one line each."""
    time: Callable[[], Sequence[str]] = list
    """Why machines are not told the time, one line each."""
    network: Callable[[], Sequence[str]] = list
    """Which other DHCP servers are too many, one line each."""
    notifications: Callable[[], Sequence[str]] = list
    """Who cannot be told what happens, and why, one line each."""
    dns: Callable[[], Mapping[str, Any]] = dict
    """What the DNS server has answered, and what of others it remembers."""

    @property
    def first_problem(self) -> str | None:
        """The first unhealthy part, and why."""
        return next((f"{name}: {why}" for name, check in self.parts.items() if (why := check())), None)

    def report(self) -> tuple[bool, dict[str, Any]]:
        """Say whether all parts are healthy, and give the report that ``/readyz`` shows."""
        problems = {name: check() for name, check in self.parts.items()}
        ready = not any(problems.values())
        parts = {name: problem or requests.OK for name, problem in problems.items()}
        lists = {
            "boot": list(self.boot()),
            "clusters": list(self.clusters()),
            "time": list(self.time()),
            "network": list(self.network()),
            "notifications": list(self.notifications()),
            "programs": dict(self.programs()),
            "dns": dict(self.dns()),
        }
        return ready, {"ready": ready, "parts": parts, **lists}


class ShowHealth(requests.ShowHealth, Command):
    async def carry_out(self, context: CommandContext, by: str) -> CommandResult:  # noqa: ARG002
        return of_daemon(context.report)()
