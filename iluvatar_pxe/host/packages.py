"""Which version of a package Debian's package manager has installed."""

from collections.abc import Collection, Iterator, Mapping
from pathlib import Path

STATUS = Path("/var/lib/dpkg/status")


def installed_versions(names: Collection[str], status: Path = STATUS) -> Mapping[str, str]:
    """Return the versions of those packages that are installed; none on a system without dpkg. Blocks."""
    try:
        text = status.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return {}
    return dict(_installed(text, names))


def _installed(text: str, names: Collection[str]) -> Iterator[tuple[str, str]]:
    for paragraph in text.split("\n\n"):
        if paragraph.partition("\n")[0].removeprefix("Package: ") not in names:
            continue  # most of a thousand
        fields = dict(line.split(": ", 1) for line in paragraph.splitlines() if ": " in line)
        if fields.get("Status", "").endswith(" ok installed") and "Version" in fields:
            yield fields["Package"], fields["Version"]
