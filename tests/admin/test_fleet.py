"""The fleet's commits as plain data, and as lines of a terminal."""

import json
from datetime import UTC, datetime

import pytest
from admin.samples import FLEET, Counter
from support.no_secrets import no_secrets

from iluvatar_pxe.admin.command import CommandContext
from iluvatar_pxe.admin.fleet import ShowCommits
from iluvatar_pxe.admin.requests.request import request_of
from iluvatar_pxe.changed import Changed
from iluvatar_pxe.cli.fleet.history import history_lines
from iluvatar_pxe.gitops.repository.bare import Commit
from iluvatar_pxe.gitops.repository.revision import Revision
from iluvatar_pxe.gitops.repository.tree import Tree
from iluvatar_pxe.inventory.database.commits import CommitRecord
from iluvatar_pxe.provisioning.cluster_context import ClusterContext
from iluvatar_pxe.provisioning.cluster_secrets import ClusterRepository
from iluvatar_pxe.provisioning.cluster_troubles import ClusterTroubles
from iluvatar_pxe.provisioning.clusters import Clusters
from iluvatar_pxe.provisioning.refusals import Refusals
from iluvatar_pxe.values import replace

NOW = datetime(2026, 11, 22, 18, 30, tzinfo=UTC)
COMMIT = Commit("a" * 40, "Anna", "2026-11-22T18:00:00+01:00", "A worker")
RECORD = CommitRecord(
    commit_id=COMMIT.id,
    at=NOW,
    author=COMMIT.author,
    committed_at=COMMIT.at,
    subject=COMMIT.subject,
    changes=(("arda-01", "boots Talos"), ("arda-02", "is held")),
)
REFUSED = replace(
    RECORD, commit_id="b" * 40, committed_at="never", problem="no such key", changes=(), rewritten=True
)


def context_of(counter: Counter, commit: Commit | None, refused: str | None) -> CommandContext:
    async def why() -> str | None:
        return refused

    revision = Revision(FLEET, commit, Tree(commit.id, {}, {}, {})) if commit else None
    clusters = Clusters(
        ClusterContext(
            fleet=lambda: FLEET,
            snapshot=lambda: counter.inventory.snapshot,
            secrets=no_secrets(counter.inventory),
            repository=ClusterRepository(lambda: revision),
            changed=Changed(),
        )
    )
    troubles = ClusterTroubles(Refusals(), why, lambda _layer: [])
    return replace(counter.context, clusters=clusters, troubles=troubles)


async def test_the_commit_in_force_and_those_before(counter: Counter) -> None:
    for record in (RECORD, REFUSED):
        await counter.inventory.record_commit(record)
    context = context_of(counter, COMMIT, "no such key")
    answer = await ShowCommits(changes=1).carry_out(context, "root")
    assert json.loads(json.dumps(answer)) == answer
    assert answer["in_force"] == {
        "commit": "a" * 40,
        "author": "Anna",
        "committed_at": "2026-11-22T17:00:00.000Z",
        "subject": "A worker",
    }
    assert (answer["refused"], answer["earlier"]) == ("no such key", None)
    refused, applied = answer["commits"]
    assert (refused["outcome"], refused["problem"], refused["committed_at"]) == (
        "refused",
        "no such key",
        "never",
    )
    assert (applied["outcome"], applied["changed"]) == ("applied", 2)
    assert applied["changes"] == [{"machine": "arda-01", "change": "boots Talos"}]
    assert list(history_lines(answer, NOW)) == [
        f"in force: {'a' * 12} A worker",
        "refused: no such key",
        "",
        f"{'b' * 12} refused now: A worker",
        "  by Anna, never",
        "  it does not follow the commit before: the branch was rewritten",
        "  no such key",
        "",
        f"{'a' * 12} applied now: A worker",
        "  by Anna, 2026-11-22T17:00:00.000Z",
        "  arda-01: boots Talos",
        "  and 1 more changes",
    ]


async def test_earlier_ones_are_asked_for_by_number(counter: Counter) -> None:
    for record in (RECORD, REFUSED):
        await counter.inventory.record_commit(record)
    context = context_of(counter, None, None)
    answer = await ShowCommits(limit=1).carry_out(context, "root")
    assert (len(answer["commits"]), answer["in_force"]) == (1, None)
    assert list(history_lines(answer, NOW))[-1] == f"Earlier ones: --before {answer['earlier']}"
    rest = await ShowCommits(limit=1, before=answer["earlier"]).carry_out(context, "root")
    assert [one["commit"] for one in rest["commits"]] == [COMMIT.id]
    assert rest["earlier"] is None


@pytest.mark.parametrize(
    "query",
    [{"limit": "0"}, {"limit": "101"}, {"before": "0"}, {"before": "x"}, {"changes": "-1"}, {"page": "2"}],
)
def test_what_cannot_be_asked_is_named(query: dict[str, str]) -> None:
    (key,) = query
    with pytest.raises(ValueError, match=f"^{key}: "):
        request_of(ShowCommits, query)
