"""``iluvatar-pxe cluster``: the clusters that the fleet's layers make up."""

from iluvatar_pxe.cli.group import new_group
from iluvatar_pxe.cli.lazy import Entry, LazyGroup


class _Commands(LazyGroup):
    entries = (
        Entry(
            "status",
            "cluster.status:status",
            "Show how clusters are: etcd, machines, nodes, the CAs' ends, and what they wait for; exits 1 if one is not well.",
        ),
        Entry(
            "talosconfig",
            "cluster.client_files:write_talosconfig",
            "Sign a certificate for talosctl, and merge it into its configuration file.",
        ),
        Entry(
            "kubeconfig",
            "cluster.client_files:write_kubeconfig",
            "Sign an administrator's certificate for kubectl, and merge it into its configuration file.",
        ),
        Entry(
            "snapshot",
            "cluster.snapshots:take_snapshot",
            "Take a snapshot of a cluster's etcd now, sealed into the daemon's state directory.",
        ),
        Entry(
            "adopt",
            "cluster.adopt:adopt",
            "Take a k3s cluster that exists into the fleet's files; its machines are not touched.",
        ),
        Entry(
            "join",
            "cluster.join:join",
            "Make this host, on which the daemon runs, the node of a k3s cluster that the fleet says it is.",
        ),
        Entry(
            "recover",
            "cluster.recover:recover",
            "Bring a k3s cluster back that has lost its founder or etcd's quorum; tells what it does, and asks.",
        ),
        Entry(
            "upgrade",
            "cluster.upgrade:upgrade",
            "Upgrade the nodes of a k3s cluster, one at a time, to the version in the layer's file.",
        ),
        Entry(
            "secrets",
            "cluster.secrets:app",
            "Export or import a cluster's secrets: Talos' in talosctl's format, k3s' as its own files.",
        ),
    )


app = new_group(
    _Commands,
    help="Show and reach the layers' clusters, and keep their secrets and snapshots.",
)
