"""ipxe: a script that the fleet gives."""

from iluvatar_pxe.boot.case import Subject
from iluvatar_pxe.boot.plan import RunScript


def plan(subject: Subject) -> RunScript:
    """Run the fleet's script."""
    return run(subject, subject.options.script or "")  # the fleet's validation has seen that it is there


def run(subject: Subject, path: str) -> RunScript:
    """Run a script of the fleet, after a line that sets ``kernelArgs`` where the machine has some."""
    head, newline, rest = subject.fleet.texts[path].partition("\n")
    arguments = " ".join(subject.options.kernel_args or ())
    setting = f"set kernelArgs {arguments}\n" if arguments else ""
    return RunScript(
        why=f"{subject.why}, script {path}",
        chain="ipxe",
        name=subject.title,
        template="script.ipxe",
        values={"path": path, "script": f"{head}{newline}{setting}{rest}"},
    )
