"""iPXE as a machine that runs scripts, without network or clock.

``run`` is a generator: it yields what iPXE wants from the world (``Fetch``, ``Configure``, ``Sleep``) and is sent what
came of it. It ends with an ``Ending``. The rules of scripts are those of ipxe/src/image/script.c and core/exec.c: a line
that fails ends the script, ``goto`` ends the line, and a script that is replaced does not go on.
"""

from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass, field

from msgspec import Struct

from iluvatar_pxe.simulate.content import Content
from iluvatar_pxe.simulate.ipxe.menus import Menu
from iluvatar_pxe.simulate.ipxe.script import Command, Script, is_script, parse
from iluvatar_pxe.simulate.ipxe.settings import Settings
from iluvatar_pxe.simulate.programs import format_error
from iluvatar_pxe.wire.pxe import Platform

MOST_COMMANDS = 10_000
"""After which a boot counts as one that never ends."""
MOST_NESTED = 8
FAILED, OK = 1, 0


class Fetch(Struct, frozen=True):
    """Download a file; sent back: its Content, or why there is none."""

    url: str
    what: str
    """``script``, ``kernel`` or ``initramfs``."""
    seconds: float
    """Without a byte after which it fails."""


class Configure(Struct, frozen=True):
    """Ask for an address by DHCP; sent back: nothing, or why there is none."""


class Sleep(Struct, frozen=True):
    """Let time pass."""

    seconds: float


Action = Fetch | Configure | Sleep
Result = Content | str | None
Steps = Generator[Action, Result, int]


class Image(Struct, frozen=True):
    """A file that was fetched to be booted."""

    name: str
    arguments: str = ""


class Booted(Struct, frozen=True):
    """A kernel runs; ``command_line`` is its own."""

    kernel: str
    command_line: str


class Program(Struct, frozen=True):
    """A file that is no script was started."""

    name: str


class LocalDisk(Struct, frozen=True):
    """The machine goes on to its own disk, or to the next entry of its boot order."""

    how: str


class Stuck(Struct, frozen=True):
    """It does not boot: a screen that waits, or a script that failed."""

    why: str


Ending = Booted | Program | LocalDisk | Stuck


@dataclass(slots=True)
class Ipxe:
    """One iPXE, from the first script until it ends."""

    commands: Mapping[str, Callable[["Ipxe", Sequence[str]], Steps]]
    """What it can do, see ``ipxe_commands``."""
    settings: Settings = field(default_factory=Settings)
    ending: Ending | None = None
    screen: list[str] = field(default_factory=list)
    """What the script that runs has printed."""
    trouble: str = ""
    """What failed last in the script that runs."""
    kernel: Image | None = None
    initrds: list[Image] = field(default_factory=list)
    menus: dict[str, Menu] = field(default_factory=dict)
    """By name; the one without a name is the current one."""
    holds: int = 0
    """How often a screen that waits was waited for."""
    target: int | None = None
    """The line to go to."""
    stopping: bool = False
    """The script is to end after this command."""
    replacement: tuple[str, str] | None = None
    """The text and address of the script that takes the place of this one."""
    _commands: int = 0
    _nested: int = 0
    _base: str = ""
    _script: Script = field(default_factory=lambda: parse(""))

    @property
    def ended(self) -> bool:
        """It boots, or never will."""
        return self.ending is not None

    def boot(self, text: str, url: str) -> Generator[Action, Result, Ending]:
        """Run the first script, whose address is ``url``, and all that it leads to."""
        status = yield from self.execute(text, url)
        return self.ending or self._left(status)

    def execute(self, text: str, url: str) -> Steps:
        """Run a file that was fetched from ``url``; return its exit status."""
        if self._nested >= MOST_NESTED:
            return self.fail(f"{url}: scripts are nested without end")
        if not is_script(text):
            return self._start(text, url)
        self._nested += 1
        outer = self._base, self._script
        following: tuple[str, str] | None = (text, url)
        status = OK
        while following is not None:
            self._script, self._base = parse(following[0]), following[1]
            self.screen, self.trouble, self.replacement, self.stopping, self.target = (
                [],
                "",
                None,
                False,
                None,
            )
            status = yield from self._run(self._script)
            following = None if self.ended else self.replacement
        self._nested -= 1
        self._base, self._script = outer
        self.replacement, self.stopping = None, False
        return status

    def fail(self, why: str) -> int:
        """Print what is wrong, as iPXE does, and return the status of a command that failed."""
        self.screen.append(why)
        self.trouble = why
        return FAILED

    def address(self, url: str) -> str:
        """Return an address that may be relative to the script's."""
        return url if "://" in url else beside(self._base, url)

    def line_of(self, label: str) -> int | None:
        """Return the line that a label of this script stands before."""
        return self._script.labels.get(label)

    def _start(self, text: str, url: str) -> int:
        platform = Platform.UEFI if self.settings.show("platform") == "efi" else Platform.BIOS
        if fault := format_error(text, platform):
            return self.fail(f"{url}: {fault}")
        self.ending = Program(url)
        return OK

    def _run(self, script: Script) -> Steps:
        position, status = 0, OK
        while position < len(script.lines) and not self.ended:
            status = yield from self._line(script.lines[position])
            if status != OK or self.stopping:
                return status
            position = self._next(position)
        return status

    def _next(self, position: int) -> int:
        target, self.target = self.target, None
        return position + 1 if target is None else target

    def _line(self, line: Sequence[Command]) -> Steps:
        status, wanted = OK, True
        for command in line:
            if wanted:
                status = yield from self._command(command)
            if self.ended or self.stopping or self.target is not None:
                break
            wanted = command.is_followed(status)
        return status

    def _command(self, command: Command) -> Steps:
        self._commands += 1
        if self._commands > MOST_COMMANDS:
            self.ending = Stuck(f"the scripts do not end after {MOST_COMMANDS} commands")
            return FAILED
        try:
            words = self.settings.expand(command.words)
        except ValueError as error:
            return self.fail(str(error))
        if not words:
            return OK
        name, *arguments = words
        if name not in self.commands:
            return self.fail(f"{name}: command not found")
        return (yield from self.commands[name](self, arguments))

    def _left(self, status: int) -> Ending:
        if self.trouble:
            return Stuck(self.trouble)
        return LocalDisk(f"iPXE ends with status {status}, and the firmware goes on with its boot order")


def beside(url: str, name: str) -> str:
    """Return the address of a file in the same folder as another, or at the root where ``name`` begins there."""
    scheme, _, rest = url.partition("://")
    host, _, path = rest.partition("?")[0].partition("/")
    folder = "" if name.startswith("/") else path.rpartition("/")[0]
    return f"{scheme}://{host}/" + "/".join(filter(None, (folder, name.lstrip("/"))))
