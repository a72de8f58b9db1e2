"""The commit that pins downloaded boot files."""

from collections.abc import Mapping

from hypothesis import given
from hypothesis import strategies as st

from iluvatar_pxe.catalogue.lock import AssetsLock, Channels, Pin
from iluvatar_pxe.fleet.parse import parse_fleet
from iluvatar_pxe.gitops.changes.pinning import pin

ONE, TWO = Pin(sha256="1" * 64, size=1), Pin(sha256="2" * 64, size=2)
KERNEL, INITRAMFS = "talos/376567/v1.14.0/kernel-amd64", "talos/376567/v1.14.0/initramfs-amd64.xz"
NOTHING = AssetsLock()


def said(
    known: AssetsLock, files: Mapping[str, Pin], stable: Mapping[str, str] | None = None
) -> tuple[AssetsLock, str]:
    """Return what the fleet says after the commit, and the commit's message."""
    changes = pin(known, files, stable or {})
    assert changes is not None
    texts = {path: (text or b"").decode() for path, text in changes.files.items()}
    return parse_fleet({"fleet.yaml": "", **texts}).lock, changes.message


def test_a_file_is_pinned_by_its_name() -> None:
    lock, message = said(NOTHING, {KERNEL: ONE})
    assert lock.files == {KERNEL: ONE}
    assert message == f"{KERNEL} is pinned\n\n{KERNEL}: sha256 {'1' * 64}, 1 bytes\n"


def test_several_are_one_commit() -> None:
    lock, message = said(NOTHING, {KERNEL: ONE, INITRAMFS: TWO}, {"talos": "v1.14.0"})
    assert lock.files == {KERNEL: ONE, INITRAMFS: TWO}
    assert lock.resolved("talos", "stable") == "v1.14.0"
    assert message.splitlines()[0] == "talos stable is v1.14.0, 2 boot files are pinned"
    assert message.splitlines()[2].startswith(f"{INITRAMFS}: sha256 2222")


def test_what_others_pinned_stays() -> None:
    known, _ = said(NOTHING, {KERNEL: ONE}, {"talos": "v1.14.0"})
    lock, message = said(known, {KERNEL: TWO, INITRAMFS: TWO}, {"talos": "v1.15.0", "k3s": "v1.37.1+k3s1"})
    assert lock.files == {KERNEL: ONE, INITRAMFS: TWO}
    assert lock.versions == {"talos": Channels(stable="v1.14.0"), "k3s": Channels(stable="v1.37.1+k3s1")}
    assert KERNEL not in message


def test_a_line_without_a_version_says_nothing() -> None:
    emptied = AssetsLock(versions={"talos": Channels()})
    lock, _ = said(emptied, {}, {"talos": "v1.14.0"})
    assert lock.resolved("talos", "stable") == "v1.14.0"


def test_there_is_no_commit_without_a_change() -> None:
    known, _ = said(NOTHING, {KERNEL: ONE}, {"talos": "v1.14.0"})
    assert pin(known, {KERNEL: ONE}, {"talos": "v1.14.0"}) is None
    assert pin(known, {KERNEL: TWO}, {"talos": "v1.15.0"}) is None
    assert pin(NOTHING, {}, {}) is None


def test_the_order_of_arrival_makes_no_difference() -> None:
    first = pin(NOTHING, {KERNEL: ONE, INITRAMFS: TWO}, {})
    second = pin(NOTHING, {INITRAMFS: TWO, KERNEL: ONE}, {})
    assert first == second


def test_a_person_may_remove_a_line() -> None:
    changes = pin(NOTHING, {KERNEL: ONE, INITRAMFS: TWO}, {})
    assert changes
    (text,) = [(content or b"").decode() for content in changes.files.values()]
    shorter = "".join(line for line in text.splitlines(keepends=True) if KERNEL not in line)
    assert len(shorter.splitlines()) == len(text.splitlines()) - 1
    assert parse_fleet({"fleet.yaml": "", "assets.lock.yaml": shorter}).lock.files == {INITRAMFS: TWO}


NAMES = st.from_regex(
    r"[A-Za-z0-9_][A-Za-z0-9._+~-]{0,9}(/[A-Za-z0-9_][A-Za-z0-9._+~-]{0,9}){0,2}", fullmatch=True
)
PINS = st.dictionaries(
    NAMES,
    st.builds(Pin, sha256=st.text("0123456789abcdef", min_size=64, max_size=64), size=st.integers(0, 2**50)),
    min_size=1,
    max_size=5,
)


@given(PINS, PINS)
def test_whatever_is_pinned_is_read_as_it_was(first: dict[str, Pin], second: dict[str, Pin]) -> None:
    lock, _ = said(NOTHING, first)
    assert lock.files == first
    if second.keys() - first.keys():
        assert said(lock, second)[0].files == {**second, **first}
