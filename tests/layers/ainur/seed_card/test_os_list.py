import json
from datetime import date

from iluvatar_pxe.layers.ainur.seed_card.os_list import Card, os_list

CARD = Card(
    url="http://192.0.2.7:8080/assets/card.img.xz",
    name="iluvatar-pxe",
    size=1000,
    sha256="ab" * 32,
    written_size=4000,
    written_sha256="cd" * 32,
    init_format="cloudinit",
    made=date(2026, 11, 2),
)
REQUIRED = (
    *("name", "description", "icon", "url", "extract_size", "extract_sha256"),
    *("image_download_size", "release_date", "devices"),
)
"""By Imager's schema."""


def test_imager_finds_all_that_it_requires() -> None:
    (entry,) = json.loads(os_list(CARD))["os_list"]
    assert not [key for key in REQUIRED if not entry[key]]
    assert (entry["image_download_size"], entry["image_download_sha256"]) == (1000, "ab" * 32)
    assert (entry["extract_size"], entry["extract_sha256"]) == (4000, "cd" * 32)
    assert entry["release_date"] == "2026-11-02"
    assert entry["init_format"] == "cloudinit"
    assert entry["devices"] == ["pi3-64bit", "pi4-64bit", "pi5-64bit"]
