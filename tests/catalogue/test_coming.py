"""How far the wanted boot files are, in words, and which file each download stands for."""

import pytest

from iluvatar_pxe.catalogue.coming import coming, find, words
from iluvatar_pxe.catalogue.download import Download, FirstUse, Unpack
from iluvatar_pxe.catalogue.progress import Progress, State
from iluvatar_pxe.values import replace

QUEUED = Progress(state=State.QUEUED)


def loading(done: int, size: int | None = None, rate: float = 0.0) -> Progress:
    return Progress(state=State.LOADING, done=done, size=size, rate=rate)


@pytest.mark.parametrize(
    ("progress", "expected"),
    [
        (Progress(state=State.MISSING), "is missing, and nothing fetches it"),
        (QUEUED, "is queued for download"),
        (replace(QUEUED, before=1), "is queued for download behind 1 other file"),
        (replace(QUEUED, before=7), "is queued for download behind 7 other files"),
        (
            Progress(state=State.BUILDING),
            "is not here yet: the image factory is building it, which takes up to 20 minutes",
        ),
        (loading(31_500_000, 75_000_000, 2e6), "is 42 % here (31 of 75 MB, 2.0 MB/s, 22 s left)"),
        (loading(31_500_000, 75_000_000), "is 42 % here (31 of 75 MB)"),
        (loading(0, 1_100_000, 1e4), "is 0 % here (0.0 of 1.1 MB, 10 kB/s, 110 s left)"),
        (loading(0, 1_200_000_000, 2e6), "is 0 % here (0.0 of 1200 MB, 2.0 MB/s, 10 min left)"),
        (loading(31_400_000, None, 2e6), "is on its way (31 MB so far, 2.0 MB/s)"),
        (Progress(state=State.VERIFYING), "is being verified"),
        (Progress(state=State.UNPACKING), "is being unpacked"),
        (Progress(state=State.UNPACKING, done=1, size=2), "is being unpacked (50 %)"),
        (
            Progress(state=State.WAITING, trouble="a.example: connection refused"),
            "is missing, and its download waits for another attempt: a.example: connection refused",
        ),
        (
            Progress(state=State.WAITING, trouble="kernel: a.example has none (404); correct the address"),
            "is missing, and its download waits for another attempt: a.example has none (404); correct the address",
        ),
        (Progress(state=State.READY), "has arrived"),
    ],
)
def test_every_state_has_its_words(progress: Progress, expected: str) -> None:
    assert words("kernel", progress) == f"kernel {expected}"


def test_no_state_is_forgotten() -> None:
    for state in State:
        assert words("kernel", Progress(state=state, trouble="why")).startswith("kernel ")
    under_way = {state for state in State if Progress(state=state).is_under_way}
    assert set(State) - under_way == {State.MISSING, State.WAITING}


def download(name: str, unpack: Unpack = Unpack.NONE, folder: str = "", **members: str) -> Download:
    return Download(
        name=name, version="1", urls=(), check=FirstUse(), unpack=unpack, folder=folder, members=members
    )


DOWNLOADS = (
    download("talos/x/v1/kernel-amd64"),
    download("ipxe.tar.gz", Unpack.ARCHIVE, a="ipxe/snponly.efi", b="ipxe/undionly.kpxe"),
    download("ubuntu.img.xz", Unpack.PI_IMAGE, "raspberry-pi/ubuntu"),
    download("ipxe/ipxe.efi"),
)
PROGRESS = {
    "talos/x/v1/kernel-amd64": QUEUED,
    "ipxe.tar.gz": loading(1, 2),
    "ubuntu.img.xz": loading(3, 4),
    "ipxe/ipxe.efi": Progress(state=State.READY),
}


def test_each_asset_has_the_state_of_its_download_until_that_is_ready() -> None:
    assert coming(DOWNLOADS, PROGRESS) == {
        "talos/x/v1/kernel-amd64": QUEUED,
        "ipxe/snponly.efi": loading(1, 2),
        "ipxe/undionly.kpxe": loading(1, 2),
        "raspberry-pi/ubuntu/": loading(3, 4),
    }


@pytest.mark.parametrize(
    ("asset", "expected"),
    [
        ("talos/x/v1/kernel-amd64", ("talos/x/v1/kernel-amd64", QUEUED)),
        ("talos/x/v1/kernel-amd64/more", None),
        ("talos/x/v1", None),
        ("ipxe/snponly.efi", ("ipxe/snponly.efi", loading(1, 2))),
        ("ipxe/ipxe.efi", None),
        ("raspberry-pi/ubuntu/vmlinuz", ("raspberry-pi/ubuntu", loading(3, 4))),
        ("raspberry-pi/ubuntu/overlays/x.dtbo", ("raspberry-pi/ubuntu", loading(3, 4))),
        ("raspberry-pi/ubuntu", None),
        ("raspberry-pi/ubuntu-26/vmlinuz", None),
        ("ubuntu.img.xz", None),
    ],
)
def test_a_file_is_found_by_its_name_or_by_its_folder(
    asset: str, expected: tuple[str, Progress] | None
) -> None:
    assert find(asset, coming(DOWNLOADS, PROGRESS)) == expected
    assert any(one.gives(asset) for one in DOWNLOADS) == (expected is not None or asset == "ipxe/ipxe.efi")
