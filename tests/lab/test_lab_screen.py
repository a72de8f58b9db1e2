from iluvatar_pxe.lab.guest.screen import readable, without_escapes


def test_escape_sequences_are_left_out() -> None:
    assert without_escapes("\x1b[2J\x1b[01;01H\x1b[=3h\x1b[1m\x1b[37mtext\x1b[0m") == "text"


def test_lines_are_as_they_look_in_the_end() -> None:
    lines = [
        "\x1b[2J\x1b[01;01H",
        "http://x/kernel... 56%\b\b\b\b    \b\b\b\b ok",
        "\b\bbell\x07  ",
        "[    0.000000] Booting Linux on physical CPU 0x0",
        "   indented",
        "",
    ]
    assert list(readable(lines)) == ["http://x/kernel... ok", "bell", "   indented"]
