"""Whether a clock can be right: no certificate is signed by one that cannot. Pure."""

from datetime import UTC, datetime

from msgspec import Struct

from iluvatar_pxe.errors import ClockError

BUILT = datetime(2026, 11, 29, tzinfo=UTC)
"""The day of this version; a release sets it (CONTRIBUTING.md)."""


class ClockGuard(Struct, frozen=True):
    """What is known to have happened already."""

    committed: datetime | None = None
    """When the applied commit was made."""
    commit: str = ""
    """That commit, as people read it."""
    recorded: datetime | None = None
    """The newest time in the inventory."""
    built: datetime = BUILT

    def check(self, now: datetime) -> None:
        """Raise ClockError where the time is before any of that: what is signed then is valid from a wrong time on."""
        known = [
            (self.built, "this version of iluvatar-pxe"),
            *([(self.committed, f"the fleet's newest commit {self.commit}")] if self.committed else []),
            *([(self.recorded, "the newest row of the inventory")] if self.recorded else []),
        ]
        newest, what = max(known)
        if now < newest:
            is_commit = newest == self.committed
            remedy = (
                "if the commit's date is wrong, push another: git commit --allow-empty; else "
                if is_commit
                else ""
            )
            raise ClockError(
                f"the clock says {_shown(now)}, but {what} is of {_shown(newest)}; no certificate is signed; "
                f"{remedy}set the clock: timedatectl set-ntp true"
            )


def _shown(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"
