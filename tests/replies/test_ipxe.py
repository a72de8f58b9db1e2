"""iPXE scripts: each as a whole, and no text of a machine that could become a command of its own.

``UPDATE_GOLDEN=1`` writes the scripts that are compared with.
"""

import os
import re
from functools import cache
from ipaddress import IPv4Address
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.fleets import ARDA, INITRAMFS, KERNEL, READY, fleet_of, talos
from support.plans import plan_for
from support.templates import IPXE

from iluvatar_pxe.boot.case import Context
from iluvatar_pxe.boot.plan import BootLocal, Hold
from iluvatar_pxe.catalogue.progress import Progress, State
from iluvatar_pxe.fleet.models import Fleet, LocalMethod
from iluvatar_pxe.machines.fingerprint import from_ipxe
from iluvatar_pxe.machines.model import Snapshot
from iluvatar_pxe.machines.sighting import Sighting
from iluvatar_pxe.replies.ipxe import Shown, on_lines, on_screen
from iluvatar_pxe.replies.links import Links
from iluvatar_pxe.values import replace

GOLDEN = Path(__file__).parent / "golden"
CLIENT = IPv4Address("10.77.0.50")
LINKS = Links(IPv4Address("10.77.0.2"), 8080)
TICKET = "THE-TICKET"
MAC = "52:54:00:77:00:01"
QUERY = {
    "mac": MAC,
    "arch": "x86_64",
    "platform": "efi",
    "manufacturer": "QEMU",
    "product": "Standard PC (Q35 + ICH9, 2009)",
    "serial": "S-123",
}


def sighting(**changes: str) -> Sighting:
    return from_ipxe(QUERY | changes, CLIENT)


MENU = "menu: {timeout: 20, entries: [{name: Rescue system (a && b), script: rescue.ipxe}]}\n"


@cache
def fleet_with(lines: str) -> Fleet:
    """Return a fleet whose file for ``MAC`` holds ``lines``, or with that rule; with none it says nothing of it."""
    if lines.startswith("rules:"):
        return fleet_of(fleet=lines, arda=ARDA + ROLE_CONFIGS)
    machines = (talos("arda-01", MAC) if lines == "talos" else ("arda-01", MAC, lines),) if lines else ()
    return fleet_of(*machines, fleet=MENU, rescue_ipxe="#!ipxe\necho rescue\nshell\n")


def script(lines: str, seen: Sighting, ready: frozenset[str] = READY, context: Context | None = None) -> str:
    """Return the script of a machine in that fleet."""
    plan = plan_for(
        seen, Snapshot(), fleet_with(lines), context or Context(ready=ready, no_assignment="none")
    )
    assert isinstance(plan, Shown)
    return IPXE.machine_script(plan, seen, LINKS, TICKET)


ROLE_CONFIGS = "config: {controlplane: configs/one.yaml, worker: configs/one.yaml}\n"
RULE = "rules: [{name: PCs, match: {manufacturer: 'q*'}, layer: arda}]\n"
DOUBT = "10.77.0.50 belongs to 52:54:00:77:00:02, which is no card of it"
COMING = {
    KERNEL: Progress(state=State.LOADING, done=31_500_000, size=75_000_000, rate=2e6),
    INITRAMFS: Progress(state=State.BUILDING),
}
SCRIPTS = {
    "boot": IPXE.first_script(LINKS, network=False),
    "autoexec": IPXE.first_script(LINKS, network=True),
    "talos": script("talos", sighting()),
    "talos-missing": script("talos", sighting(), frozenset()),
    "talos-coming": script("talos", sighting(), context=Context(coming=COMING, no_assignment="none")),
    "hold-listed": script("chain: hold\n", sighting()),
    "hold-unlisted": script("", sighting()),
    "hold-nameless": script("", sighting(manufacturer="", product="", serial="")),
    "hold-window-closed": script(RULE, sighting(), context=Context(ready=READY)),
    "hold-unseen": script("talos", sighting(), context=Context(ready=READY, doubt=DOUBT)),
    "hold-new-unseen": script(RULE, sighting(), context=Context(ready=READY, window_open=True, doubt=DOUBT)),
    "countdown": script(RULE, sighting(), context=Context(ready=READY, window_open=True)),
    "local-efi": script("chain: local\n", sighting()),
    "local-bios": script("chain: local\n", sighting(platform="pcbios")),
    "local-exit": script("chain: local\nlocal: exit\n", sighting(platform="pcbios")),
    "local-404": script("chain: local\nlocal: 404\n", sighting(platform="pcbios")),
    "menu": script("chain: menu\n", sighting()),
    "ipxe-arguments": script("chain: ipxe\nscript: rescue.ipxe\nkernelArgs: [quiet, a=b]\n", sighting()),
    "ipxe": script("chain: ipxe\nscript: rescue.ipxe\n", sighting()),
}


OF_FLEET = {"ipxe", "ipxe-arguments"}
"""What these do is the owner's business."""


@pytest.mark.parametrize("name", SCRIPTS)
def test_the_script_is_as_written_down(name: str) -> None:
    file = GOLDEN / f"{name}.ipxe"
    if os.environ.get("UPDATE_GOLDEN"):
        file.write_text(SCRIPTS[name], encoding="utf-8")
    assert SCRIPTS[name] == file.read_text(encoding="utf-8")


def test_nothing_is_written_down_that_no_plan_gives() -> None:
    assert {file.stem for file in GOLDEN.iterdir()} == set(SCRIPTS)


@pytest.mark.parametrize("name", SCRIPTS)
def test_every_script_is_one_for_ipxe_and_ends_in_something_safe(name: str) -> None:
    lines = SCRIPTS[name].splitlines()
    assert lines[0] == "#!ipxe"
    assert "{{" not in SCRIPTS[name]
    assert "{%" not in SCRIPTS[name]
    assert SCRIPTS[name].endswith("\n")
    if name not in OF_FLEET:
        assert re.fullmatch(r"exit( 1)?|chain .* \|\| exit 1", lines[-1]), (
            "firmware goes on, or it asks again"
        )


@pytest.mark.parametrize("name", sorted(SCRIPTS.keys() - OF_FLEET))
def test_every_jump_has_a_place_to_go(name: str) -> None:
    labels = set(re.findall(r"^:(\w+)$", SCRIPTS[name], re.MULTILINE))
    assert set(re.findall(r"\bgoto (\w+)", SCRIPTS[name])) <= labels


@pytest.mark.parametrize("name", sorted(SCRIPTS.keys() - OF_FLEET))
def test_no_command_that_may_fail_ends_the_script(name: str) -> None:
    """iPXE leaves a script at the first line that fails: what asks the network has an ``||``."""
    for line in SCRIPTS[name].splitlines():
        if line.split(" ")[0] in {
            "chain",
            "kernel",
            "initrd",
            "ifconf",
            "boot",
            "sanboot",
            "prompt",
            "iseq",
            "choose",
        }:
            assert "||" in line, line


@pytest.mark.parametrize("name", ["boot", "autoexec", "talos"])
def test_what_fails_is_tried_again_and_not_for_ever(name: str) -> None:
    assert "inc tries" in SCRIPTS[name]
    assert re.search(r"iseq \$\{tries\} \d+ && goto (give_up|failed)", SCRIPTS[name])
    assert re.search(r"^sleep \d+$", SCRIPTS[name], re.MULTILINE)


def test_a_held_machine_asks_again_by_itself() -> None:
    assert "--timeout 30000" in SCRIPTS["hold-listed"]
    again = rf":wait\nprompt .*\nchain .*--autofree --replace {LINKS.first_script} \|\|\necho .*\ngoto wait\n"
    assert re.search(again, SCRIPTS["hold-listed"])
    assert "waited" not in SCRIPTS["hold-listed"]


@pytest.mark.parametrize(
    ("lines", "doubt", "tries"), [("chain: hold\n", "", 10), ("talos", DOUBT, 100), ("chain: hold\n", "x", 0)]
)
def test_only_where_another_daemon_may_answer_a_held_machine_restarts_when_this_one_does_not(
    lines: str, doubt: str, tries: int
) -> None:
    fleet, seen = fleet_with(lines), sighting()
    plan = plan_for(
        seen, Snapshot(), fleet, Context(ready=READY, no_assignment="none", doubt=doubt * (tries > 0))
    )
    assert isinstance(plan, Hold)
    text = IPXE.machine_script(plan, seen, LINKS, TICKET, others=tries > 0)
    if not tries:
        assert "reboot" not in text
        assert text == SCRIPTS["hold-listed"]
        return
    before, waits = text.split(":wait\n")
    assert before.endswith("set unanswered:int32 0\n"), "each answer has it count anew"
    count = rf"echo No answer from .*\n# .*\ninc unanswered\niseq \$\{{unanswered\}} {tries} && reboot \|\|\ngoto wait\n"
    assert re.search(count, waits)


def test_a_machine_that_boots_talos_restarts_to_find_another_daemon_and_else_goes_on() -> None:
    plan = plan_for(sighting(), Snapshot(), fleet_with("talos"), Context(ready=READY, no_assignment="none"))
    assert isinstance(plan, Shown)
    text = IPXE.machine_script(plan, sighting(), LINKS, TICKET, others=True)
    assert text.endswith("to find another boot server of the fleet.\nsleep 5\nreboot ||\nexit 1\n")
    assert "reboot" not in SCRIPTS["talos"]


@pytest.mark.parametrize("name", ["hold-unlisted", "hold-window-closed", "hold-new-unseen"])
def test_a_machine_that_is_not_the_fleets_counts_what_it_waits_and_then_goes_on(name: str) -> None:
    """Where nobody answers any more it goes on at once."""
    seconds = 3 if name == "hold-new-unseen" else 30
    assert "in 30 seconds it boots its own disk.\n" in SCRIPTS[name]
    assert f"inc waited {seconds}\n:wait\nprompt --key 0x64 --timeout {seconds}000 " in SCRIPTS[name]
    assert re.search(r"chain .* \|\|\necho No answer from .*\n:disk\n", SCRIPTS[name])
    assert "&waited=${waited}&" in SCRIPTS["boot"]


@pytest.mark.parametrize(("left", "period"), [(1, 1), (29, 29), (30, 30), (31, 30), (600, 30)])
def test_a_machine_asks_again_every_half_minute_however_long_it_waits(left: int, period: int) -> None:
    plan = Hold(why="", name="one", screen=(), seconds=left)
    text = IPXE.machine_script(plan, sighting(), LINKS, TICKET)
    assert f"in {left} second{'s' * (left != 1)} it boots" in text
    assert f"inc waited {period}\n" in text
    assert f"--timeout {period}000 " in text


def test_a_machine_whose_files_are_coming_asks_every_few_seconds_and_forgets_what_it_has_waited() -> None:
    text = SCRIPTS["talos-coming"]
    assert "kernel-amd64 is 42 % here (31 of 75 MB, 2.0 MB/s,\necho 22 s left)." in text
    assert "clear waited ||\n:wait\nprompt --key 0x64 --timeout 5000 Asking again in 5 seconds." in text


def test_a_menu_is_followed_by_what_was_chosen_of_it() -> None:
    lines = SCRIPTS["menu"].splitlines()
    assert lines[1:4] == [
        "menu arda-01",
        "item / Boot its own disk",
        "item rescue.ipxe Rescue system (a ?? b)",
    ]
    assert "choose --default / --timeout 20000 choice || set choice /" in lines
    assert "&choice=${choice} ||" in SCRIPTS["boot"]


def test_a_script_of_the_fleet_knows_this_server_and_the_machines_arguments() -> None:
    assert f"set server {LINKS.base}\n" in SCRIPTS["boot"]
    assert f"set server {LINKS.base}\n" in SCRIPTS["autoexec"]
    assert SCRIPTS["ipxe-arguments"] == "#!ipxe\nset kernelArgs quiet a=b\necho rescue\nshell\n"


def test_only_the_talos_chain_carries_the_ticket() -> None:
    assert [name for name in SCRIPTS if TICKET in SCRIPTS[name]] == ["talos"]


@pytest.mark.parametrize("method", [LocalMethod.SANBOOT, LocalMethod.EXIT, LocalMethod.NOT_FOUND])
def test_the_method_of_the_file_beats_the_firmwares(method: LocalMethod) -> None:
    plan = BootLocal(why="", name="one", method=method)
    text = IPXE.machine_script(plan, sighting(platform="efi"), LINKS, TICKET)
    assert ("sanboot" in text) == (method is LocalMethod.SANBOOT)


def test_a_number_stays_with_its_unit() -> None:
    beginning = "x" * 60
    told = f"{beginning} (31 of 75 MB, 752 kB/s, 20 s left)"
    assert on_lines([told]) == (f"{beginning} (31 of 75 MB,", "752 kB/s, 20 s left)")
    assert on_lines([f"{beginning} kernel-amd64 is missing"]) == (f"{beginning} kernel-amd64 is", "missing")


@pytest.mark.parametrize(
    ("line", "lines"),
    [
        (
            f"{'a' * 39} {'b' * 39}",
            1,
        ),  # 79: the screen has 80, and a full line may leave an empty one below it
        (f"{'a' * 40} {'b' * 39}", 2),
        (f"  {'a' * 37} {'b' * 39}", 1),
        (f"  {'a' * 38} {'b' * 39}", 2),
        ("a" * 80, 1),  # cannot be broken: a URL, a file
        ("", 1),
    ],
)
def test_a_line_of_80_is_broken_and_one_of_79_is_not(line: str, lines: int) -> None:
    shown = on_lines([line])
    assert len(shown) == lines
    assert " ".join(part.strip() for part in shown) == line.strip()
    indent = line[: len(line) - len(line.lstrip())]
    assert all(part.startswith(indent) for part in shown)


HOSTILE = [
    "${net0/mac}",
    "x && reboot",
    "x || reboot",
    "x ; reboot",
    "x # reboot",
    "a\nreboot",
    "a\r\nreboot",
    "a\\\nreboot",
    "\x1b[2J\x00\x07",
    "'\"`$(reboot)",
    "--help",
    "{{ links }}{% raw %}",
    "A" * 4096,
    "\u2028reboot\u0085reboot",
    "${",
    "$" * 100 + "{mac}",
]


def commands(text: str) -> list[str]:
    """Return the words that iPXE would take for commands: the first of a line, and after each separator."""
    found = []
    for line in text.splitlines():
        words = line.split()
        found += words[:1]
        found += [after for word, after in pairwise(words) if word in {"&&", "||", ";"}]
    return found


def assert_harmless(seen: Sighting, chain: str) -> None:
    """Compare with the script of a machine that tells nothing of itself."""
    silent = replace(seen, manufacturer="", product="", serial="", client="")
    text, plain = script(chain, seen), script(chain, silent)
    assert commands(text) == commands(plain)
    assert re.findall(r"\$\{[^}]*\}?", text) == re.findall(r"\$\{[^}]*\}?", plain)
    own = set(plain.splitlines())
    for line in text.splitlines():
        assert line in own or line.startswith("echo "), line
        assert line.isascii()
        assert line.isprintable()
    assert "\\" not in text


@pytest.mark.parametrize("text", HOSTILE)
@pytest.mark.parametrize("chain", ["", "talos", "chain: hold\n", "chain: local\n"])
def test_hostile_text_stays_text(text: str, chain: str) -> None:
    assert_harmless(sighting(manufacturer=text, product=text, serial=text, version=text), chain)


PIECES = st.sampled_from(
    ["&&", "||", ";", "#", "${", "}", "\n", "\r", " ", "reboot", "\\", "$", "\x00", "--x", "echo"]
)
TEXTS = st.lists(PIECES | st.text(max_size=5), max_size=12).map("".join)


@settings(max_examples=500)
@given(TEXTS, TEXTS, TEXTS, st.sampled_from(["", "talos", "chain: hold\n", "chain: local\n"]))
def test_no_text_of_a_machine_becomes_a_command(
    manufacturer: str, product: str, serial: str, chain: str
) -> None:
    plain = sighting()
    assert_harmless(sighting(manufacturer=manufacturer, product=product, serial=serial), chain)
    # even unfiltered, as a later source of sightings might bring it
    assert_harmless(replace(plain, manufacturer=manufacturer, product=product, serial=serial), chain)


@settings(max_examples=1000)
@given(st.text())
def test_what_is_shown_on_a_screen_means_nothing_to_ipxe(text: str) -> None:
    shown = on_screen(text)
    assert len(shown) == len(text)
    assert not set(shown) & set("$;&|#\\\n\r\t\x00\x1b`<>")
