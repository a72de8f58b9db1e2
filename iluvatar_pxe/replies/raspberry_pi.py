"""Plan to the files that are made for a Raspberry Pi: ``config.txt`` and ``cmdline.txt``."""

from collections.abc import Mapping, Sequence

from iluvatar_pxe.boot.plan import ServePiFiles
from iluvatar_pxe.fleet.layers import names_datasource
from iluvatar_pxe.replies.templates import environment_of

CGROUPS = ("cgroup_enable=memory", "cgroup_memory=1")
"""k3s needs the memory cgroup, which Raspberry Pi kernels leave off."""
PLAIN_CMDLINE = "console=serial0,115200 console=tty1 rootwait"
"""For an image without a ``cmdline.txt`` of its own."""

MODEL_LINES = (
    "dtparam=watchdog=on",
    "[pi5]",
    "dtparam=pciex1",
    "[cm4]",
    "dtoverlay=dwc2,dr_mode=host",
    "[all]",
)
"""What ``config.txt`` says by model, before the fleet's own lines, which may change it.

systemd feeds the watchdog where it is told to. Firmware that has not booted from an NVMe disk shows Linux none on boards
other than HAT+ (raspberrypi/documentation, pcie.adoc). A CM4's USB ports are a device's without the overlay.
"""


class PiTexts:
    """Makes files from templates, the texts of the files in ``boot_assets/raspberry-pi`` by file name."""

    def __init__(self, templates: Mapping[str, str]) -> None:
        self._environment = environment_of(templates)

    def config_txt(self, plan: ServePiFiles) -> str:
        """Return ``config.txt``, with lines of 98 characters at most, which is as far as firmware reads."""
        return self._environment.get_template("config.txt").render(plan=plan, model_lines=MODEL_LINES)


def cmdline_txt(plan: ServePiFiles, of_image: str, seed: Sequence[str] = ()) -> str:
    """Return ``cmdline.txt``, whose first line alone counts; ``of_image`` is the image's own, or empty.

    ``seed`` says where the machine's configuration is, in place of what the image says of that.
    """
    words = (of_image.replace("\0", " ").strip() or PLAIN_CMDLINE).split()
    if seed:
        words = [one for one in words if not names_datasource(one)]
    groups = (one for one in CGROUPS if one not in words)
    return " ".join((*words, *groups, *plan.kernel_args, *seed)) + "\n"


def seed_arguments(url: str, instance_id: str, *, seeded: bool) -> tuple[str, ...]:
    """Return the kernel arguments by which a machine finds its documents, whose URL is below ``url``.

    ``seeded``: the provisioning system puts them into the root file system, and cloud-init must ask nobody for them. Else
    it is told where they are. ``nocloud-net`` is the one name of the datasource that all versions of cloud-init take for
    one with a network.
    """
    own = f"iluvatar.url={url}"
    return (own,) if seeded else (own, f"ds=nocloud-net;s={url}/;i={instance_id}")
