"""Takes the pictures in docs/screenshots: ``sudo .venv/bin/python bench/screenshots.py``.

The daemon runs in a private network, in which simulated machines boot; Debian's Chromium looks at its page from another
host there.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from playwright.sync_api import Browser
from support.chromium import chromium
from support.fleets import INITRAMFS, KERNEL
from support.simulated import reports_of, start_simulated
from support.simulated_site import PCS, simulated_site
from support.stations import Site

from iluvatar_pxe.lab.room.network import INTERFACE

PICTURES = Path(__file__).parents[1] / "docs" / "screenshots"
URL = "http://10.77.0.2:8080"
KINDS = ("uefi-x64-http", "bios", "pi4", "pi5")
TWICE = "02:00:00:00:00:20"
"""A machine that boots twice."""
FILES = {KERNEL: 14 << 20, INITRAMFS: 80 << 20}
"""Bytes, as of Talos."""
SIZES = {"phone": (390, 844), "desktop": (1280, 800)}
SECONDS = 200.0


def main() -> None:
    if sys.argv[1:]:
        look(sys.argv[1])
        return
    with simulated_site() as site:
        for name, size in FILES.items():
            (site.namespace.outside(site.server.assets) / name).write_bytes(bytes(size))
        for _ in range(2):
            command = ["simulate", "uefi-x64", "--mac", TWICE, "--interface", INTERFACE]
            run(site, "-m", "iluvatar_pxe", *command)
        reports_of(start_simulated(site.namespace, PCS, *KINDS))
        (found,) = site.rows(
            f"SELECT machine FROM boot_timeline WHERE mac = '{TWICE}' AND stage = 'config' LIMIT 1"
        )
        run(site, __file__, found[0])


def run(site: Site, *words: str) -> None:
    """Run a Python program on another host of the network, to its end."""
    site.namespace.start("program", [sys.executable, *words], network=PCS).wait(SECONDS)


def look(name: str) -> None:
    """Take the pictures of the list and of one machine."""
    with chromium() as browser:
        for size in SIZES:
            for scheme in ("light", "dark"):
                take(browser, size, scheme, name)


def take(browser: Browser, size: str, scheme: str, name: str) -> None:
    width, height = SIZES[size]
    page = browser.new_page(
        viewport={"width": width, "height": height}, color_scheme="dark" if scheme == "dark" else "light"
    )
    page.goto(URL)
    page.get_by_role("link", name=name).first.wait_for()
    page.screenshot(path=PICTURES / f"machines-{size}-{scheme}.png")
    page.get_by_role("link", name=name).first.click()
    page.get_by_role("heading", name="Boots").wait_for()
    page.screenshot(path=PICTURES / f"machine-{size}-{scheme}.png")
    page.close()


if __name__ == "__main__":
    main()
