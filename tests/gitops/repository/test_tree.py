"""What of a commit is read, and what never is: links, submodules, what lies outside, what is no text or too large."""

import zlib
from pathlib import Path

import pytest
from support.fleets import CONFIGURED
from support.repositories import Person, bare, git

from iluvatar_pxe.errors import FleetError, RepositoryError
from iluvatar_pxe.gitops.repository.bare import Changes, Repository
from iluvatar_pxe.gitops.repository.revision import read_revision
from iluvatar_pxe.gitops.repository.tree import MAX_FILE, read_tree

FILES: dict[str, bytes | None] = {
    "fleet.yaml": b"",
    "layers/arda.yaml": CONFIGURED.encode(),
    "configs/controlplane.yaml": b"a: 1\n",
    "configs/worker.yaml": b"a: 1\n",
}


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    return bare(tmp_path / "fleet.git")


async def findings(repository: Repository, commit: str) -> list[str]:
    with pytest.raises(FleetError) as caught:
        await read_revision(repository, commit)
    return caught.value.findings


async def test_texts_are_read_and_what_is_nobodys_business_is_not(repository: Repository) -> None:
    beside: dict[str, bytes | None] = {
        ".vscode/settings.json": b"{}",
        "docs/.hidden/x.yaml": b"",
        "apps/arda/huge.yaml": b"x" * (MAX_FILE + 1),
        "photo.jpg": b"\xff\xd8\xff",
        "notes/large.txt": b"x" * (MAX_FILE + 1),
    }
    commit = await repository.draft(None, Changes("x", {**FILES, **beside}))
    tree = await read_tree(repository.git, commit)
    assert set(tree.texts) == set(FILES)
    assert tree.faults == {}
    assert (await read_revision(repository, commit)).fleet.talos("arda")


async def test_refs_replace_no_object(repository: Repository) -> None:
    commit, other = [
        await repository.draft(None, Changes("x", {"fleet.yaml": text})) for text in (b"", b"colour: red\n")
    ]
    for spot in (":fleet.yaml", "^{tree}", ""):
        names = [git(repository.path, "rev-parse", one + spot).strip() for one in (commit, other)]
        git(repository.path, "replace", *names)
    assert (await read_tree(repository.git, commit)).texts == {"fleet.yaml": ""}


async def test_links_and_submodules_are_not_followed(repository: Repository, tmp_path: Path) -> None:
    secret = tmp_path / "secret.yaml"
    secret.write_text("match: {macs: ['52:54:00:00:00:01']}\n")
    person = Person(tmp_path / "clone", str(repository.path))
    person.commit({path: (content or b"").decode() for path, content in FILES.items()})
    (person.directory / "machines").mkdir()
    (person.directory / "machines" / "linked.yaml").symlink_to(secret)
    (person.directory / "notes.txt").symlink_to("/etc/passwd")
    person.git("add", "--all")
    head = person.git("rev-parse", "HEAD").strip()
    person.git("update-index", "--add", "--cacheinfo", f"160000,{head},machines/module.yaml")
    person.git("commit", "--quiet", "--message", "links")
    person.push()
    assert await findings(repository, "main") == [
        "machines/linked.yaml:1: is a symbolic link, which is not followed; put the file itself here",
        "machines/module.yaml:1: is a submodule, which is not followed; put the file itself here",
    ]
    assert "notes.txt" not in (await read_tree(repository.git, "main")).texts


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"match: \xff\n", "cannot be read: 'utf-8' codec can't decode byte 0xff in position 7"),
        (b"#" * (50 << 20), "has 52428800 bytes; the limit is 1048576; make it smaller"),
        (b"\xef\xbb\xbf\xff", "cannot be read: 'utf-8' codec can't decode"),
    ],
    ids=["no text", "50 MB", "half a text"],
)
async def test_a_file_that_declares_something_has_to_be_readable(
    repository: Repository, content: bytes, why: str
) -> None:
    commit = await repository.draft(None, Changes("x", {**FILES, "machines/one.yaml": content}))
    (finding,) = await findings(repository, commit)
    assert finding.startswith(f"machines/one.yaml:1: {why}")


async def test_faults_of_reading_and_of_meaning_are_told_together(repository: Repository) -> None:
    wrong: dict[str, bytes | None] = {"fleet.yaml": b"colour: red\n", "machines/x.yaml": b"\xff"}
    commit = await repository.draft(None, Changes("x", {**FILES, **wrong}))
    assert [line.partition(":")[0] for line in await findings(repository, commit)] == [
        "machines/x.yaml",
        "fleet.yaml",
    ]


async def test_all_texts_together_have_a_limit(repository: Repository) -> None:
    many: dict[str, bytes | None] = {
        f"texts/{number}": b"%d" % number + b"x" * (MAX_FILE - 10) for number in range(66)
    }
    commit = await repository.draft(None, Changes("x", {**FILES, **many}))
    with pytest.raises(RepositoryError, match="exceed 64 MiB in total; move other files to apps/"):
        await read_tree(repository.git, commit)


async def test_what_is_known_is_not_read_again(repository: Repository) -> None:
    """The object that is known is damaged on the disk, so reading it would fail."""
    first = await repository.draft(None, Changes("one", FILES))
    known = await read_tree(repository.git, first)
    second = await repository.draft(first, Changes("two", {"fleet.yaml": b"domain: a.example\n"}))
    damage(repository.path, known.objects["layers/arda.yaml"])
    with pytest.raises(RepositoryError):
        await read_tree(repository.git, second)
    tree = await read_tree(repository.git, second, known)
    assert tree.texts["fleet.yaml"] == "domain: a.example\n"
    assert tree.texts["layers/arda.yaml"] == CONFIGURED


def damage(repository: Path, object_id: str) -> None:
    file = repository / "objects" / object_id[:2] / object_id[2:]
    file.chmod(0o600)
    octets = bytearray(file.read_bytes())
    octets[-5] ^= 0xFF
    file.write_bytes(octets)
    with pytest.raises(zlib.error):
        zlib.decompress(octets)


async def test_a_damaged_repository_is_named(repository: Repository) -> None:
    commit = await repository.draft(None, Changes("one", FILES))
    (repository.path / "objects" / commit[:2] / commit[2:]).unlink()
    with pytest.raises(RepositoryError, match=r"fleet\.git: git ls-tree: "):
        await read_tree(repository.git, commit)
