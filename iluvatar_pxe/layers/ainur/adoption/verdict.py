"""Whether a k3s cluster that exists can become one of the fleet's, and what it has that the fleet does not. Pure."""

from collections.abc import Iterator
from ipaddress import ip_address, ip_network

from iluvatar_pxe.fleet.k3s import is_k3s_release
from iluvatar_pxe.fleet.k3s_checks import NETWORKS
from iluvatar_pxe.layers.ainur.adoption.observed import ObservedCluster, ObservedNode

MOST_SERVERS = 5
_SPLIT = (
    "disable-etcd",
    "disable-apiserver",
    "disable-agent",
    "disable-controller-manager",
    "disable-scheduler",
)
_PORTS = ("https-listen-port", "supervisor-port")
_USUAL_PORT = "6443"
_MIGRATE = "run k3s on it once with cluster-init: true, which moves its data into etcd"


def refusals(cluster: ObservedCluster) -> tuple[str, ...]:
    """Return why it cannot be adopted, one line for each reason with the remedy; none where it can."""
    if not cluster.servers:
        return ("no Node is a server; give the kubeconfig of a k3s cluster",)
    found = [line for node in cluster.nodes for line in _of_node(node)]
    if len(cluster.servers) > MOST_SERVERS:
        found.append(
            f"it has {len(cluster.servers)} servers, and a layer has {MOST_SERVERS} at most; remove some first"
        )
    return tuple(found)


def _of_node(node: ObservedNode) -> Iterator[str]:
    if not is_k3s_release(node.version):
        yield f"{node.name}: runs {node.version or 'nothing that it tells'}, which is no release of k3s"
    if node.address is None:
        yield f"{node.name}: its Node has no IPv4 address; the fleet knows machines by one"
    options = node.options
    if options is None:
        yield f"{node.name}: its Node does not tell the options of its k3s; restart k3s on it"
        return
    if "datastore-endpoint" in options or "K3S_DATASTORE_ENDPOINT" in node.environment:
        yield f"{node.name}: its cluster is in an external datastore; the fleet's servers keep it in etcd only"
    elif node.leads and not node.has_etcd:
        yield f"{node.name}: is a server without etcd; {_MIGRATE}"
    for option in _SPLIT:
        if options.get(option, ("false",)) != ("false",):
            yield f"{node.name}: --{option} is set, and every server of the fleet runs all of k3s"
    for option in _PORTS:
        if options.get(option, (_USUAL_PORT,)) != (_USUAL_PORT,):
            yield f"{node.name}: --{option}={options[option][0]}, and the fleet's servers are at port {_USUAL_PORT}"


def cautions(cluster: ObservedCluster, api: str) -> tuple[str, ...]:
    """Return what people are to know or do before a machine boots under it; ``api`` is the name that machines join by."""
    return (*_of_cluster(cluster), *(line for node in cluster.nodes for line in _before_a_boot(node, api)))


def _of_cluster(cluster: ObservedCluster) -> Iterator[str]:
    count = len(cluster.servers)
    if count % 2 == 0:
        yield (
            f"it has {count} servers, an even number, of which etcd has no more use than of {count - 1}: 'servers' "
            f"becomes {count + 1}, so that one more machine becomes a server"
        )
    if len(versions := sorted({node.version for node in cluster.nodes})) > 1:
        yield f"its nodes run {' and '.join(versions)}; the layer gets the servers' highest"
    options = cluster.servers[0].options or {}
    network = options.get("service-cidr", (NETWORKS["service-cidr"],))[0]
    if not _has(network, cluster.service_address):
        yield f"its Services have addresses such as {cluster.service_address}, not of {network}; write 'service-cidr'"
    if options.get("flannel-backend") == ("none",):
        yield "its network is not flannel but what was installed by hand, which the fleet does not know"
    if options.get("secrets-encryption", ("false",)) != ("false",):
        yield (
            "its Secrets are encrypted by a key that only the servers have, and that k3s gives to those which join; it "
            "is not among the sealed secrets"
        )
    yield from (
        f"{path}: was put by hand, and stays in the cluster; no other server gets it"
        for path in cluster.manifests
    )
    yield "Argo CD is not installed by the daemon in a cluster that exists; install it, or what follows the fleet, by hand"


def _before_a_boot(node: ObservedNode, api: str) -> Iterator[str]:
    options = node.options or {}
    if node.leads and api not in [one for value in options.get("tls-san", ()) for one in value.split(",")]:
        yield (
            f"{node.name}: its certificate does not name {api}, by which machines join: add it to tls-san in its "
            "/etc/rancher/k3s/config.yaml, and restart k3s"
        )
    for folder in node.longhorn:
        yield (
            f"{node.name}: Longhorn has volumes in {folder}: before it boots under the fleet, write the file system's "
            f"label or UUID as root.data into machines/{node.name}.yaml, or have Longhorn move its replicas away"
        )


def _has(network: str, address: str) -> bool:
    """Say whether a network has an address; of several with commas, the first."""
    try:
        return ip_address(address) in ip_network(network.partition(",")[0])
    except ValueError:
        return not address
