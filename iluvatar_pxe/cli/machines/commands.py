"""``iluvatar-pxe machines``: the inventory, and what people change in it."""

from iluvatar_pxe.cli.group import new_group
from iluvatar_pxe.cli.lazy import Entry, LazyGroup


class _Commands(LazyGroup):
    entries = (
        Entry("list", "machines.every:list_machines", "List all machines."),
        Entry(
            "show",
            "machines.showing:show",
            "Show everything known about a machine, its last boots, and what it boots next and why.",
        ),
        Entry(
            "set",
            "machines.edits:set_machine",
            "Change a machine's phase or intent, and its name, layer or role unless the fleet lists it.",
        ),
        Entry("hold", "machines.edits:hold", "Hold a machine at its next boot."),
        Entry(
            "release",
            "machines.edits:release",
            "Clear a hold, a refusal, a failure, an identity conflict or a warning about an unlisted NIC.",
        ),
        Entry(
            "reinstall",
            "machines.one:reinstall",
            "Reinstall a machine: a running Talos is drained, leaves etcd and is wiped now; others at their next boot.",
        ),
        Entry(
            "wake",
            "machines.power:wake",
            "Wake a machine up by Wake-on-LAN, which its firmware has to allow.",
        ),
        Entry("power", "machines.power:switch", "Switch a machine on or off, or ask whether it is on."),
        Entry("forget", "machines.one:forget", "Remove a machine and its boots from the inventory."),
        Entry(
            "rename",
            "machines.edits:rename",
            "Give a machine that the fleet lists another name, by a commit to the fleet's repository.",
        ),
        Entry("merge", "machines.edits:merge", "Merge two entries of the same machine."),
        Entry("split", "machines.edits:split", "Split a NIC off into a machine of its own."),
    )


app = new_group(_Commands, help="Show and manage machines.")
