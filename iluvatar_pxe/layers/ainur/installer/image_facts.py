"""What unpacking an image has found out about its partitions, of which an installation consists. Pure."""

import json
from collections.abc import Callable

from msgspec import Struct
from pydantic import BaseModel

from iluvatar_pxe.assets.unpack.partitions import Partition
from iluvatar_pxe.errors import UnpackError
from iluvatar_pxe.layers.ainur.installer.layout import Layout
from iluvatar_pxe.layers.ainur.installer.protocol import Compression, ImagePart


class _Part(BaseModel):
    file: str
    start: int
    sha256: str
    size: int
    uncompressed_size: int

    @property
    def partition(self) -> Partition:
        return Partition(self.start, self.uncompressed_size)


class _Facts(BaseModel):
    boot: _Part
    root: _Part


class PartitionFacts(Struct, frozen=True):
    """Where an image's partitions lie, and the files that they come from."""

    layout: Layout
    _facts: _Facts

    def parts(self, path_of: Callable[[str], str]) -> tuple[ImagePart, ...]:
        """Return what is written to a disk; ``path_of`` gives the path of the URL of a file of the image."""
        return _image_part(self._facts.boot, path_of), self.root(path_of)

    def root(self, path_of: Callable[[str], str]) -> ImagePart:
        """Return the root file system alone; ``path_of`` as above."""
        return _image_part(self._facts.root, path_of)


def _image_part(part: _Part, path_of: Callable[[str], str]) -> ImagePart:
    return ImagePart(
        offset=part.start,
        compression=Compression.ZSTD,
        size=part.size,
        sha256=part.sha256,
        path=path_of(part.file),
    )


def read_facts(text: str) -> PartitionFacts:
    """Return them from an image's ``facts.json``; raises UnpackError where that is of an older daemon, or damaged."""
    try:
        facts = _Facts.model_validate(json.loads(text))
    except ValueError as error:
        raise UnpackError(
            "was unpacked by an older version; remove its folder from the assets directory, and run "
            "'iluvatar-pxe assets fetch'"
        ) from error
    return PartitionFacts(Layout(facts.boot.partition, facts.root.partition), facts)
