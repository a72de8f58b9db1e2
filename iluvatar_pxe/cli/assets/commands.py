"""``iluvatar-pxe assets``: the boot files that the fleet wants."""

from iluvatar_pxe.cli.group import new_group
from iluvatar_pxe.cli.lazy import Entry, LazyGroup


class _Commands(LazyGroup):
    entries = (
        Entry(
            "status",
            "assets.overview:status",
            "Show the wanted files, and how to bring what is missing; exits 1 if something is.",
        ),
        Entry(
            "fetch",
            "assets.work:fetch",
            "Fetch missing files now, and show how far they are; exits 1 if one could not be fetched.",
        ),
        Entry(
            "verify",
            "assets.work:verify",
            "Read files again and compare them; exits 1 if one is damaged, which is then fetched again.",
        ),
        Entry(
            "import",
            "assets.import_files:import_files",
            "Import wanted files from a directory or a stick, verified like downloads; exits 1 if one is refused.",
        ),
        Entry(
            "gc",
            "assets.overview:gc",
            "Show the files that the fleet does not want, and those that are kept nevertheless; --yes removes the others.",
        ),
    )


app = new_group(_Commands, help="Fetch, verify and remove the boot files that the fleet wants.")
