"""Gives a cluster objects, and takes them away again. All calls raise KubernetesError."""

from iluvatar_pxe.layers.credentials import Credentials
from iluvatar_pxe.layers.kubernetes.api_server import PORT, ApiServer
from iluvatar_pxe.layers.kubernetes.ours import LABELS, Object, collection_of, path_of

_LATER = "it is tried again"
_MANAGER = "fieldManager=iluvatar-pxe&force=true"
_SELECTOR = ",".join(f"{name}={value}" for name, value in LABELS.items())


async def ours(
    address: str, credentials: Credentials, kind: str, namespace: str, *, port: int = PORT
) -> tuple[Object, ...]:
    """Return the daemon's own objects of a kind; none where the cluster does not know that kind."""
    async with ApiServer.at(address, port, credentials, _LATER) as server:
        path = f"{collection_of(kind, namespace)}?labelSelector={_SELECTOR}"
        found = await server.call("GET", path)
        # Items of a list have neither a version nor a kind of their own.
        version = {"apiVersion": found.get("apiVersion"), "kind": kind}
        return tuple({**version, **one} for one in found.get("items") or ())


async def apply(address: str, credentials: Credentials, wanted: Object, *, port: int = PORT) -> bool:
    """Have an object be as wanted, by server-side apply; False where its namespace or its kind is not there yet."""
    async with ApiServer.at(address, port, credentials, _LATER) as server:
        path = f"{path_of(wanted)}?{_MANAGER}"
        return bool(await server.call("PATCH", path, wanted, "apply-patch+yaml"))


async def create(address: str, credentials: Credentials, wanted: Object, *, port: int = PORT) -> None:
    """Make an object, unless there is one of its name."""
    async with ApiServer.at(address, port, credentials, _LATER) as server:
        await server.call("POST", path_of(wanted).rpartition("/")[0], wanted)


async def delete(address: str, credentials: Credentials, found: Object, *, port: int = PORT) -> None:
    """Delete an object; one that is not there is fine."""
    async with ApiServer.at(address, port, credentials, _LATER) as server:
        await server.call("DELETE", path_of(found))
