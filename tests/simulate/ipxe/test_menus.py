"""iPXE's menus, played as iPXE does it when nobody presses a key (hci/commands/menu_cmd.c, hci/tui/menu_ui.c)."""

import pytest
from simulate.ipxe.test_interpreter import Run

from iluvatar_pxe.simulate.ipxe.interpreter import LocalDisk, Sleep, Stuck

ITEMS = ("menu Title", "item --gap -- What there is", "item one The first", "item two The second")


def chosen(*lines: str) -> Run:
    return Run("\n".join(("#!ipxe", *lines, "echo chose ${a}")))


@pytest.mark.parametrize(
    ("items", "choose", "label"),
    [
        (ITEMS, "choose --timeout 2000 a", "one"),
        (ITEMS, "choose -t 2000 -d two a", "two"),
        (ITEMS, "choose --timeout 2000 --default none a", "one"),
        ((*ITEMS, "item --default three Third"), "choose --timeout 2000 a", "three"),
        ((*ITEMS, "item -d three Third"), "choose --timeout 2000 --default two a", "two"),
        ((*ITEMS, "item -k 0x33 three Third"), "choose --timeout 2000 --default three a", "three"),
        (("menu --name m", "item --menu m it", "menu Other", "item no"), "choose -m m -t 2000 a", "it"),
        ((*ITEMS, "menu Again", "item new"), "choose --timeout 2000 a", "new"),
        ((*ITEMS, "choose --keep -t 2000 b"), "choose --timeout 2000 --default two a", "two"),
    ],
)
def test_when_the_time_is_over_the_item_under_the_cursor_is_chosen(
    items: tuple[str, ...], choose: str, label: str
) -> None:
    run = chosen(*items, choose)
    assert run.ipxe.screen == [f"chose {label}"]
    assert run.actions[-1] == Sleep(2)
    assert isinstance(run.ending, LocalDisk)


@pytest.mark.parametrize(
    ("lines", "why"),
    [
        (["item one"], "item: there is no menu"),
        (["choose --timeout 1 a"], "choose: there is no menu"),
        (["menu", "choose --timeout 1 a"], "choose: the menu has no items"),
        (["menu", "item --gap one", "choose --timeout 1 a"], "choose: the menu has no items"),
        (["menu", "item one", "choose --timeout 1"], "choose: one setting is needed"),
        (["menu", "item one", "choose --timeout soon a"], "choose: 'soon' is no number"),
        (["menu --delete", "item one"], "item: there is no menu"),
        ([*ITEMS, "choose -t 1 a", "choose -t 1 a"], "choose: there is no menu"),
        ([*ITEMS, "choose --frob a"], "choose: unrecognised option --frob"),
    ],
)
def test_what_is_no_menu_fails(lines: list[str], why: str) -> None:
    run = chosen(*lines)
    assert run.ending == Stuck(why)


def test_a_menu_without_a_timeout_waits_for_a_person() -> None:
    run = chosen(*ITEMS, "choose a")
    assert run.ending == Stuck(
        "the machine's menu waits for a person; it says: Title What there is The first The second"
    )
