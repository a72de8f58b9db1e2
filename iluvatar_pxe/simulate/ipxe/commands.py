"""The commands of iPXE that our scripts use (ipxe.org/cmd); any other is not found."""

from collections.abc import Callable, Generator, Mapping, Sequence
from types import MappingProxyType

from iluvatar_pxe.simulate.content import Content
from iluvatar_pxe.simulate.ipxe.interpreter import (
    FAILED,
    OK,
    Action,
    Booted,
    Configure,
    Fetch,
    Image,
    Ipxe,
    LocalDisk,
    Result,
    Sleep,
    Steps,
    Stuck,
)
from iluvatar_pxe.simulate.ipxe.menus import Item, Menu
from iluvatar_pxe.simulate.ipxe.script import is_script
from iluvatar_pxe.wire.boot_file import fault_of
from iluvatar_pxe.wire.pxe import CpuArch

FETCH_SECONDS = 60.0
HOLD_SECONDS = 10.0
"""A screen that asks again within this time is followed; one that waits longer is where the machine stays."""
MOST_HOLDS = 2
_LARGEST = 0xFFFFFFFF
LONG_MODE = 29
"""Bit of ``cpuid --ext`` that every simulated PC has."""

Options = dict[str, str]
_FLAGS = frozenset({"--autofree", "--replace", "--no-describe", "--ext", "-n", "--delete", "--gap", "--keep"})
"""Options without a value; for ``item`` also ``--default``, which has one for ``choose``."""


def _options(words: Sequence[str], *known: str, flags: frozenset[str] = _FLAGS) -> tuple[Options, list[str]]:
    """Split options from the arguments behind them; raises ValueError. A short one is its first letter."""
    given: Options = {}
    rest = list(words)
    while rest and rest[0].startswith("-") and len(rest[0]) > 1:
        name, equals, value = rest.pop(0).partition("=")
        if name == "--":
            break
        if name not in known and len(name) == len("-x"):
            name = next((one for one in known if one.startswith(f"-{name}")), name)
        if name not in known:
            raise ValueError(f"unrecognised option {name}")
        if name not in flags and not equals:
            if not rest:
                raise ValueError(f"option {name} needs a value")
            value = rest.pop(0)
        given[name] = value
    return given, rest


def _number(text: str) -> int:
    try:
        number = int(text, 0)
    except ValueError:
        raise ValueError(f"{text!r} is no number") from None
    if abs(number) > _LARGEST:
        raise ValueError(f"{text} is too large a number")
    return number


def _seconds(options: Options, default: float) -> float:
    return _number(options["--timeout"]) / 1000 if "--timeout" in options else default


def _nothing() -> Generator[Action, Result, None]:
    """Make a generator of a command that wants nothing from the world."""
    yield from ()


def _echo(ipxe: Ipxe, words: Sequence[str]) -> Steps:
    yield from _nothing()
    _, rest = _options(words, "-n")
    ipxe.screen.append(" ".join(rest))
    return OK


def _set(ipxe: Ipxe, words: Sequence[str]) -> Steps:
    yield from _nothing()
    if not words:
        raise ValueError("a setting's name is missing")
    ipxe.settings.set(words[0], " ".join(words[1:]))
    return OK


def _clear(ipxe: Ipxe, words: Sequence[str]) -> Steps:
    yield from _nothing()
    for word in words:
        ipxe.settings.clear(word)
    return OK


def _inc(ipxe: Ipxe, words: Sequence[str]) -> Steps:
    yield from _nothing()
    if not words:
        raise ValueError("a setting's name is missing")
    by = _number(words[1]) if len(words) > 1 else 1
    ipxe.settings.set(words[0], str(ipxe.settings.number(words[0]) + by), "int32")
    return OK


def _iseq(_ipxe: Ipxe, words: Sequence[str]) -> Steps:
    yield from _nothing()
    if len(words) != 2:
        raise ValueError("two values are needed")
    return OK if words[0] == words[1] else FAILED


def _isset(_ipxe: Ipxe, words: Sequence[str]) -> Steps:
    yield from _nothing()
    if len(words) != 1:
        raise ValueError("one value is needed")
    return OK if words[0] else FAILED


def _goto(ipxe: Ipxe, words: Sequence[str]) -> Steps:
    yield from _nothing()
    ipxe.target = ipxe.line_of(words[0]) if words else None
    return OK if ipxe.target is not None else ipxe.fail(f"goto: no label {' '.join(words)}")


def _exit(ipxe: Ipxe, words: Sequence[str]) -> Steps:
    yield from _nothing()
    ipxe.stopping = True
    return _number(words[0]) if words else OK


def _sleep(_ipxe: Ipxe, words: Sequence[str]) -> Steps:
    yield Sleep(_number(words[0]) if words else 0)
    return OK


def _prompt(ipxe: Ipxe, words: Sequence[str]) -> Steps:
    """Nobody presses a key. A prompt for one certain key is a screen that waits: it asks again and again."""
    options, rest = _options(words, "--key", "--timeout")
    seconds = _seconds(options, 0)
    if "--key" in options or not seconds:
        ipxe.holds += 1
        if not 0 < seconds <= HOLD_SECONDS or ipxe.holds > MOST_HOLDS:
            ipxe.ending = Stuck("the machine waits; its screen says: " + _on_screen(ipxe.screen))
            return FAILED
    ipxe.screen.append(" ".join(rest))
    yield Sleep(seconds)
    return FAILED


def _menu(ipxe: Ipxe, words: Sequence[str]) -> Steps:
    yield from _nothing()
    options, rest = _options(words, "--name", "--delete")
    name = options.get("--name", "")
    ipxe.menus[name] = Menu(" ".join(rest))
    if "--delete" in options:
        del ipxe.menus[name]
    return OK


def _item(ipxe: Ipxe, words: Sequence[str]) -> Steps:
    yield from _nothing()
    options, rest = _options(words, "--menu", "--key", "--default", "--gap", flags=_FLAGS | {"--default"})
    label = rest.pop(0) if rest and "--gap" not in options else None
    _menu_of(ipxe, options).items.append(Item(label, " ".join(rest), "--default" in options))
    return OK


def _choose(ipxe: Ipxe, words: Sequence[str]) -> Steps:
    """Nobody presses a key. Without a timeout that is where the machine stays."""
    options, rest = _options(words, "--menu", "--default", "--timeout", "--keep")
    if len(rest) != 1:
        raise ValueError("one setting is needed")
    menu = _menu_of(ipxe, options)
    if "--keep" not in options:
        del ipxe.menus[options.get("--menu", "")]
    selected = menu.selected(options.get("--default"))
    if selected is None or selected.label is None:
        raise ValueError("the menu has no items")
    seconds = _seconds(options, 0)
    if not seconds:
        ipxe.ending = Stuck("the machine's menu waits for a person; it says: " + _on_screen(menu.lines()))
        return FAILED
    yield Sleep(seconds)
    ipxe.settings.set(rest[0], selected.label)
    return OK


def _menu_of(ipxe: Ipxe, options: Options) -> Menu:
    name = options.get("--menu", "")
    if name not in ipxe.menus:
        raise ValueError(f"there is no menu {name}".rstrip())
    return ipxe.menus[name]


def _on_screen(lines: Sequence[str]) -> str:
    return " ".join(filter(None, (line.strip() for line in lines)))


def _cpuid(_ipxe: Ipxe, words: Sequence[str]) -> Steps:
    yield from _nothing()
    options, rest = _options(words, "--ext")
    return OK if "--ext" in options and rest and _number(rest[0]) == LONG_MODE else FAILED


def _ifconf(ipxe: Ipxe, words: Sequence[str]) -> Steps:
    _options(words, "--configurator", "--timeout")
    result = yield Configure()
    return ipxe.fail(result) if isinstance(result, str) else OK


def _iflinkwait(_ipxe: Ipxe, words: Sequence[str]) -> Steps:
    yield from _nothing()
    _options(words, "--timeout")
    return OK


def _fetched(ipxe: Ipxe, url: str, what: str, options: Options) -> Generator[Action, Result, Content | None]:
    address = ipxe.address(url)
    result = yield Fetch(address, what, _seconds(options, FETCH_SECONDS))
    if isinstance(result, Content):
        return result
    ipxe.fail(f"{address.partition('?')[0]}: {result}")
    return None


def _chain(ipxe: Ipxe, words: Sequence[str]) -> Steps:
    options, rest = _options(words, "--timeout", "--autofree", "--replace", "--name")
    if not rest:
        raise ValueError("nothing to chain to")
    content = yield from _fetched(ipxe, rest[0], "script", options)
    if content is None:
        return FAILED
    url = ipxe.address(rest[0])
    if "--replace" in options and is_script(content.text):
        ipxe.replacement, ipxe.stopping = (content.text, url), True
        return OK
    return (yield from ipxe.execute(content.text, url))


def _kernel(ipxe: Ipxe, words: Sequence[str]) -> Steps:
    options, rest = _options(words, "--timeout", "--autofree", "--name")
    if not rest:
        raise ValueError("no kernel is named")
    content = yield from _fetched(ipxe, rest[0], "kernel", options)
    if content is None:
        return FAILED
    built_for = ipxe.settings.show("buildarch")
    # iPXE for BIOS is a 32-bit program, and boots 64-bit kernels (Linux, arch/x86/boot.rst).
    arch = next((one for one in CpuArch if one == built_for and one is not CpuArch.I386), None)
    if fault := fault_of(content.head, content.size, arch):
        return ipxe.fail(f"{ipxe.address(rest[0])}: Exec format error: it {fault}")
    ipxe.kernel = Image(options.get("--name") or _base_name(rest[0]), " ".join(rest[1:]))
    return OK


def _initrd(ipxe: Ipxe, words: Sequence[str]) -> Steps:
    options, rest = _options(words, "--timeout", "--autofree", "--name")
    if not rest:
        raise ValueError("no file is named")
    content = yield from _fetched(ipxe, rest[0], "initramfs", options)
    if content is None:
        return FAILED
    if fault := fault_of(content.head, content.size):
        return ipxe.fail(f"{ipxe.address(rest[0])}: no kernel would find its files in it: it {fault}")
    ipxe.initrds.append(Image(options.get("--name") or _base_name(rest[0])))
    return OK


def _imgfree(ipxe: Ipxe, _words: Sequence[str]) -> Steps:
    yield from _nothing()
    ipxe.kernel, ipxe.initrds = None, []
    return OK


def _boot(ipxe: Ipxe, _words: Sequence[str]) -> Steps:
    """UEFI kernels find only the initramfs that their command line names (seen with iPXE 2019)."""
    yield from _nothing()
    if ipxe.kernel is None:
        return ipxe.fail("boot: there is no kernel")
    if ipxe.settings.show("platform") == "efi":
        named = {
            word.removeprefix("initrd=")
            for word in ipxe.kernel.arguments.split()
            if word.startswith("initrd=")
        }
        lost = [image.name for image in ipxe.initrds if image.name not in named]
        if lost:
            return ipxe.fail(f"boot: the kernel's command line has no initrd={lost[0]}")
    ipxe.ending = Booted(ipxe.kernel.name, ipxe.kernel.arguments)
    return OK


def _sanboot(ipxe: Ipxe, words: Sequence[str]) -> Steps:
    yield from _nothing()
    options, _ = _options(words, "--no-describe", "--drive")
    ipxe.ending = LocalDisk(f"iPXE starts disk {options.get('--drive', '0x80')}")
    return OK


def _reboot(ipxe: Ipxe, _words: Sequence[str]) -> Steps:
    yield from _nothing()
    ipxe.ending = Stuck("the boot server does not answer any more, so the machine restarts to find another")
    return OK


def _shell(ipxe: Ipxe, _words: Sequence[str]) -> Steps:
    yield from _nothing()
    ipxe.ending = Stuck("the script opens iPXE's shell, which waits for a person")
    return OK


def _base_name(url: str) -> str:
    return url.partition("?")[0].rpartition("/")[2]


def _guarded(command: Callable[[Ipxe, Sequence[str]], Steps]) -> Callable[[Ipxe, Sequence[str]], Steps]:
    def run(ipxe: Ipxe, words: Sequence[str]) -> Steps:
        try:
            return (yield from command(ipxe, words))
        except ValueError as fault:
            return ipxe.fail(f"{command.__name__.lstrip('_')}: {fault}")

    return run


COMMANDS: Mapping[str, Callable[[Ipxe, Sequence[str]], Steps]] = MappingProxyType(
    {
        **{
            command.__name__.lstrip("_"): _guarded(command)
            for command in (
                *(
                    _boot,
                    _chain,
                    _choose,
                    _clear,
                    _cpuid,
                    _echo,
                    _exit,
                    _goto,
                    _ifconf,
                    _iflinkwait,
                    _imgfree,
                ),
                *(
                    _inc,
                    _initrd,
                    _iseq,
                    _isset,
                    _item,
                    _kernel,
                    _menu,
                    _prompt,
                    _reboot,
                    _sanboot,
                    _set,
                    _shell,
                    _sleep,
                ),
            )
        },
        "dhcp": _guarded(_ifconf),
    }
)
"""By name; a command runs as a generator and returns its exit status."""
