"""ipxe: a script that the fleet gives, served as it is."""

from iluvatar_pxe.boot.case import Subject
from iluvatar_pxe.boot.plan import RunScript


def plan(subject: Subject) -> RunScript:
    """Run the fleet's script."""
    path = subject.options.script or ""  # the fleet's validation has seen that it is there
    return RunScript(
        why=f"{subject.why}, script {path}",
        chain="ipxe",
        name=subject.title,
        template="script.ipxe",
        values={"script": subject.fleet.texts[path]},
    )
