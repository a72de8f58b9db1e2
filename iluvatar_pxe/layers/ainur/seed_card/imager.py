"""Measures a card's image for the list that Raspberry Pi Imager takes."""

import hashlib
from datetime import UTC, datetime
from pathlib import Path

from iluvatar_pxe.assets.unpack.partitions import HEAD, LARGEST_IMAGE, partitions_of
from iluvatar_pxe.assets.unpack.stream import CHUNK, opened
from iluvatar_pxe.layers.ainur.seed_card.faults import named
from iluvatar_pxe.layers.ainur.seed_card.os_list import Card
from iluvatar_pxe.layers.ainur.seed_card.systems import BEGINNING, system_of


def measured(image: Path, url: str | None) -> Card:
    """Read a card's image, compressed or not; Imager finds it at ``url``, or where it lies.

    Raises SeedCardError, and OSError.
    """
    with named(image), opened(image, LARGEST_IMAGE, lambda _done, _size: None) as stream:
        beginning = stream.read(BEGINNING)
        boot, _ = partitions_of(beginning[:HEAD])
        system = system_of(beginning[boot.start :])
        written = hashlib.sha256(beginning)
        while chunk := stream.read(CHUNK):
            written.update(chunk)
    with image.open("rb") as file:
        sha256 = hashlib.file_digest(file, "sha256").hexdigest()
    status = image.stat()
    return Card(
        url=url or image.resolve().as_uri(),
        name=f"iluvatar-pxe on {system.name}",
        size=status.st_size,
        sha256=sha256,
        written_size=stream.position,
        written_sha256=written.hexdigest(),
        init_format=system.init_format,
        made=datetime.fromtimestamp(status.st_mtime, UTC).date(),
    )
