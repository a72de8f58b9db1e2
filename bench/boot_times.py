"""A table of how long boots took, and the times of the peer to compare them with."""

from collections.abc import Iterable, Mapping

from iluvatar_pxe.lab.watch.stages import STAGES

REFERENCE: Mapping[str, Mapping[str, float]] = {
    "bios": dict(
        zip(("DISCOVER", "router ACK", "script", "config fetched"), (2.4, 2.4, 18.5, 25.2), strict=True)
    ),
    "uefi-x64": dict(zip(STAGES, (5.2, 8.9, 10.0, 12.1, 27.9, 36.4), strict=True)),
    "uefi-x64-http": dict(zip(STAGES, (5.5, 9.3, 9.4, 11.5, 27.2, 36.0), strict=True)),
    "uefi-arm64": dict(zip(STAGES, (6.7, 10.3, 11.6, 21.1, 25.0, 30.8), strict=True)),
    "uefi-arm64-http": dict(zip(STAGES, (7.1, 10.8, 11.1, 20.5, 24.4, 30.9), strict=True)),
}
"""Seconds after switching on, with dnsmasq in place of the daemon, by kind of firmware.

iPXE is of 2019, but for arm64, where Debian first had it in 2025.
"""


def stage_table(rows: Iterable[tuple[str, Mapping[str, float]]]) -> list[str]:
    """Return the lines of a table with one labelled row of seconds for each boot."""
    lines = ["".join([f"{'boot':<34}", *(f"{stage:>15}" for stage in STAGES)])]
    for label, times in rows:
        cells = (f"{times[stage]:.1f} s" if stage in times else "-" for stage in STAGES)
        lines.append("".join([f"{label:<34}", *(f"{cell:>15}" for cell in cells)]))
    return lines
