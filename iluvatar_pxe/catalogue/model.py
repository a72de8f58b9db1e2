"""The catalogue, and the part ``assets`` of a fleet that changes it, as immutable models."""

import re
import tomllib
from collections.abc import Iterator, Mapping
from typing import Annotated, Literal, Self, TypeVar

from pydantic import AfterValidator, Field, StrictBool, TypeAdapter, ValidationError, model_validator

from iluvatar_pxe.catalogue.download import Unpack
from iluvatar_pxe.catalogue.fields import (
    Arch,
    AssetTemplate,
    EntryName,
    ImageTemplate,
    KeyName,
    ListTemplate,
    MemberName,
    Sha256,
    Sha512,
    SumsName,
    Title,
    UrlPrefix,
    UrlTemplate,
    VersionText,
)
from iluvatar_pxe.declared.base import Model
from iluvatar_pxe.errors import AssetError

IMAGES = "raspberry-pi"
"""The folder of the assets with a folder for each Raspberry Pi image."""

_VARIABLE = re.compile(r"\{(\w+)\}")
_T = TypeVar("_T")


def _some(items: tuple[_T, ...]) -> tuple[_T, ...]:
    """Pydantic's own check counts faulty items as missing, and would tell of them twice."""
    if not items:
        raise ValueError("is empty; write at least one item")
    return items


Some = Annotated[tuple[_T, ...], AfterValidator(_some), Field(json_schema_extra={"minItems": 1})]
"""A list that is not empty."""


def variables(*texts: str) -> frozenset[str]:
    """Return the variables that texts contain: ``version`` of ``{version}``."""
    return frozenset(name for text in texts for name in _VARIABLE.findall(text))


def filled(template: str, values: Mapping[str, str]) -> str:
    """Return a text with what its variables stand for."""
    return _VARIABLE.sub(lambda found: values[found[1]], template)


class Sums(Model):
    """A list of checksums that the publisher offers, as sha256sum writes it."""

    urls: Some[ListTemplate]
    """Where the list is."""
    name: SumsName
    """What the file is called in it."""
    algorithm: Literal["sha256", "sha512"] = "sha256"
    """How its checksums are made."""
    signatures: tuple[ListTemplate, ...] = ()
    """Where its detached OpenPGP signature is, if it is signed."""
    key: KeyName | None = None
    """Whose signature is accepted: a key that comes with the daemon."""

    @model_validator(mode="after")
    def _signed_by_whom(self) -> Self:
        if bool(self.signatures) != bool(self.key):
            raise ValueError("'signatures' and 'key' belong together; add the other, or remove both")
        return self


class File(Model):
    """A file to download. Texts may contain ``{version}``, ``{arch}`` and so on."""

    name: AssetTemplate
    """Its logical name: where it lies below ``/assets/``."""
    urls: Some[UrlTemplate]
    """Where it is, in the order in which the addresses are tried."""
    arch: Arch | None = None
    """The only architecture that it is for."""
    sha256: Sha256 | None = None
    """Its checksum, in the entry's own version."""
    sha512: Sha512 | None = None
    """Its checksum, in the entry's own version."""
    sums: Sums | None = None
    """Where its publisher lists its checksum. Without any checksum, that of the first download is pinned by a commit."""
    unpack: Unpack = Unpack.NONE
    """``none``, ``archive`` (a tar archive, or a Debian package) or ``pi-image`` (a Raspberry Pi's disk image)."""
    members: Mapping[MemberName, AssetTemplate] = Field(default_factory=dict)
    """Of an archive: the logical names of the files in it that are used, by their paths in it."""

    @model_validator(mode="after")
    def _belongs_together(self) -> Self:
        if self.sha256 and self.sha512:
            raise ValueError("one of 'sha256' and 'sha512' is enough; remove the other")
        if (self.unpack is Unpack.ARCHIVE) != bool(self.members):
            raise ValueError("'unpack: archive' and 'members' belong together; add the other, or remove both")
        if len(set(self.members.values())) < len(self.members):
            raise ValueError("two of 'members' have the same logical name; rename one of them")
        return self

    @model_validator(mode="after")
    def _is_one_file(self) -> Self:
        """A pin belongs to a name, so whatever is another file has another name."""
        missing = variables(*self.urls) - variables(self.name)
        if missing - {"published"} or (missing and "version" not in variables(self.name)):
            least = "version" if missing == {"published"} else min(missing - {"published"})
            raise ValueError(f"{{{least}}} chooses another file, so 'name' needs it, too; add it there")
        if (self.sha256 or self.sha512) and self.arch is None and "arch" in variables(self.name):
            raise ValueError("a checksum is that of one file; add 'arch', and a file for each architecture")
        return self

    @model_validator(mode="after")
    def _cannot_be_changed_on_the_way(self) -> Self:
        is_checked = self.sha256 or self.sha512 or (self.sums and self.sums.signatures)
        if not is_checked and any(url.startswith("http:") for url in self.urls):
            raise ValueError(
                "anybody on the way can change what http:// brings; write https://, or add 'sha256'"
            )
        return self

    @property
    def is_checked(self) -> bool:
        """Say whether somebody publishes its checksum."""
        return bool(self.sha256 or self.sha512 or self.sums)

    @property
    def names(self) -> Iterator[str]:
        """All logical names that it needs a place for."""
        yield from (self.name, *self.members.values())

    @property
    def texts(self) -> Iterator[str]:
        """All texts that may contain variables."""
        yield from (self.name, *self.urls, *self.members, *self.members.values())
        if self.sums:
            yield from (self.sums.name, *self.sums.urls, *self.sums.signatures)


class Entry(Model):
    """Boot files that belong together and have one version."""

    about: Title | None = None
    """What it is, for people."""
    version: VersionText | None = None
    """Its version; none where a layer's file says it."""
    published: Mapping[VersionText, VersionText] = Field(default_factory=dict)
    """By version, what ``{published}`` stands for where that differs: a commit, or the date of the publisher's folder."""
    series: VersionText | None = None
    """Which versions of an image belong to this entry: those that go on from this with a dot."""
    image: ImageTemplate | None = None
    """What ``image:`` in a layer's file calls it; such an image's files lie in ``raspberry-pi/IMAGE``."""
    architectures: tuple[Arch, ...] = ()
    """What ``{arch}`` stands for."""
    builds: StrictBool = False
    """Whether its server may build a file for minutes before it sends the first byte."""
    withdrawn: StrictBool = False
    """Whether its publisher takes its files away when the next version comes; ``assets gc`` keeps them unless named."""
    files: Some[File]
    """The files to download."""

    @model_validator(mode="after")
    def _can_be_filled_in(self) -> Self:
        if not self.architectures and any(
            file.arch is None and "arch" in variables(*file.texts) for file in self.files
        ):
            raise ValueError("{arch} needs 'architectures', such as [amd64, arm64]; add it")
        disks = [file for file in self.files if file.unpack is Unpack.PI_IMAGE]
        if len(disks) != (self.image is not None):
            raise ValueError(
                "'image' and one file with 'unpack: pi-image' belong together; add or remove one"
            )
        if disks and any(name.startswith(f"{IMAGES}/") for file in self.files for name in file.names):
            raise ValueError(
                f"what is in {IMAGES}/ comes out of an image; name a file of an entry with 'image' otherwise, "
                "such as images/{version}/disk.img.xz"
            )
        if self.series and self.version and not self.version.startswith(f"{self.series}."):
            raise ValueError("'version' has to go on from 'series' with a dot; correct one of them")
        return self

    @property
    def variables(self) -> frozenset[str]:
        """What its texts need."""
        return variables(*(self.image or "", *(text for file in self.files for text in file.texts)))


class AssetsPart(Model):
    """The ``assets:`` part of ``fleet.yaml``: other versions, further files and mirrors."""

    versions: Mapping[EntryName, VersionText] = Field(default_factory=dict)
    """Versions of entries of the catalogue, in place of those that came with the daemon; they are downloaded."""
    entries: Mapping[EntryName, Entry] = Field(default_factory=dict)
    """Further files to download; one with the name of an entry of the catalogue replaces that."""
    mirrors: Mapping[UrlPrefix, Some[UrlPrefix]] = Field(default_factory=dict)
    """By the beginning of addresses, what is tried in its place first."""


class Package(Model):
    """A package of the host's system that has the same files."""

    name: str
    """What Debian calls it."""
    version: VersionText
    """The oldest version that is new enough."""


class BundledEntry(Entry):
    """An entry that comes with the daemon."""

    package: Package | None = None
    """A package of the host's system that is used in its place."""


class Catalogue(Model):
    """All entries that come with the daemon, by name."""

    entries: Mapping[EntryName, BundledEntry]


_ENTRIES = TypeAdapter(Mapping[EntryName, BundledEntry])


def parse_catalogue(text: str) -> Catalogue:
    """Return what ``catalogue.toml`` says; raises AssetError, which names the faulty key."""
    try:
        return Catalogue(entries=_ENTRIES.validate_python(tomllib.loads(text)))
    except tomllib.TOMLDecodeError as error:
        raise AssetError(f"catalogue.toml: {error}; install iluvatar-pxe again") from error
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False)[0]
        key = ".".join(str(part) for part in first["loc"])
        raise AssetError(f"catalogue.toml: {key}: {first['msg']}; install iluvatar-pxe again") from error
