"""Every error this project raises on purpose.

IluvatarError                 base; its text is one line that names the thing and the remedy
├── WireError                 bytes from the network that are not a message (their fault)
├── UsageError                a command's arguments are invalid (exit 2)
├── SettingsError             config.toml or an ILUVATAR_PXE_* variable (exit 2)
├── FleetError                one or more findings in the fleet's files (exit 2)
├── RepositoryError           a Git repository cannot be read, written or reached
│   ├── LostRaceError         another push came first
│   ├── InvalidDraftError     the daemon's commit would not be a valid fleet
│   └── RefusedPushError      the repository's origin refuses the push
├── SealError                 a sealed file cannot be opened, or has no recipient
├── BundleError               a cluster's secrets are incomplete, damaged or do not match each other
├── ClockError                the clock cannot be right, so no certificate is signed
├── InventoryError            the database cannot be opened, read or written
│   └── NoInventoryError      there is none yet: no daemon has run here
├── AssetError                a boot file that cannot be served
│   ├── AssetNotReadyError    not now: asked again later, it may be served
│   ├── FactoryError          Image Factory cannot be reached, or gives no usable answer
│   │   └── FactoryRefusalError it refuses what is asked, however often
│   ├── DownloadError         a boot file that a publisher does not give
│   │   ├── UnavailableError  the publisher cannot be reached, or stops: another attempt may succeed
│   │   └── DiskError         the disk has no room for it, or cannot be written
│   ├── SumsError             a publisher's list of checksums, or its signature, cannot be trusted
│   └── UnpackError           an archive or an image cannot be unpacked
├── ConfigurationError        a machine configuration cannot be made, or Talos would refuse it
│   └── NotYetError           it can, but the machine's turn has not come
├── TalosError                a machine's Talos API does not do what is asked
│   ├── TalosUnreachableError it does not answer, or stops: another attempt may succeed
│   ├── TalosIdentityError    who answers is not known to be the machine, or does not trust the daemon
│   │   ├── TalosMaintenanceError it waits in maintenance mode, without a configuration
│   │   ├── TalosForeignError it has Talos of another cluster, or of none
│   │   └── TalosAnotherError another machine of the cluster answers at its address
│   ├── TalosDeniedError      these credentials, or maintenance mode, do not allow it
│   ├── TalosUnsupportedError it has no such call: a worker, or another version
│   ├── TalosNotReadyError    not yet: another attempt may succeed
│   ├── TalosExistsError      that is already there
│   ├── TalosNotFoundError    that is not there
│   ├── TalosRefusedError     it refuses what is asked, however often
│   │   └── TalosRebootError  it applies the change by a reboot only
│   ├── TalosFailedError      it tried, and failed: another attempt may succeed
│   └── TalosAnswerError      its answer cannot be used
├── EtcdError                 the etcd of a k3s cluster cannot be reached, or its answer cannot be used
├── PowerError                a machine's power cannot be switched, or told
├── OperationError            a requested change is not possible for that machine
│   ├── UnknownMachineError   no machine, or more than one, matches
│   └── UntoldError           the daemon that runs cannot tell it now, or is of another version
├── ControlError              the running daemon cannot be asked
├── ServerError               a socket that cannot be bound, an interface that is not there
├── ResolveError              no upstream resolver gave a usable answer
├── TlsError                  the CA, a certificate or its key cannot be read, stored or used
├── LoginError                the password of the web page, or who is logged in, cannot be read or written
├── SimulateError             a simulated machine does not boot
│   ├── NoAnswerError         no answer in time
│   │   └── LeaseRefusedError the router withdraws its offer
│   └── NoFileError           the server says that it has no such file
├── InstallError              the systemd service cannot be installed or removed
├── SeedCardError             a card for a Raspberry Pi cannot be made
└── LabError                  the private virtual network cannot be built or driven
"""


class IluvatarError(Exception):
    """Base of all errors raised on purpose; ``str()`` is one line for people."""


class WireError(IluvatarError):
    """A datagram or field that does not decode; the only error a decoder raises."""


class UsageError(IluvatarError):
    """A command's arguments are invalid."""


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
    """The daemon's commit would not be a valid fleet."""


class RefusedPushError(RepositoryError):
    """The repository's origin refuses a push: no right to write, or a hook."""


class SealError(IluvatarError):
    """A sealed file cannot be opened with the available keys, or has no recipient."""


class BundleError(IluvatarError):
    """A cluster's secrets are incomplete, damaged or do not match each other; its text shows none of them."""


class ClockError(IluvatarError):
    """The clock is before something that has happened already, so no certificate is signed by it."""


class InventoryError(IluvatarError):
    """The inventory database cannot be opened, migrated, read or written."""


class NoInventoryError(InventoryError):
    """There is no inventory database yet: no daemon has run here."""


class AssetError(IluvatarError):
    """A boot file that is missing, unreadable or outside its directory."""


class AssetNotReadyError(AssetError):
    """A boot file that cannot be served before it was checked, or the directory was read again; then it may be."""


class FactoryError(AssetError):
    """Image Factory cannot be reached, or gives no usable answer; asked again later, it may."""


class FactoryRefusalError(FactoryError):
    """Image Factory refuses what is asked, however often: what is asked has to be corrected."""


class SumsError(AssetError):
    """A publisher's list of checksums is none, lacks the file, or is not signed by whom it must be."""


class UnpackError(AssetError):
    """An archive or a disk image that is damaged, hostile, or does not fit on the disk."""


class DownloadError(AssetError):
    """What an address gives is not the wanted file, and asking again does not help: another one may have it."""


class UnavailableError(DownloadError):
    """A publisher cannot be reached, does not answer or hangs up: the same address may give the file later.

    ``after`` is the pause in seconds that it asks for; ``is_building``: it makes the file first;
    ``is_slow``: it sends so little that another address is better.
    """

    def __init__(
        self, text: str, *, after: float | None = None, is_building: bool = False, is_slow: bool = False
    ) -> None:
        super().__init__(text)
        self.after = after
        self.is_building = is_building
        self.is_slow = is_slow


class MixedError(UnavailableError):
    """A beginning from one attempt and a rest from another are not the wanted file: it is downloaded from the start."""


class DiskError(DownloadError):
    """The disk has no room for a file, or cannot be written: no other address helps."""


class ConfigurationError(IluvatarError):
    """A machine configuration that cannot be made, or that Talos would refuse."""


class NotYetError(ConfigurationError):
    """A machine gets its secrets later: others of its cluster come first."""


class TalosError(IluvatarError):
    """A machine's Talos API does not do what is asked."""


class TalosUnreachableError(TalosError):
    """A machine's Talos API does not answer, or stops: it restarts, or is off; another attempt may succeed."""


class TalosIdentityError(TalosError):
    """Who answers for Talos is not known to be the machine, or does not trust the daemon's certificate."""


class TalosMaintenanceError(TalosIdentityError):
    """The machine waits in maintenance mode, where a machine of the cluster was expected."""


class TalosForeignError(TalosIdentityError):
    """The machine has Talos of another cluster, or something else answers on that port."""


class TalosAnotherError(TalosIdentityError):
    """Another machine of the cluster answers at the machine's address."""


class TalosDeniedError(TalosError):
    """Neither these credentials nor maintenance mode allow the call."""


class TalosUnsupportedError(TalosError):
    """The machine has no such call: it is a worker, has no role yet, or has another version of Talos."""


class TalosNotReadyError(TalosError):
    """The machine cannot do it yet; another attempt may succeed."""


class TalosExistsError(TalosError):
    """What is to be made is already there: etcd of this machine has data."""


class TalosNotFoundError(TalosError):
    """What is named is not there."""


class TalosRefusedError(TalosError):
    """The machine refuses what is asked, however often: what is asked has to be corrected."""


class TalosRebootError(TalosRefusedError):
    """The machine can apply the configuration by a reboot only: stage it, then reboot."""


class TalosFailedError(TalosError):
    """The machine tried what is asked, and failed; another attempt may succeed."""


class TalosAnswerError(TalosError):
    """A machine's answer is no valid message, is too large, or is damaged."""


class KubernetesError(IluvatarError):
    """The Kubernetes API of a cluster cannot be reached, or refuses what is asked of it."""


class EtcdError(IluvatarError):
    """The etcd of a k3s cluster cannot be reached, or its answer cannot be used."""


class PowerError(IluvatarError):
    """A machine's power cannot be switched or told: what its file names refuses, is silent, or answers nonsense."""


class OperationError(IluvatarError):
    """A requested change is not possible: the name is taken, or a file lists the machine."""


class UnknownMachineError(OperationError):
    """No machine, or more than one, matches this name, MAC or id."""


class UntoldError(OperationError):
    """The running daemon cannot tell what is asked: its database or its fleet is away, or it is of another version."""


class ControlError(IluvatarError):
    """The running daemon's control socket denies access, times out, or gives an invalid answer."""


class ServerError(IluvatarError):
    """A socket that cannot be bound or an interface that cannot be used."""


class ResolveError(IluvatarError):
    """No upstream resolver gave a usable answer."""


class TlsError(IluvatarError):
    """The daemon's own CA, a certificate that was given, or a key cannot be read, stored or used."""


class LoginError(IluvatarError):
    """The password of the web page, or who is logged in, cannot be read or written."""


class InstallError(IluvatarError):
    """The systemd service cannot be installed or removed."""


class SeedCardError(IluvatarError):
    """A seed card, or a card that sets a boot order, cannot be made of what was given."""


class LabError(IluvatarError):
    """The private virtual network cannot be built, or something in it failed."""


class SimulateError(IluvatarError):
    """A simulated machine does not boot; says why its firmware rejected an answer."""


class NoAnswerError(SimulateError):
    """A simulated machine got no answer within its firmware's timeout."""


class LeaseRefusedError(NoAnswerError):
    """The router answers NAK: it had offered the same address to another machine."""


class NoFileError(SimulateError):
    """The server has no such file; firmware often continues without it."""
