"""What checksum a file must have: pinned, or listed by the publisher."""

import asyncio
from functools import partial

from iluvatar_pxe.assets.download.attempts import Wait, try_each
from iluvatar_pxe.assets.download.client import Ask, Downloader
from iluvatar_pxe.assets.download.route import parse_address, shown
from iluvatar_pxe.assets.download.sums import LARGEST_LIST, digest_in
from iluvatar_pxe.catalogue.download import Check, Digest, SumsFile
from iluvatar_pxe.values import replace

LARGEST_SIGNATURE = 100_000
"""Bytes of a signature that are read at most."""


async def digest_for(
    what: str, check: Check, downloader: Downloader, wait: Wait = asyncio.sleep
) -> Digest | None:
    """Return the checksum, or None where nobody lists one; raises DownloadError or SumsError."""
    match check:
        case Digest():
            return check
        case SumsFile():
            listed = partial(_listed, what, sums=check, downloader=downloader)
            return await try_each(f"checksums of {what}", check.urls, listed, downloader.timing, wait=wait)
    return None


async def _listed(what: str, url: str, sums: SumsFile, downloader: Downloader) -> Digest:
    """Return what the list at an address says, if its signature, at the address of the same rank, is good."""
    listed = await downloader.read(Ask(what=f"checksums of {what}", url=url), LARGEST_LIST)
    if sums.signatures:
        rank = min(sums.urls.index(url), len(sums.signatures) - 1)
        signature_url = sums.signatures[rank]
        signature = await downloader.read(
            Ask(what=f"signature of {what}", url=signature_url), LARGEST_SIGNATURE
        )
        await asyncio.to_thread(check_signed, _shown(what, signature_url), listed, signature, sums.key)
    return digest_in(listed, replace(sums, urls=(_shown(what, url),)))


def check_signed(address: str, signed: bytes, signature: bytes, key: str) -> None:
    """Raise SumsError unless the publisher's key of this name made the signature, which is from ``address``; blocks."""
    from iluvatar_pxe.assets.download.signature import (  # noqa: PLC0415 - 2 MiB of OpenPGP, for a few publishers
        check_signature,
        read_certificate,
    )

    check_signature(address, signed, signature, read_certificate(key))


def _shown(what: str, url: str) -> str:
    return shown(parse_address(what, url))
