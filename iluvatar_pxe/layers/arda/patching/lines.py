"""Which line of a patch makes a part of the configuration what it is."""

from itertools import takewhile

from iluvatar_pxe.fleet.yaml.document import Location
from iluvatar_pxe.layers.arda.patching.patch import Addition, Deletion, Identity, Patch


def line_in(patch: Patch, document: Identity, location: Location) -> int:
    """Return the line, from 1, that comes closest to a part of a document; 1 if none has to do with the document.

    Items of a list have other indexes in the configuration, so the line of the list counts.
    """
    location = tuple(takewhile(lambda part: isinstance(part, str), location))
    steps = [step for step in patch if step.document == document]
    closest = max(steps, key=lambda step: _depth(step, location), default=None)
    if closest is None:
        return 1
    return closest.line if isinstance(closest, Deletion) else closest.written.line_of(location)


def _depth(step: Deletion | Addition, location: Location) -> int:
    """Return how many parts of a location a step has, too."""
    if isinstance(step, Deletion):
        pairs = zip(step.spot.location, location, strict=False)
        return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], pairs))
    depth, marks = 0, step.written.marks
    for part in location:
        if part not in marks:
            break
        depth, marks = depth + 1, marks[part].below
    return depth
