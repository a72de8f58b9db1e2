"""hold: the machine waits, says what it is and what to do, and asks again."""

from iluvatar_pxe.boot.chains.subject import Subject
from iluvatar_pxe.boot.plan import Hold


def plan(subject: Subject) -> Hold:
    """Hold a machine: a listed one because its file says so, another until a file lists it."""
    screen = _listed(subject) if subject.name else _unlisted(subject)
    return Hold(why=subject.why, name=subject.title, screen=screen)


def hold_for(subject: Subject, trouble: str, remedy: str) -> Hold:
    """Hold a machine that cannot be booted as the fleet says."""
    screen = (f"It cannot boot yet: {trouble}.", f"What to do: {remedy}.")
    return Hold(why=f"{subject.why}, but {trouble}", name=subject.title, screen=screen)


def _listed(subject: Subject) -> tuple[str, ...]:
    return (
        f"The fleet holds this machine: machines/{subject.name}.yaml says 'chain: hold'.",
        "Change that line to let it boot.",
    )


def _unlisted(subject: Subject) -> tuple[str, ...]:
    return (
        "No file of the fleet lists this machine, so it waits.",
        "To boot it, add its machine configuration to the fleet as configs/NAME.yaml,",
        "and the file machines/NAME.yaml with these lines, and reload the daemon:",
        "",
        f'  match: {{macs: ["{subject.sighting.mac}"]}}',
        "  layer: arda",
        "  chain: talos",
        "  config: configs/NAME.yaml",
        "",
        "To boot its own disk instead, write 'chain: local' for the last two lines.",
    )
