"""``dig`` and ``kdig``: clients of other projects, which read every octet of an answer."""

import re
import subprocess
from dataclasses import dataclass

_SECTION = re.compile(r"^;; (ANSWER|AUTHORITY|ADDITIONAL) SECTION:$")


@dataclass(frozen=True)
class Dug:
    """What the program printed: the status of the answer, its flags, and its records without runs of blanks."""

    text: str

    @property
    def status(self) -> str:
        return self._found(r"status: ([A-Z]+)")

    @property
    def flags(self) -> set[str]:
        return set(self._found(r";; flags: ([a-z ]*);").split()) or set(
            self._found(r";; Flags: ([a-z ]*);").split()
        )

    @property
    def ede(self) -> str:
        """The extended error, such as ``3 (Stale Answer)``."""
        return self._found(r"; EDE: (.*)")

    @property
    def answers(self) -> list[str]:
        return self._records("ANSWER")

    @property
    def authorities(self) -> list[str]:
        return self._records("AUTHORITY")

    @property
    def values(self) -> list[str]:
        """Of each record in the answer, what it holds."""
        return [line.split(" ", 4)[4] for line in self.answers]

    @property
    def ttls(self) -> list[int]:
        return [int(line.split()[1]) for line in self.answers]

    def _found(self, pattern: str) -> str:
        found = re.search(pattern, self.text)
        return found[1] if found else ""

    def _records(self, section: str) -> list[str]:
        found: dict[str, list[str]] = {}
        inside: list[str] = []
        for line in self.text.splitlines():
            if heading := _SECTION.match(line):
                inside = found.setdefault(heading[1], [])
            elif line and not line.startswith(";"):
                inside.append(" ".join(line.split()))
        return found.get(section, [])


def dig(
    port: int, *words: str, server: str = "127.0.0.1", source: str = "127.0.0.1", program: str = "dig"
) -> Dug:
    """Ask once, with a time limit; ``words`` are a name, a type and options, as one types them."""
    where = ["-b", source] if program == "dig" else [f"+bind={source}"] if source != "127.0.0.1" else []
    limit = ["+tries=1", "+time=8"] if program == "dig" else ["+retry=0", "+timeout=8"]
    command = [program, f"@{server}", "-p", str(port), *where, *limit, *words]
    return Dug(subprocess.run(command, capture_output=True, text=True, timeout=60, check=False).stdout)
