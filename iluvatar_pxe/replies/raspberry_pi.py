"""Plan to the files that are made for a Raspberry Pi: ``config.txt`` and ``cmdline.txt``."""

from functools import cache

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from iluvatar_pxe.boot.plan import ServePiFiles
from iluvatar_pxe.resources import data_directory

_CGROUPS = ("cgroup_enable=memory", "cgroup_memory=1")
"""k3s needs the memory cgroup, which Raspberry Pi kernels leave off."""
_PLAIN_CMDLINE = "console=serial0,115200 console=tty1 rootwait"
"""For an image without a ``cmdline.txt`` of its own."""


def config_txt(plan: ServePiFiles) -> str:
    """Return ``config.txt``, with lines of 98 characters at most, which is as far as firmware reads."""
    return _environment().get_template("config.txt").render(plan=plan)


def cmdline_txt(plan: ServePiFiles, of_image: str) -> str:
    """Return ``cmdline.txt``, whose first line alone counts; ``of_image`` is the image's own, or empty."""
    words = (of_image.replace("\0", " ").strip() or _PLAIN_CMDLINE).split()
    return " ".join((*words, *(one for one in _CGROUPS if one not in words), *plan.kernel_args)) + "\n"


@cache
def _environment() -> Environment:
    return Environment(  # noqa: S701 - no HTML; the fleet's validation lets no line break through
        loader=FileSystemLoader(data_directory("boot_assets") / "raspberry-pi"),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
