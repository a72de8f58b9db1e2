"""The command that tells of the fleet's commits."""

from iluvatar_pxe.admin.command import Command, CommandContext, of_daemon
from iluvatar_pxe.admin.data import Data, utc
from iluvatar_pxe.admin.requests import fleet as requests
from iluvatar_pxe.admin.requests.request import CommandResult
from iluvatar_pxe.gitops.repository.bare import Commit
from iluvatar_pxe.inventory.database.fleet_history import PastCommit


class ShowCommits(requests.ShowCommits, Command):
    async def carry_out(self, context: CommandContext, by: str) -> CommandResult:  # noqa: ARG002
        revision = of_daemon(context.clusters).context.repository.revision()
        refused = await of_daemon(context.troubles).refused_fleet()
        past = await context.inventory.past_commits(
            before=self.before, most=self.limit + 1, most_changes=self.changes
        )
        return {
            "in_force": revision and commit_data(revision.commit),
            "refused": refused,
            "commits": [past_data(one) for one in past[: self.limit]],
            "earlier": past[self.limit - 1].number if len(past) > self.limit else None,
        }


def commit_data(commit: Commit) -> Data:
    """Return who committed what as plain data; the time is the committer's, in UTC where it is one."""
    return {
        "commit": commit.id,
        "author": commit.author,
        "committed_at": utc(commit.time) if commit.time else commit.at,
        "subject": commit.subject,
    }


def past_data(past: PastCommit) -> Data:
    """Return a commit that was applied or refused as plain data."""
    record = past.record
    commit = Commit(record.commit_id, record.author, record.committed_at, record.subject)
    return {
        "number": past.number,
        **commit_data(commit),
        "at": utc(record.at),
        "outcome": "refused" if record.problem else "applied",
        "problem": record.problem or None,
        "rewritten": record.rewritten,
        "changed": past.changed,
        "changes": [{"machine": machine, "change": change} for machine, change in record.changes],
    }
