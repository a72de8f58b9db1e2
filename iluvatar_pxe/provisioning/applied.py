"""The applied fleet: one value that all decisions read."""

from dataclasses import dataclass, field

from iluvatar_pxe.fleet.models import Fleet


@dataclass(slots=True)
class Applied:
    """``fleet`` is replaced as a whole: by the rollout, and by ``Stable`` where no commit can say what it chose."""

    fleet: Fleet = field(default_factory=Fleet)
