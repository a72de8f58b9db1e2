"""local: the machine boots its own disk."""

from iluvatar_pxe.boot.case import Subject
from iluvatar_pxe.boot.plan import BootLocal


def plan(subject: Subject) -> BootLocal:
    """Send a machine to its disk, by the method of its file."""
    return BootLocal(why=subject.why, name=subject.title, method=subject.options.local)
