"""Commits of a fleet without a repository."""

from collections.abc import Mapping

from iluvatar_pxe.fleet.parse import parse_fleet
from iluvatar_pxe.gitops.repository.bare import Changes, Commit
from iluvatar_pxe.gitops.repository.revision import Revision
from iluvatar_pxe.gitops.repository.tree import Tree


def revision_of(files: Mapping[str, bytes | None]) -> Revision:
    """Return the commit with these files, and an empty fleet.yaml."""
    texts = {"fleet.yaml": ""} | {
        path: content.decode() for path, content in files.items() if content is not None
    }
    return Revision(parse_fleet(texts), Commit("c" * 40, "", "", ""), Tree("c" * 40, texts))


def after(revision: Revision, changes: Changes | None) -> Revision:
    """Return the revision that a commit makes."""
    assert changes
    old: dict[str, bytes | None] = {path: text.encode() for path, text in revision.tree.texts.items()}
    return revision_of({**old, **changes.files})
