"""iPXE scripts as text: lines, labels, words, and what joins commands (ipxe.org/scripting)."""

from collections.abc import Mapping, Sequence

from msgspec import Struct

MAGICS = ("#!ipxe", "#!gpxe")
_JOINTS = frozenset({"||", "&&", ";"})


class Command(Struct, frozen=True):
    """Words that are not expanded yet, and what stands behind them: ``||``, ``&&``, ``;`` or nothing."""

    words: tuple[str, ...]
    joint: str = ""

    def is_followed(self, status: int) -> bool:
        """Say whether the next command of the line runs, when this one ended with ``status``."""
        return self.joint == ";" or (self.joint == "||") == (status != 0)


class Script(Struct, frozen=True):
    """Lines of commands; ``labels`` maps a name to the number of the line it stands before."""

    lines: Sequence[Sequence[Command]]
    labels: Mapping[str, int]


def is_script(text: str) -> bool:
    """Say whether a file is a script, by its first line."""
    return text.startswith(MAGICS) and text[6:7].isspace()


def parse(text: str) -> Script:
    """Take a script apart; what no line can be made of fails when it is run, as in iPXE."""
    lines: list[Sequence[Command]] = []
    labels: dict[str, int] = {}
    for line in text.replace("\r\n", "\n").replace("\\\n", "").split("\n"):
        words = line.split()
        if words and words[0].startswith(":"):
            labels.setdefault(words.pop(0)[1:], len(lines))
        lines.append(commands(words))
    return Script(lines, labels)


def commands(words: Sequence[str]) -> tuple[Command, ...]:
    """Split the words of a line into commands; a word that begins with ``#`` ends them."""
    found: list[Command] = []
    current: list[str] = []
    for word in words:
        if word.startswith("#"):
            break
        if word in _JOINTS:
            found.append(Command(tuple(current), word))
            current = []
        else:
            current.append(word)
    return (*found, Command(tuple(current)))
