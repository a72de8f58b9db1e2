import pytest

from iluvatar_pxe.errors import UsageError
from iluvatar_pxe.layers.ainur.seed_card.boot_order import changed, settings_of

ORDER = {"BOOT_ORDER": "0xf26"}


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("", "BOOT_ORDER=0xf26\n"),
        ("[all]\nBOOT_UART=1\nBOOT_ORDER=0xf461\n", "[all]\nBOOT_UART=1\nBOOT_ORDER=0xf26\n"),
        ("BOOT_ORDER=0xf1\n[all]\nBOOT_ORDER=0xf4\n", "[all]\nBOOT_ORDER=0xf26\n"),
        (
            "[all]\n[gpio4=1]\nBOOT_ORDER=0xf1\n",
            "[all]\n[gpio4=1]\nBOOT_ORDER=0xf1\n[all]\nBOOT_ORDER=0xf26\n",
        ),
        (" [all] \r\n# BOOT_ORDER=0xf1\r\n", " [all] \n# BOOT_ORDER=0xf1\nBOOT_ORDER=0xf26\n"),
    ],
)
def test_a_setting_holds_for_every_board_and_the_rest_stays(before: str, after: str) -> None:
    assert changed(before, ORDER) == after
    assert changed(after, ORDER) == after


def test_what_a_person_gives_is_put_over_the_defaults() -> None:
    assert settings_of([]) == {"BOOT_ORDER": "0xf21"}
    given = settings_of(["PCIE_PROBE=1", "BOOT_ORDER=0xf26", "NETCONSOLE=6665@169.254.1.1/,6666@/"])
    assert given == {
        "BOOT_ORDER": "0xf26",
        "PCIE_PROBE": "1",
        "NETCONSOLE": "6665@169.254.1.1/,6666@/",
    }


@pytest.mark.parametrize(
    "word", ["BOOT_ORDER", "boot_order=1", "A=", "A=1\nB=2", "BOOT_ORDER=f21", "BOOT_ORDER=0xf29"]
)
def test_what_is_no_setting_is_refused(word: str) -> None:
    with pytest.raises(UsageError, match="write"):
        settings_of([word])
