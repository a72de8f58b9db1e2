"""The commit that opens or closes the enrolment window for every daemon of the fleet. Pure."""

import json
from datetime import datetime, timedelta

from iluvatar_pxe.fleet.daemon_files import EnrolmentFile
from iluvatar_pxe.fleet.source import ENROLMENT_FILE
from iluvatar_pxe.gitops.repository.bare import Changes

_HEAD = """\
# yaml-language-server: $schema=schemas/enrolment.schema.json
# Written by iluvatar-pxe enrol. Machines that no file lists may join for so many seconds since then.
"""
_LATER = timedelta(seconds=1)


def set_window(known: EnrolmentFile | None, seconds: int, by: str, now: datetime) -> Changes:
    """Return the commit after which the window is open for so many seconds, or closed with 0.

    Its time is later than that of the ``known`` one, whatever the clocks of two hosts are.
    """
    at = max(now, known.moment + _LATER) if known else now
    told = {"at": f"{at:%Y-%m-%dT%H:%M:%SZ}", "seconds": seconds, "by": by}
    text = "".join(f"{key}: {json.dumps(value, ensure_ascii=False)}\n" for key, value in told.items())
    end = at + timedelta(seconds=seconds)
    state = f"open until {end:%Y-%m-%d %H:%M} UTC" if seconds else "closed"
    return Changes(
        f"The enrolment window is {state}\n\nBy {by}.\n", {ENROLMENT_FILE: (_HEAD + text).encode()}
    )
