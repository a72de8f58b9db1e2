"""What a machine is served: a closed set of plans, each saying why in words."""

from collections.abc import Mapping

from msgspec import Struct, field

from iluvatar_pxe.boot.assign import PlaceRequest
from iluvatar_pxe.fleet.models import LocalMethod
from iluvatar_pxe.machines.states import Role


class Ignore(Struct, frozen=True):
    """No answer. ``notable`` ones are logged: a boot was requested but cannot be served."""

    why: str
    notable: bool = False


class Chainload(Struct, frozen=True):
    """Firmware runs a network boot program; ``program`` is its logical asset name."""

    why: str
    program: str


class ToBeMade(Struct, frozen=True):
    """The machine configuration that the daemon makes when the machine asks for it: one of this role in this layer."""

    layer: str
    role: Role


class RunScript(Struct, frozen=True, kw_only=True):
    """iPXE runs a script: a template of ``boot_assets/ipxe`` and its values.

    ``config`` is what the machine's ticket is redeemed for, if the chain has one: a text of the fleet, or one to be made.
    ``notes`` are lines for the machine's screen.
    """

    why: str
    chain: str
    name: str
    template: str
    values: Mapping[str, object] = field(default_factory=dict)
    config: str | ToBeMade | None = None
    notes: tuple[str, ...] = ()


class ServePiFiles(Struct, frozen=True, kw_only=True):
    """A Raspberry Pi fetches its boot files by TFTP.

    ``files`` of the assets' ``folder``, by the names that it asks for, are all that it may have, besides
    ``config.txt`` and ``cmdline.txt``, which are made for it: with ``config_lines``, and with ``kernel_args`` behind
    those that the image has in ``cmdline``. With ``ramdisk`` everything else is in one ``boot.img``. ``initramfs`` may be empty.
    ``config`` is what the machine's ticket is redeemed for, with its documents of cloud-init; None where it has none of ours.
    ``installs``: in place of the image's own initramfs it gets the provisioning system, with that one's kernel modules.
    """

    why: str
    chain: str
    name: str
    folder: str
    files: Mapping[str, str]
    cmdline: str
    kernel: str
    initramfs: str
    ramdisk: bool
    config_lines: tuple[str, ...]
    kernel_args: tuple[str, ...]
    config: ToBeMade | None = None
    installs: bool = False


class BootLocal(Struct, frozen=True, kw_only=True):
    """The machine boots its own disk."""

    why: str
    name: str
    method: LocalMethod | None


class Lack(Struct, frozen=True):
    """What keeps a machine from booting as the fleet says, and what to do; ``file`` is the boot file that is missing.

    ``under_way``: that file is being fetched, and nobody has to do anything.
    """

    trouble: str
    remedy: str
    file: str = ""
    under_way: bool = False


class Hold(Struct, frozen=True, kw_only=True):
    """The machine waits and asks again. ``screen`` are the lines on its screen, ``lack`` what its boot lacks, if anything.

    ``wanted``: it waits because its owner says so, in a file, in a rule or by a command. ``seconds`` are those that it
    waits before it boots its own disk; None where it waits for ever.
    ``unseen``: this server did not see that the request comes from this machine, so it is to ask the network for
    its address again, which shows that, before it asks what to boot.
    """

    why: str
    name: str
    screen: tuple[str, ...]
    lack: Lack | None = None
    wanted: bool = False
    seconds: int | None = None
    unseen: bool = False

    @property
    def awaits_file(self) -> bool:
        """Say whether it ends by itself, as soon as the boot files are here."""
        return self.lack is not None and self.lack.under_way

    @property
    def needs_somebody(self) -> bool:
        """Say whether it waits, for ever, for something that somebody has to do who may not know of it."""
        return self.seconds is None and not (self.wanted or self.awaits_file or self.unseen)


class CountDown(Struct, frozen=True, kw_only=True):
    """The machine's screen announces what happens in ``seconds``, unless a key is pressed."""

    why: str
    name: str
    screen: tuple[str, ...]
    seconds: int


class ShowMenu(Struct, frozen=True, kw_only=True):
    """The machine's screen lists ``own``, and ``entries``: the path of a script and its title.

    After ``seconds`` without a key press it goes on with ``own``.
    """

    why: str
    name: str
    own: str
    entries: tuple[tuple[str, str], ...]
    seconds: int


class AssignFirst(Struct, frozen=True, kw_only=True):
    """The machine gets its assignment, which is committed before anything else is decided about it."""

    why: str
    name: str
    place: PlaceRequest


BootAnswer = Chainload | RunScript | ServePiFiles | BootLocal | Hold | CountDown | ShowMenu | AssignFirst
"""Every plan that is answered."""
Plan = Ignore | BootAnswer
"""Everything ``plan_for`` may return."""
