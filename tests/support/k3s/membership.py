"""How a server's etcd is founded, joins, and becomes a voter: k3s' rules around the real etcd (pkg/etcd/etcd.go)."""

import json
from collections.abc import Callable
from contextlib import suppress
from urllib.parse import urlsplit

from support.k3s.access import Access
from support.k3s.etcd import Etcd, Member
from support.k3s.fatal import FatalError, RequestError
from support.k3s.kubernetes import MEMBER_ADDRESS, MEMBER_NAME, REMOVE_MEMBER, Kubernetes
from support.k3s.site import Site

TOO_MANY = "too many learner members in cluster"
NEW_CLUSTER = "Starting etcd for new cluster, cluster-reset=false"
DUPLICATE = "duplicate node name found, please use a unique name for this node"


class Membership:
    """The part of one server in etcd's cluster, for one start of k3s."""

    def __init__(self, etcd: Etcd, site: Site, node: str, log: Callable[[str], None]) -> None:
        self.etcd = etcd
        self._site, self._node, self._log = site, node, log

    async def found(self) -> None:
        """Start a new cluster."""
        self._log(NEW_CLUSTER)
        await self.etcd.start([(self.etcd.name, self.etcd.peer_url)], "new")

    async def resume(self) -> None:
        """Start the member that this node is already."""
        await self.etcd.start([(self.etcd.name, self.etcd.peer_url)], "existing")

    async def join(self, server: Access) -> None:
        """Become a learner of the cluster that a server belongs to; raises FatalError."""
        while True:
            try:
                await self._join(server)
            except RequestError as error:
                if TOO_MANY not in str(error):
                    raise FatalError(f"etcd cluster join failed: {error}") from error
                self._log(f"Failed to join etcd cluster: {error}; retrying")
                await self._site.pause()
            else:
                return

    async def settle(self) -> None:
        """Wait until this member votes and there is a leader."""
        while True:
            with suppress(RequestError):
                status = await self.etcd.status()
                members = [] if status.get("isLearner") else await self.etcd.members()
                if any(self._is_self(member) for member in members):
                    return
            await self._site.pause()

    async def control(self, kubernetes: Kubernetes) -> None:
        """Promote learners, and remove members whose Nodes are deleted, as long as this member leads; ends never."""
        while True:
            with suppress(RequestError):
                status = await self.etcd.status()
                if status.get("leader") == status["header"]["member_id"]:
                    await self._remove_members(kubernetes)
                    await self._promote_learners()
            await self._site.pause()

    async def _promote_learners(self) -> None:
        for member in await self.etcd.members():
            if member.is_learner:
                await self.etcd.ask("cluster/member/promote", {"ID": member.id})

    async def _remove_members(self, kubernetes: Kubernetes) -> None:
        for node in await kubernetes.nodes():
            metadata = node["metadata"]
            annotations = metadata["annotations"]
            is_deleted = "deletionTimestamp" in metadata
            if is_deleted or annotations.get(REMOVE_MEMBER) == "true":
                await self._remove(annotations.get(MEMBER_NAME, ""), annotations.get(MEMBER_ADDRESS, ""))
            if is_deleted:
                await kubernetes.purge_node(metadata["name"])

    async def _remove(self, name: str, address: str) -> None:
        """Take out the member that has both this name and this address; raises RequestError."""
        for member in await self.etcd.members():
            if member.name == name and address in _hosts(member):
                self._log(f"Removing name={name} id={member.id} address={address} from etcd")
                await self.etcd.ask("cluster/member/remove", {"ID": member.id})

    async def _join(self, server: Access) -> None:
        url, members = await self._voter(server)
        cluster, is_in = [], False
        for member in members:
            is_own = self.etcd.address in _hosts(member) and member.name in {"", self.etcd.name}
            if member.name.rpartition("-")[0] == self._node and not is_own:
                (self.etcd.directory / "name").unlink()
                raise FatalError(f"etcd cluster join failed: {DUPLICATE}")
            is_in |= is_own
            cluster.append((self.etcd.name if is_own else member.name, member.peer_urls[0]))
        if not is_in:
            self._log(f"Adding {self.etcd.name}={self.etcd.peer_url} to etcd cluster {cluster}")
            learner = {"peerURLs": [self.etcd.peer_url], "isLearner": True}
            await self.etcd.ask("cluster/member/add", learner, url=url)
            cluster.append((self.etcd.name, self.etcd.peer_url))
        await self.etcd.start(cluster, "existing")

    async def _voter(self, server: Access) -> tuple[str, list[Member]]:
        """Return the client URL of a voter at another address that answers, and the members as it knows them."""
        told = [Member.of(one) for one in json.loads(await server.ask("/db/info"))["members"]]
        others = [one for one in told if not one.is_learner and self.etcd.address not in _hosts(one)]
        error = RequestError("no voting member is known")
        for url in (url for member in others for url in member.client_urls):
            try:
                return url, await self.etcd.members(url)
            except RequestError as failed:
                error = failed
        raise error

    def _is_self(self, member: Member) -> bool:
        return member.name == self.etcd.name and self.etcd.peer_url in member.peer_urls


def _hosts(member: Member) -> set[str]:
    return {urlsplit(url).hostname or "" for url in member.peer_urls}
