"""This host's settings: ``config.toml`` and ``ILUVATAR_PXE_SECTION__KEY``, parsed once into a frozen object."""

import json
import os
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    field_validator,
    model_validator,
)

from iluvatar_pxe.errors import SettingsError
from iluvatar_pxe.settings.faults import first_fault, one_line
from iluvatar_pxe.settings.values import (
    AnyPath,
    BranchName,
    Forward,
    GitUrl,
    Interfaces,
    Network,
    PeerOrAuto,
    Port,
    PortOrAny,
    Rate,
    Seconds,
    Text,
    UpstreamOrAuto,
    Whole,
    is_git_url,
)

ENV_PREFIX = "ILUVATAR_PXE_"
DEFAULT_FILE = Path("/etc/iluvatar-pxe/config.toml")

HOSTED = "hosted"
"""The source of a fleet whose repository lies here."""

_IN_CLEAR = re.compile(r"http://(?!(localhost|127\.[\d.]+)[:/])")


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)


class NetworkSettings(_Section):
    """``[network]``."""

    interfaces: Interfaces = ("auto",)
    """Interface names to serve on; ``auto`` is the LAN's: that of the default route, wired before wireless."""
    dhcp: Literal["proxy", "observe", "off"] = "proxy"
    """``proxy``: the router keeps handing out addresses; ``observe``: machines are recorded, and nobody is answered;
    ``off``: no DHCP at all."""


class DhcpSettings(_Section):
    """``[dhcp]``: UDP ports, changed only where the standard ones cannot be bound."""

    port: Port = 67
    pxe_port: Port = 4011
    client_port: Port = 68


class TftpSettings(_Section):
    """``[tftp]``."""

    port: Port = 69
    port_range: tuple[PortOrAny, PortOrAny] = (0, 0)
    """First and last UDP port of transfers, for firewalls; ``[0, 0]`` leaves the choice to the kernel."""
    max_blksize: Annotated[Whole, Field(ge=8, le=65464)] = 1468
    """Largest block in bytes (RFC 2348); 1468 fills an Ethernet frame without fragments."""
    max_windowsize: Annotated[Whole, Field(ge=1, le=65535)] = 64
    """Most blocks sent before an acknowledgement (RFC 7440)."""

    @field_validator("port_range")
    @classmethod
    def _ordered(cls, value: tuple[int, int]) -> tuple[int, int]:
        first, last = value
        if first > last or (first == 0) != (last == 0):
            raise ValueError("give [first, last] with first <= last, or [0, 0]")
        return value


class HttpSettings(_Section):
    """``[http]``."""

    port: Port = 8080
    allow: tuple[Network, ...] = ("local",)
    """Networks that may ask; ``local`` is those of the served interfaces, and loopback."""
    tls_port: Port = 8443
    """TLS, for Git and the API; firmware needs the plain port."""
    tls_certificate: AnyPath | None = None
    """PEM file with the certificate and its chain; the default is one of the daemon's own CA, renewed by itself."""
    tls_key: AnyPath | None = None
    """PEM file with the key of ``tls_certificate``."""

    @model_validator(mode="after")
    def _both_or_none(self) -> Self:
        if (self.tls_certificate is None) != (self.tls_key is None):
            raise ValueError("tls_certificate and tls_key belong together; set both, or none")
        if self.port == self.tls_port:
            raise ValueError("port and tls_port are the same; change one of them")
        return self


class DnsSettings(_Section):
    """``[dns]``."""

    port: Port = 53
    enabled: bool = True
    """False: no DNS at all."""
    upstream: tuple[UpstreamOrAuto, ...] = ("auto",)
    """Resolvers that the other questions go to; ``auto`` is what this host asks itself, none: nothing is forwarded."""
    forward: Forward = Field(default_factory=dict)
    """Resolvers for the names of single domains, such as the router's own."""
    allow: tuple[Network, ...] = ("local",)
    """Networks whose questions are forwarded; ``local`` is those of the served interfaces, and loopback."""


class NtpSettings(_Section):
    """``[ntp]``: the time that machines are told."""

    port: Port = 123
    enabled: bool = True
    """False: this host tells nobody the time."""


class TalosSettings(_Section):
    """``[talos]``: what Talos machines report to; their configurations name these ports."""

    event_port: Port = 3333
    """TCP: the event sink."""
    kernel_log_port: Port = 3334
    """TCP and UDP: kernel logs."""

    @model_validator(mode="after")
    def _apart(self) -> Self:
        if self.event_port == self.kernel_log_port:
            raise ValueError("event_port and kernel_log_port are the same; change one of them")
        return self


class DatabaseSettings(_Section):
    """``[database]``."""

    url: Text | None = None
    """SQLAlchemy URL; the default is ``inventory.db`` in the state directory."""


class FleetSettings(_Section):
    """``[fleet]``."""

    source: GitUrl = "hosted"
    """``hosted``: the Git repository in the state directory; else a Git URL, or the path of a directory."""
    branch: BranchName = "main"
    """The branch that is the fleet."""
    poll: Seconds = 30.0
    """Seconds between two looks at a repository elsewhere."""
    read_only: bool = False
    """A repository elsewhere that this daemon may not write: names and roles are decided by the database alone."""
    token_file: AnyPath | None = None
    """File with the token for an https source or mirror."""
    ssh_key: AnyPath | None = None
    """File with the private key for an ssh source or mirror."""
    ca_file: AnyPath | None = None
    """PEM file with the CA of an https source or mirror that no public CA has signed."""
    webhook_secret_file: AnyPath | None = None
    """File with the secret that signs what a forge posts to ``/api/v1/fleet/refresh``; without it nobody may."""
    mirror: GitUrl | None = None
    """Git URL that the hosted repository is pushed to after every change."""

    @model_validator(mode="after")
    def _token_by_tls(self) -> Self:
        for url in (self.source, self.mirror or ""):
            if self.token_file and _IN_CLEAR.match(url):
                raise ValueError(f"the token of token_file would be sent to {url} unencrypted; use https")
        return self


class GitSettings(_Section):
    """``[git]``: the repositories hosted here."""

    anonymous_read: bool = False
    """Let everybody in the allowed networks read them, without a token."""
    max_push: Annotated[Whole, Field(ge=1)] = 512
    """Largest push, in MiB."""


class AssetsSettings(_Section):
    """``[assets]``."""

    directory: AnyPath | None = None
    """Boot files; the default is ``assets`` in the state directory."""
    fetch: bool = True
    """Download the boot files that the fleet wants; False: they come by ``assets import`` or by hand."""
    rate_limit: Rate = None
    """What all downloads together take of the line, such as ``2MB/s``."""
    peers: tuple[PeerOrAuto, ...] = ("auto",)
    """Daemons that are asked for a boot file before its publisher; ``auto`` is the fleet's, by their host names."""


class StateSettings(_Section):
    """``[state]``."""

    directory: AnyPath | None = None
    """Default: ``/var/lib/iluvatar-pxe`` as root and as the service, else ``iluvatar-pxe`` in the XDG state directory."""


class ControlSettings(_Section):
    """``[control]``: where commands that change something reach the daemon."""

    socket: AnyPath | None = None
    """Default: ``/run/iluvatar-pxe/control.sock`` as root and as the service, else ``control.sock`` in the state directory."""


class PowerSettings(_Section):
    """``[power]``."""

    commands: AnyPath = Path("/etc/iluvatar-pxe/power")
    """Directory with this host's programs for ``power: {command: …}``; only its owner and root may write it."""


class SimulateSettings(_Section):
    """``[simulate]``."""

    as_real: bool = False
    """Treat the clients of ``iluvatar-pxe simulate`` as machines: they get names, roles and secrets."""


class LogSettings(_Section):
    """``[log]``."""

    level: Literal["debug", "info", "warning", "error"] = "info"
    format: Literal["auto", "console", "json"] = "auto"
    """``auto``: console on a terminal, JSON otherwise."""


class Settings(_Section):
    """Everything that is set on this host; see docs/settings.md."""

    network: NetworkSettings = NetworkSettings()
    dhcp: DhcpSettings = DhcpSettings()
    tftp: TftpSettings = TftpSettings()
    http: HttpSettings = HttpSettings()
    dns: DnsSettings = DnsSettings()
    ntp: NtpSettings = NtpSettings()
    talos: TalosSettings = TalosSettings()
    database: DatabaseSettings = DatabaseSettings()
    fleet: FleetSettings = FleetSettings()
    git: GitSettings = GitSettings()
    assets: AssetsSettings = AssetsSettings()
    state: StateSettings = StateSettings()
    control: ControlSettings = ControlSettings()
    power: PowerSettings = PowerSettings()
    simulate: SimulateSettings = SimulateSettings()
    log: LogSettings = LogSettings()

    @property
    def state_directory(self) -> Path:
        """Where this host keeps what it must not lose."""
        return self.state.directory or default_state_directory(os.environ, is_root=os.geteuid() == 0)

    @property
    def assets_directory(self) -> Path:
        """Where boot files lie."""
        return self.assets.directory or self.state_directory / "assets"

    @property
    def repositories(self) -> Path:
        """Where the repositories hosted here lie."""
        return self.state_directory / "git"

    @property
    def fleet_repository(self) -> Path | None:
        """The bare repository that the fleet is read from; None where it is a plain directory."""
        if self.fleet.source == HOSTED:
            return self.repositories / "fleet.git"
        return self.state_directory / "followed.git" if is_git_url(self.fleet.source) else None

    @property
    def fleet_directory(self) -> Path:
        """The plain directory with the fleet's files, where it is in no repository."""
        return Path(self.fleet.source)

    @property
    def fleet_place(self) -> str:
        """Where the fleet comes from, in words."""
        if self.fleet.source == HOSTED:
            return f"branch {self.fleet.branch} of {self.fleet_repository}"
        if self.fleet_repository:
            return f"branch {self.fleet.branch} of {self.fleet.source}"
        return self.fleet.source

    @property
    def control_socket(self) -> Path:
        """Where the daemon listens for commands."""
        if self.control.socket:
            return self.control.socket
        return default_control_socket(os.environ, self.state_directory, is_root=os.geteuid() == 0)

    @property
    def database_url(self) -> str:
        """The inventory's SQLAlchemy URL."""
        return self.database.url or f"sqlite:///{self.state_directory / 'inventory.db'}"


def default_state_directory(environ: Mapping[str, str], *, is_root: bool) -> Path:
    """Return the state directory that nobody configured; for a service, systemd tells it (``StateDirectory=``)."""
    if given := environ.get("STATE_DIRECTORY"):
        return Path(given)
    if is_root:
        return Path("/var/lib/iluvatar-pxe")
    base = environ.get("XDG_STATE_HOME") or str(Path(environ.get("HOME", "/")) / ".local/state")
    return Path(base) / "iluvatar-pxe"


def default_control_socket(environ: Mapping[str, str], state_directory: Path, *, is_root: bool) -> Path:
    """Return the control socket that nobody configured; for a service, systemd tells where (``RuntimeDirectory=``)."""
    root = "/run/iluvatar-pxe" if is_root else state_directory
    return Path(environ.get("RUNTIME_DIRECTORY") or root) / "control.sock"


def load_settings(file: Path | None, environ: Mapping[str, str]) -> Settings:
    """Read ``file`` (default ``/etc/iluvatar-pxe/config.toml``, which may be absent) and the environment.

    Raises SettingsError: one line that names the file or variable, the key and the remedy.
    """
    path = file or DEFAULT_FILE
    return parse_settings(_read(path, required=file is not None), str(path), environ)


def parse_settings(text: str, name: str, environ: Mapping[str, str]) -> Settings:
    """Turn the text of a settings file and the environment into Settings; raises SettingsError."""
    try:
        document: dict[str, Any] = tomllib.loads(text)
    except (ValueError, RecursionError) as error:  # ValueError: also a number of thousands of digits
        raise SettingsError(one_line(f"{name}: not valid TOML: {error}; correct that line")) from error
    origin = _overlay(document, environ)
    try:
        return Settings.model_validate(document)
    except ValidationError as error:
        raise SettingsError(first_fault(error, Settings, name, origin)) from error


def _read(path: Path, *, required: bool) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except FileNotFoundError as error:
        if required:
            raise SettingsError(f"{path}: no such file; create it or leave --config out") from error
        return ""
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise SettingsError(f"{path}: cannot be read: {reason}; make it a readable UTF-8 file") from error


def _overlay(document: dict[str, Any], environ: Mapping[str, str]) -> dict[tuple[str, ...], str]:
    """Put ``ILUVATAR_PXE_SECTION__KEY`` values over the file's; return which key came from which variable."""
    origin: dict[tuple[str, ...], str] = {}
    for variable, value in environ.items():
        section, separator, key = variable.removeprefix(ENV_PREFIX).lower().partition("__")
        if not variable.startswith(ENV_PREFIX) or not separator:
            continue
        table = document.setdefault(section, {})
        if not isinstance(table, dict):
            continue  # the file's fault, reported by validation
        table[key] = _environment_value(value)
        origin[section, key] = variable
        if section not in Settings.model_fields:
            origin[section,] = variable
    return origin


def _environment_value(value: str) -> Any:
    """Lists and tables are written as JSON (``["eth0"]``), everything else as plain text."""
    if value.startswith(("[", "{")):
        try:
            return json.loads(value)
        except (ValueError, RecursionError):
            return value
    return value
