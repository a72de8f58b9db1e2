"""Simulated iPXE and its scripts: the rules of the language, and the scripts that the daemon serves."""

from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from iluvatar_pxe.simulate.content import Content
from iluvatar_pxe.simulate.ipxe.commands import COMMANDS, HOLD_SECONDS, MOST_HOLDS
from iluvatar_pxe.simulate.ipxe.interpreter import (
    MOST_COMMANDS,
    Action,
    Booted,
    Configure,
    Ending,
    Fetch,
    Ipxe,
    LocalDisk,
    Program,
    Result,
    Sleep,
    Stuck,
    beside,
)
from iluvatar_pxe.simulate.ipxe.script import is_script
from iluvatar_pxe.simulate.ipxe.settings import LONGEST_LINE

GOLDEN = Path(__file__).parents[2] / "replies" / "golden"
URL = "http://10.77.0.2:8080/boot.ipxe"
World = Callable[[Action], Result]


def content(text: str) -> Content:
    taken = Content()
    taken.add(text.encode())
    return taken


def there(text: str = "#!ipxe\nexit 1\n") -> World:
    return lambda action: content(text) if isinstance(action, Fetch) else None


def gone(action: Action) -> Result:
    return "gone" if isinstance(action, Fetch) else None


class Run:
    """A script that has run to its end in a world."""

    def __init__(self, text: str, world: World = gone, platform: str = "efi", arch: str = "x86_64") -> None:
        self.ipxe = Ipxe(COMMANDS)
        for name, value in {"platform": platform, "buildarch": arch, "serial": "A&B c"}.items():
            self.ipxe.settings.put(name, value.encode())
        self.ipxe.settings.put("net0/mac", bytes(range(6)), "hex")
        self.actions: list[Action] = []
        self.ending = self._run(text, world)

    def _run(self, text: str, world: World) -> Ending:
        steps, result = self.ipxe.boot(text, URL), None
        while True:
            try:
                action = steps.send(result)
            except StopIteration as end:
                ending: Ending = end.value
                return ending
            self.actions.append(action)
            result = world(action)

    @property
    def urls(self) -> list[str]:
        return [action.url for action in self.actions if isinstance(action, Fetch)]


def printed(*lines: str) -> list[str]:
    return Run("\n".join(("#!ipxe", *lines))).ipxe.screen


LINES = {
    "success": (["isset x && echo yes || echo no"], ["yes"]),
    "failure": (["iseq a b && echo yes || echo no"], ["no"]),
    "failed-then-and": (["iseq a b || iseq c d && echo yes ||", "echo on"], ["on"]),
    "semicolon": (["iseq a b ; echo always"], ["always"]),
    "excused": (["iseq a b ||", "echo on"], ["on"]),
    "failure-ends-the-script": (["echo one", "iseq a b", "echo two"], ["one"]),
    "comment": (["echo one # two", "# three"], ["one"]),
    "joint-inside-a-word": (["echo a||b &&"], ["a||b"]),
    "goto": (["goto over", "echo passed", ":over", "echo there"], ["there"]),
    "goto-ends-its-line": (["goto over && echo passed", ":over"], []),
    "label-with-a-command": (["goto over", ":over echo there"], ["there"]),
    "no-label": (["goto nowhere || echo stayed"], ["goto: no label nowhere", "stayed"]),
    "unknown": (["frobnicate || echo stayed"], ["frobnicate: command not found", "stayed"]),
    "exit": (["echo one", "exit 0 ; echo two", "echo three"], ["one"]),
    "words-are-split-before-they-are-expanded": (["set a b c", "iseq ${a} b || isset ${a} && echo one"], ["one"]),
    "nothing": (["isset ${nothing} || echo unset"], ["unset"]),
    "typed": (["set n:int32 41", "inc n", "echo ${n} ${n:hex}"], ["42 00:00:00:2a"]),
    "string-of-hex": (["set sp:hex 20", "set sp ${sp:string}", "echo a${sp}${sp}b"], ["a  b"]),
    "uristring": (["echo ${serial:uristring}"], ["A%26B%20c"]),
    "mac": (["echo ${netX/mac} ${net0/mac:hexhyp} ${mac} ${net1/mac}|"], ["00:01:02:03:04:05 00-01-02-03-04-05 00:01:02:03:04:05 |"]),
    "nested": (["set a net0", "echo ${${a}/mac}"], ["00:01:02:03:04:05"]),
    "cpuid": (["cpuid --ext 29 && echo long", "cpuid --ext 28 ||"], ["long"]),
    "no-newline": (["echo -n one"], ["one"]),
    "not-a-number": (["sleep soon || echo stayed"], ["sleep: 'soon' is no number", "stayed"]),
    "option-of-nothing": (["imgfree", "chain --frob x || echo stayed"], ["chain: unrecognised option --frob", "stayed"]),
    "continued": (["echo one \\", "two"], ["one two"]),
}  # fmt: skip


@pytest.mark.parametrize("case", LINES)
def test_a_line(case: str) -> None:
    lines, screen = LINES[case]
    assert printed("set x 1", *lines) == screen


ENDINGS = {
    "autoexec": (there(), LocalDisk),
    "boot": (there(), LocalDisk),
    "countdown": (there(), LocalDisk),
    "hold-listed": (there(), Stuck),
    "hold-unlisted": (there(), Stuck),
    "hold-nameless": (there(), Stuck),
    "hold-window-closed": (there(), Stuck),
    "hold-unseen": (there(), LocalDisk),
    "local-bios": (there(), LocalDisk),
    "local-efi": (there(), LocalDisk),
    "local-exit": (there(), LocalDisk),
    "local-404": (there(), LocalDisk),
    "talos": (there("kernel"), Booted),
    "talos-coming": (there(), LocalDisk),
    "talos-missing": (there(), Stuck),
    "hold-new-unseen": (there(), LocalDisk),
    "menu": (there(), LocalDisk),
    "ipxe": (there(), Stuck),
    "ipxe-arguments": (there(), Stuck),
}


def test_every_script_of_the_daemon_is_played() -> None:
    assert set(ENDINGS) == {path.stem for path in GOLDEN.glob("*.ipxe")}


@pytest.mark.parametrize("name", ENDINGS)
def test_what_a_script_of_the_daemon_ends_in(name: str) -> None:
    world, ending = ENDINGS[name]
    run = Run((GOLDEN / f"{name}.ipxe").read_text(), world)
    assert isinstance(run.ending, ending), run.ending
    assert "command not found" not in str(run.ending)


@pytest.mark.parametrize("name", ENDINGS)
def test_where_nothing_can_be_fetched_every_script_ends(name: str) -> None:
    run = Run((GOLDEN / f"{name}.ipxe").read_text())
    assert isinstance(run.ending, LocalDisk if name.startswith("local") else Stuck)


def test_the_first_script_tells_what_the_machine_is() -> None:
    run = Run((GOLDEN / "boot.ipxe").read_text(), there(), "pcbios", "i386")
    assert run.urls[0].startswith("http://10.77.0.2:8080/ipxe?mac=00:01:02:03:04:05&uuid=&serial=A%26B%20c&")
    assert "&arch=x86_64&platform=pcbios&" in run.urls[0]


def test_it_asks_ten_times_then_gives_up() -> None:
    run = Run((GOLDEN / "boot.ipxe").read_text())
    assert len(run.urls) == 10
    assert run.actions.count(Sleep(5)) == 10
    assert isinstance(run.ending, Stuck)
    assert "gone" in run.ending.why


def test_autoexec_brings_up_the_network_itself() -> None:
    run = Run((GOLDEN / "autoexec.ipxe").read_text(), there())
    assert isinstance(run.actions[0], Configure)


def test_a_countdown_is_waited_out_and_confirmed() -> None:
    run = Run((GOLDEN / "countdown.ipxe").read_text(), there())
    assert run.actions[0] == Sleep(10)
    assert "/ipxe/confirm?mac=" in run.urls[0]


def test_talos_gets_its_command_line() -> None:
    run = Run((GOLDEN / "talos.ipxe").read_text(), there("kernel"))
    assert isinstance(run.ending, Booted)
    assert run.ending.command_line.startswith("initrd=initramfs talos.platform=metal ")
    assert run.ending.command_line.endswith("/talos/THE-TICKET/config.yaml")
    assert [action.what for action in run.actions if isinstance(action, Fetch)] == ["kernel", "initramfs"]


def test_a_uefi_kernel_finds_only_the_initramfs_that_is_named() -> None:
    script = "#!ipxe\nkernel k\ninitrd --name one i\nboot\n"
    assert isinstance(Run(script, there(), "pcbios").ending, Booted)
    stuck = Run(script, there()).ending
    assert isinstance(stuck, Stuck)
    assert "initrd=one" in stuck.why


@pytest.mark.parametrize(("milliseconds", "followed"), [(3000, MOST_HOLDS), (HOLD_SECONDS * 1000 + 1, 0)])
def test_a_screen_that_waits_is_followed_twice_if_it_soon_asks_again(
    milliseconds: float, followed: int
) -> None:
    script = f"#!ipxe\necho Not yet.\n:w\nprompt --key 0x64 --timeout {milliseconds:.0f} Again.\ngoto w ||\n"
    script = script.replace("Again.\n", "Again. ||\n")
    run = Run(script)
    assert len(run.actions) == followed
    assert isinstance(run.ending, Stuck)
    assert "Not yet." in run.ending.why


def test_holds_are_counted_over_scripts() -> None:
    script = (GOLDEN / "hold-unseen.ipxe").read_text()
    run = Run(script, there(script))
    assert run.actions.count(Sleep(3)) == MOST_HOLDS
    assert isinstance(run.ending, Stuck)


def test_a_chained_file_that_is_no_script_is_started() -> None:
    assert Run("#!ipxe\nchain other.efi\n", there("MZ")).ending == Program("http://10.77.0.2:8080/other.efi")


@pytest.mark.parametrize("command", ["chain", "chain --replace", "kernel"])
def test_an_empty_file_is_not_started(command: str) -> None:
    stuck = Run(f"#!ipxe\n{command} x\nboot\n", there(""), "pcbios").ending
    assert stuck == Stuck("http://10.77.0.2:8080/x: Exec format error: it is empty")


@pytest.mark.parametrize(
    ("command", "why"),
    [
        ("kernel", "x: Exec format error: it is a web page"),
        ("initrd", "x: no kernel would find its files in it: it is a web page"),
    ],
)
@pytest.mark.parametrize("platform", ["efi", "pcbios"])
def test_a_page_is_no_kernel(command: str, why: str, platform: str) -> None:
    stuck = Run(f"#!ipxe\n{command} x\nboot\n", there("<!doctype html>"), platform).ending
    assert isinstance(stuck, Stuck)
    assert why in stuck.why


@pytest.mark.parametrize("command", ["chain", "chain --replace"])
def test_what_a_platform_can_start(command: str) -> None:
    script, page = f"#!ipxe\n{command} x\n", there("<html>")
    assert isinstance(Run(script, page, "pcbios").ending, Program)
    stuck = Run(script, page).ending
    assert isinstance(stuck, Stuck)
    assert "Exec format error: it does not begin with MZ" in stuck.why


def test_a_setting_cannot_grow_without_bounds() -> None:
    run = Run("#!ipxe\nset b bbbb\n:l\nset b ${b}${b}\ngoto l\n")
    assert run.ending == Stuck(f"a command is longer than {LONGEST_LINE} characters")
    assert len(run.ipxe.settings.show("b")) <= LONGEST_LINE
    many = Run(f"#!ipxe\nset b {'b' * 100}\nset c {'${b} ' * 100}\n")
    assert isinstance(many.ending, Stuck)


@pytest.mark.parametrize("number", ["9" * 400, "9" * 5000])
def test_no_number_is_too_large(number: str) -> None:
    for line in ("sleep {}", "prompt --timeout {}", "inc n {}", "exit {}"):
        assert isinstance(Run(f"#!ipxe\n{line.format(number)}\n").ending, Stuck)


def test_a_script_goes_on_behind_one_it_does_not_replace() -> None:
    run = Run("#!ipxe\nchain a || echo failed\necho on\n", there("#!ipxe\necho inner\nexit 3\n"))
    assert run.ipxe.screen[-2:] == ["failed", "on"]
    replaced = Run("#!ipxe\nchain --replace a || echo failed\necho on\n", there("#!ipxe\necho inner\n"))
    assert replaced.ipxe.screen == ["inner"]


@pytest.mark.parametrize(
    "script", [":a\ngoto a", "chain --replace x", "chain x", "set a $\nset b {b}\necho ${a}${b}\n:x\ngoto x"]
)
def test_what_has_no_end_is_ended(script: str) -> None:
    text = f"#!ipxe\n{script}\n"
    assert isinstance(Run(text, there(text)).ending, Stuck)


WORDS = [
    *COMMANDS,
    "||",
    "&&",
    ";",
    "#",
    "a",
    "${a}",
    "${a:hex}",
    "a:int32",
    "1",
    "--timeout",
    "--replace",
    ":a",
    "nonsense",
]


@settings(max_examples=300, deadline=None)
@given(st.lists(st.lists(st.sampled_from(WORDS), max_size=6), max_size=8), st.booleans())
def test_no_script_hangs_or_raises(lines: list[list[str]], found: bool) -> None:  # noqa: FBT001
    text = "\n".join(("#!ipxe", *(" ".join(line) for line in lines)))
    run = Run(text, there(text) if found else gone)
    assert isinstance(run.ending, Ending)
    assert len(run.actions) <= MOST_COMMANDS


def test_a_script_begins_with_its_mark() -> None:
    assert is_script("#!ipxe\n")
    assert not is_script("#!ipxes\n")
    assert not is_script("MZ")


@pytest.mark.parametrize(
    ("url", "name", "wanted"),
    [
        ("tftp://10.0.0.1/ipxe/snponly.efi", "autoexec.ipxe", "tftp://10.0.0.1/ipxe/autoexec.ipxe"),
        ("tftp://10.0.0.1/snponly.efi", "autoexec.ipxe", "tftp://10.0.0.1/autoexec.ipxe"),
        ("http://10.0.0.1:8080/a/b?c=/d", "e", "http://10.0.0.1:8080/a/e"),
        ("http://10.0.0.1/a/b", "/e", "http://10.0.0.1/e"),
    ],
)
def test_a_file_beside_another(url: str, name: str, wanted: str) -> None:
    assert beside(url, name) == wanted
