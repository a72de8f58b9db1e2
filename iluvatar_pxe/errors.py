"""Every error this project raises on purpose.

IluvatarError                 base; its text is one line that names the thing and the remedy
├── WireError                 bytes from the network that are not a message (their fault)
├── UsageError                what a command was given makes no sense (exit 2)
├── SettingsError             config.toml or an ILUVATAR_PXE_* variable (exit 2)
├── FleetError                one or more findings in the fleet's files (exit 2)
├── RepositoryError           a Git repository cannot be read, written or reached
│   ├── LostRaceError         somebody else's push came first
│   ├── InvalidDraftError     what a daemon would commit is not valid
│   └── RefusedPushError      the repository's home does not take what is pushed
├── SealError                 a sealed file cannot be opened, or there is nobody to seal it to
├── InventoryError            the database cannot be opened, read or written
├── AssetError                a boot file that cannot be served
├── OperationError            what a person asked for cannot be done to that machine
│   └── UnknownMachineError   no machine, or more than one, goes by what was given
├── ControlError              the running daemon cannot be asked
├── ServerError               a socket that cannot be bound, an interface that is not there
├── ResolveError              no upstream resolver gave a usable answer
├── TlsError                  the CA, a certificate or its key cannot be read, stored or used
├── SimulateError             a simulated machine does not boot
│   ├── NoAnswerError         nobody answered it in time
│   │   └── LeaseRefusedError the router takes back what it offered
│   └── NoFileError           the server says that it has no such file
├── InstallError              the systemd service cannot be put in place or taken away
└── LabError                  the private virtual network cannot be built or driven
"""


class IluvatarError(Exception):
    """Base of all errors raised on purpose; ``str()`` is one line for people."""


class WireError(IluvatarError):
    """A datagram or field that does not decode; the only error a decoder raises."""


class UsageError(IluvatarError):
    """A command's arguments are none that it can do anything with."""


class SettingsError(IluvatarError):
    """A setting that is unknown, malformed or impossible."""


class FleetError(IluvatarError):
    """The fleet's files contradict the schema or each other.

    ``findings`` holds one line per fault, each ``file:line: what is wrong; what to do``.
    """

    def __init__(self, findings: list[str]) -> None:
        super().__init__("\n".join(findings))
        self.findings = findings


class RepositoryError(IluvatarError):
    """A Git repository cannot be read, written or reached, or holds what cannot be read."""


class LostRaceError(RepositoryError):
    """The branch has moved since it was read: fetch it and decide again."""


class InvalidDraftError(RepositoryError):
    """What a daemon was going to commit would not be a valid fleet."""


class RefusedPushError(RepositoryError):
    """The home of the repository refuses a push: no right to write, or a hook."""


class SealError(IluvatarError):
    """A sealed file cannot be opened with the keys at hand, or there is nobody to seal it to."""


class InventoryError(IluvatarError):
    """The inventory database cannot be opened, migrated, read or written."""


class AssetError(IluvatarError):
    """A boot file that is missing, unreadable or outside its directory."""


class OperationError(IluvatarError):
    """What a person asked for cannot be done: a name that is taken, a machine that a file lists."""


class UnknownMachineError(OperationError):
    """No machine, or more than one, goes by this name, MAC or id."""


class ControlError(IluvatarError):
    """The running daemon's control socket is closed to this user, or silent, or answers nonsense."""


class ServerError(IluvatarError):
    """A socket that cannot be bound or an interface that cannot be used."""


class ResolveError(IluvatarError):
    """No upstream resolver gave a usable answer."""


class TlsError(IluvatarError):
    """The daemon's own CA, a certificate that was given, or a key cannot be read, stored or used."""


class InstallError(IluvatarError):
    """The systemd service cannot be put in place or taken away."""


class LabError(IluvatarError):
    """The private virtual network cannot be built, or something in it failed."""


class SimulateError(IluvatarError):
    """A simulated machine does not boot: what its firmware has against what it was sent."""


class NoAnswerError(SimulateError):
    """Nobody answered a simulated machine in the time that its firmware waits."""


class LeaseRefusedError(NoAnswerError):
    """The router answers NAK: it had offered the same address to another machine."""


class NoFileError(SimulateError):
    """The server says that it has no such file; often a firmware goes on without it."""
