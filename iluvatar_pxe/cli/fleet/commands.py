"""``iluvatar-pxe fleet``: the declared state, and its repository."""

from iluvatar_pxe.cli.group import new_group
from iluvatar_pxe.cli.lazy import Entry, LazyGroup


class _Commands(LazyGroup):
    entries = (
        Entry(
            "init",
            "fleet.keys:init",
            "Create the fleet's repository if there is none, and the owner's keys, which are shown only once.",
        ),
        Entry(
            "diff",
            "fleet.diff:diff",
            "Show what a commit would change for each machine, compared with the applied fleet; changes nothing.",
        ),
        Entry(
            "history",
            "fleet.history:history",
            "Show the commit in force, and which were applied or refused before, with what each changed for which machine.",
        ),
        Entry(
            "mirrors",
            "fleet.mirrors:mirrors",
            "Print the registry mirrors of fleet.yaml as Talos or k3s reads them; nothing if it has none.",
        ),
        Entry(
            "recover",
            "fleet.keys:recover",
            "Let a new host open the repository's sealed files, with the owner's recovery key.",
        ),
        Entry(
            "argocd",
            "fleet.keys:argocd",
            "Print Argo CD's manifests for the fleet's repository: its own read token, our CA, and the app of apps.",
        ),
        Entry(
            "seal",
            "fleet.sealing:seal_files",
            "Encrypt files of the fleet in place, to the recovery key and every daemon in recipients.yaml.",
        ),
        Entry(
            "unseal",
            "fleet.sealing:unseal_files",
            "Decrypt files of the fleet in place, to edit them: by this host's key, or by the owner's recovery key.",
        ),
        Entry(
            "validate",
            "fleet.validate:validate",
            "Validate a fleet's files; lists every error with file and line, and then exits 1.",
        ),
        Entry("keys", "fleet.renew:app", "Manage the recovery key of sealed files."),
        Entry("token", "fleet.tokens:app", "Manage access tokens for the hosted repositories."),
        Entry("repository", "fleet.repositories:app", "Host further Git repositories."),
    )


app = new_group(_Commands, help="Validate the fleet and manage its Git repository.")
