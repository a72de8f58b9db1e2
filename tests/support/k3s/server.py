"""One start of ``k3s server``: from its files to a member of etcd that votes, and a Node."""

import asyncio
import json
import secrets
import signal
from collections.abc import Callable
from pathlib import Path

from support.k3s import bootstrap_data
from support.k3s.access import Access, access
from support.k3s.authorities import CLIENT, SERVER, Request, issue, make_missing, names, write_private
from support.k3s.configuration import Configuration
from support.k3s.etcd import Etcd
from support.k3s.fatal import FatalError, RequestError
from support.k3s.kubelet import Kubelet
from support.k3s.kubernetes import CONTROL_PLANE, ETCD_ROLE, MEMBER_ADDRESS, MEMBER_NAME, Kubernetes
from support.k3s.membership import Membership
from support.k3s.site import Site
from support.k3s.supervisor import Supervisor, tls_of
from support.k3s.tokens import PREFIX, Token, hash_of
from support.talos.clock import Clock

REMOVED = "this node has been removed from the cluster please restart k3s to rejoin the cluster"
RESET = "Managed etcd cluster membership has been reset, restart without --cluster-reset flag now"
RESET_BEFORE = "Managed etcd cluster membership was previously reset, please remove the cluster-reset flag and start k3s normally"
MISMATCH = "failed to validate server configuration: critical configuration value mismatch"


class Server:
    """A server, for one start."""

    how_to_stop = signal.SIGTERM

    def __init__(
        self,
        configuration: Configuration,
        site: Site,
        address: str,
        clock: Clock,
        log: Callable[[str], None],
    ) -> None:
        self._configuration, self._site, self._address = configuration, site, address
        self._clock, self._log = clock, log
        self._server = configuration.data / "server"
        self._tls = self._server / "tls"
        self._node = configuration.node_name
        self._etcd = Etcd(self._server / "db", self._tls, address, self._node)
        self._membership = Membership(self._etcd, site, self._node, log)
        self.uid = ""
        """Of its Node, once that is registered."""

    async def run(self) -> None:
        """Run until cancelled; raises FatalError, also in a group."""
        token = self._token()
        self._reset_flag.unlink(missing_ok=True)
        self._forget_a_removed_member()
        try:
            origin = None if self._etcd.is_initialized else await self._origin(token)
        except RequestError as error:
            raise FatalError(f"starting kubernetes: preparing server: {error}") from error
        self._issue()
        agent = self._configuration.agent_token
        passwords = {
            "server": token.password,
            "node": Token.parse(agent).password if agent else token.password,
        }
        self._write_tokens(passwords)
        kubernetes = Kubernetes(self._etcd, self._site)
        supervisor = Supervisor(
            self._configuration,
            self._tls,
            passwords,
            self._etcd,
            kubernetes,
            self._clock,
            self._site.asked,
        )
        context = tls_of(self._tls, self._tls / "dynamic")
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(supervisor.serve(self._address, context))
                await self._start_etcd(origin)
                tasks.create_task(self._watch_etcd(supervisor))
                await self._membership.settle()
                await self._reconcile(token)
                await kubernetes.namespace()
                supervisor.is_ready = True
                self._site.serving.add(self._address)
                tasks.create_task(self._membership.control(kubernetes))
                await self._run_kubelet(passwords["node"])
        finally:
            self._site.serving.discard(self._address)
            await self._etcd.stop(self.how_to_stop)

    async def reset(self, snapshot: Path | None) -> None:
        """Do what ``k3s server --cluster-reset`` does before it ends: be the only member, of a snapshot where one is given.

        Raises FatalError.
        """
        token = self._token()
        if self._reset_flag.exists():
            raise FatalError(RESET_BEFORE)
        self._issue()
        self._etcd.rename()
        try:
            if snapshot is not None:
                await self._etcd.restore(snapshot)
            self._reset_flag.touch()
            await self._etcd.start([(self._etcd.name, self._etcd.peer_url)], "new", is_reset=True)
            await self._membership.settle()
            await bootstrap_data.take(self._etcd, self._tls, token.password)
        except RequestError as error:
            raise FatalError(str(error)) from error
        finally:
            await self._etcd.stop(signal.SIGTERM)
        self._log(RESET)

    @property
    def _reset_flag(self) -> Path:
        """A second reset in a row is refused by this file."""
        return self._server / "db/reset-flag"

    def _token(self) -> Token:
        """Return the server token; without one the first server makes one and keeps it."""
        file = self._server / "token"
        if text := self._configuration.token:
            return Token.parse(text)
        if file.exists():
            return Token.parse(file.read_text().strip())
        if self._configuration.text("server"):
            raise FatalError("K3S_TOKEN is required to join a cluster")
        return Token("", "server", secrets.token_hex(16))

    def _forget_a_removed_member(self) -> None:
        if self._tombstone.exists():
            self._log("tombstone file has been detected, removing data dir to rejoin the cluster")
            self._etcd.forget()

    @property
    def _tombstone(self) -> Path:
        return self._etcd.directory / "tombstone"

    async def _origin(self, token: Token) -> Access | None:
        """Return the server to join, with its CA files taken; None for the first server of a new cluster."""
        url = self._configuration.text("server")
        if not url:
            if not self._configuration.flag("cluster-init"):
                raise FatalError(
                    "neither cluster-init nor server is set: k3s would use SQLite, which is not here"
                )
            return None
        root = self._configuration.root
        server = await access(self._site, url, token, "server", root, self._log, [])
        bootstrap_data.unpack(await server.ask("/v1-k3s/server-bootstrap"), self._tls)
        agent = self._configuration.agent_token
        password = Token.parse(agent).password if agent else token.password
        as_node = Token(token.ca_hash, "node", password)
        asked = await access(self._site, url, as_node, "node", root, self._log, [])
        theirs = json.loads(await asked.ask("/v1-k3s/config"))
        own = self._configuration.critical
        if different := [key for key, value in own.items() if theirs.get(key) != value]:
            raise FatalError(f"{MISMATCH}: {', '.join(different)}")
        return server

    def _issue(self) -> None:
        """Make the CAs that are missing, and the certificates of this start."""
        now = self._clock.now()
        if made := make_missing(self._tls, now):
            self._log(f"generated {', '.join(made)}")
        own = names([self._node, self._address, "localhost", "127.0.0.1"])
        sans = names(
            [
                *own,
                *self._configuration.items("tls-san"),
                "kubernetes",
                "kubernetes.default",
                "kubernetes.default.svc",
                "10.43.0.1",
            ]
        )
        both = [SERVER, CLIENT]
        for authority, wanted, file in (
            ("server-ca", Request("k3s", [SERVER], ("k3s",), sans), "dynamic"),
            ("etcd/server-ca", Request("etcd-server", both, (), own), "etcd/server-client"),
            ("etcd/server-ca", Request("etcd-client", [CLIENT]), "etcd/client"),
            ("etcd/peer-ca", Request("etcd-peer", both, (), own), "etcd/peer-server-client"),
        ):
            issue(self._tls, authority, wanted, self._tls / file, now)

    def _write_tokens(self, passwords: dict[str, str]) -> None:
        """Write the full tokens that people copy from a server."""
        ca_hash = hash_of((self._tls / "server-ca.crt").read_bytes())
        for file, user in (("token", "server"), ("agent-token", "node")):
            full = f"{PREFIX}{ca_hash}::{user}:{passwords[user]}\n"
            write_private(self._server / file, full.encode())

    async def _start_etcd(self, origin: Access | None) -> None:
        if self._etcd.is_initialized:
            self._log("Managed etcd cluster bootstrap already complete and initialized")
            await self._membership.resume()
        elif origin is None:
            await self._membership.found()
        else:
            await self._membership.join(origin)

    async def _watch_etcd(self, supervisor: Supervisor) -> None:
        """End k3s with its etcd, unless this member was removed: then it waits for the next start."""
        if not await self._etcd.ended():
            raise FatalError("etcd server stopped")
        self._tombstone.touch()
        supervisor.is_ready = False
        self._site.serving.discard(self._address)
        self._log(REMOVED)

    async def _reconcile(self, token: Token) -> None:
        while True:
            try:
                await bootstrap_data.reconcile(self._etcd, self._tls, token.password)
            except RequestError as error:
                self._log(f"Failed to reconcile bootstrap data: {error}")
                await self._site.pause()
            else:
                return

    async def _run_kubelet(self, password: str) -> None:
        labels = {CONTROL_PLANE: "true", ETCD_ROLE: "true"}
        annotations = {MEMBER_NAME: self._etcd.name, MEMBER_ADDRESS: self._address}
        kubelet = Kubelet(self._configuration, self._site, self._address, self._log, labels, annotations)
        ca_hash = hash_of((self._tls / "server-ca.crt").read_bytes())
        port = self._configuration.text("https-listen-port", "6443")
        own = f"https://{self._address}:{port}"
        async with kubelet.registered(own, Token(ca_hash, "node", password)) as self.uid:
            await asyncio.Event().wait()
