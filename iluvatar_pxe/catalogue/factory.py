"""Where Image Factory is, by the addresses of the files that it builds. Pure."""

from iluvatar_pxe.catalogue.lock import AssetsLock
from iluvatar_pxe.catalogue.model import AssetsPart, Catalogue
from iluvatar_pxe.catalogue.names import TALOS
from iluvatar_pxe.catalogue.resolve import downloads
from iluvatar_pxe.catalogue.wish import Wish

_FILES = "/image/"
"""What follows the factory's own address in those of its files."""
_ANY = Wish(entry=TALOS, version="v1.0.0", arch="amd64", schematic="x", wanted_by="")


def factory_addresses(catalogue: Catalogue, overrides: AssetsPart) -> tuple[str, ...]:
    """Return the addresses of the factory, those of mirrors first; none where the catalogue has no Talos.

    A mirror or a factory of one's own is named as for the files: by ``mirrors``, or by another entry ``talos``.
    """
    urls = (url for one in downloads(catalogue, overrides, AssetsLock(), [_ANY]) for url in one.urls)
    return tuple(dict.fromkeys(url.partition(_FILES)[0] for url in urls if _FILES in url))
