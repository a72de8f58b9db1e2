"""How every command of the documents is tried: where, and what it has to say. Those of one place run in this order."""

import json
import re
import signal
from dataclasses import dataclass
from enum import Enum, auto

from documents.markdown import ROOT


class Where(Enum):
    """A place that a command is tried in."""

    INSTALLED = auto()
    """A host with systemd and nothing of ours, on which the README's installation begins: test_installed.py."""
    CHECKOUT = auto()
    """A checkout: test_checkout.py, as the next ones."""
    DAEMON = auto()
    """A checkout on a host of its own; what is typed begins a daemon that runs until it is ended."""
    RUN = auto()
    """The same, beside ``sudo make run``."""
    GIT = auto()
    """The same, beside ``sudo make run STAND_INS=1 AS_REAL=1``; git's questions are answered with the token it printed."""
    OTHER_HOST = auto()
    """Another host, while ``sudo make run STAND_INS=1`` runs on the first."""
    NAMED = auto()
    """Nowhere: a command of ours is only spoken of. Its help has to know it, and its options."""
    TEST = auto()
    """A test that there is anyway: ``says`` names it."""
    NOT_HERE = auto()
    """Nowhere: ``says`` is the reason."""


@dataclass(frozen=True)
class How:
    """How one command is tried."""

    where: Where
    says: str = ""
    """What its output must match, as a regular expression."""
    status: int = 0
    typed: str = ""
    """What is typed in its place, where the thing itself would not end or cannot be had."""


PLACEHOLDERS = {
    "NAME": "arda-01",
    "OTHER": "arda-02",
    "NAME_OR_MAC": "arda-01",
    "MAC": "52:54:00:00:00:02",
    "TEXT": "why",
    "FILE": "/var/lib/iluvatar-pxe/copy.db",
    "DIRECTORY": "/var/lib/iluvatar-pxe/fleet",
    "A": "x86_64",
    "F": "uefi-pxe",
    "N": "2",
}
"""What is typed for a word in capitals."""

_ON_PI = How(Where.NOT_HERE, "Raspberry Pi OS has it, for the EEPROM of the Pi that it runs on")
_TALOSCTL = How(Where.NOT_HERE, "a tool of Talos")
_CLUSTER_OF_TALOS = How(Where.NOT_HERE, "needs a cluster that runs")
_MINUTES = How(Where.NOT_HERE, "measures for minutes")
_RELEASE = How(Where.NOT_HERE, "done once for each release")
_LAB = How(Where.TEST, "tests/cli/test_lab.py::test_a_lab_that_is_up_boots_machines_until_it_is_taken_down")
_DAEMON = How(Where.DAEMON, "iluvatar-pxe listens", status=-signal.SIGTERM)
_CLI = "tests/cli/test_assets.py"
_NOTIFIED = How(
    Where.TEST,
    "tests/cli/test_notifications.py::test_the_owner_seals_an_address_tries_it_and_is_told_of_a_refused_push",
)
_SEAL = "tests/cli/test_fleet_seal.py"
_CLUSTER = "tests/cli/test_cluster.py"
_CLUSTER_K3S = "tests/cli/test_cluster_k3s.py"
_SEED_CARD = "tests/cli/test_seed_card.py"
_REMOTE = "tests/cli/test_remote.py"
_WAITS = How(Where.INSTALLED, "Result: it waits", status=1)  # its boot files are missing
_OVERVIEW = r"name +layer +role +phase +intent +conflict +macs[^\n]*\n[^\n]*\narda-01"

_INTERNET = How(Where.NOT_HERE, "comes from the Internet")
_PACKAGE = How(Where.TEST, "tests/install/test_debian_package.py::test_it_is_installed_upgraded_and_removed")
_CARD = How(
    Where.TEST, "tests/install/test_first_start.py::test_a_card_becomes_a_daemon_and_its_keys_are_shown_once"
)
_COPY = "iluvatar-pxe.tar.gz"
_TALOS = "613e1592b2da41ae5e265e8789429f22e121aab91cb4deb6bc3c0b6262961245/v1.13.9"

LONGHORN = json.dumps(
    {
        "customization": {
            "systemExtensions": {
                "officialExtensions": ["siderolabs/iscsi-tools", "siderolabs/util-linux-tools"]
            }
        }
    }
)

DEMONSTRATION = "tests/cli/test_lab.py::test_two_unlisted_machines_join_in_the_demonstration"

COMMANDS = {
    # the checkout
    "sudo apt-get install make git curl": How(
        Where.CHECKOUT, "make", typed="sudo apt-get --simulate install make git curl"
    ),
    "git clone URL iluvatar-pxe": How(
        Where.CHECKOUT, typed=f"git clone --quiet --no-checkout file://{ROOT} iluvatar-pxe"
    ),
    "cd iluvatar-pxe": How(Where.CHECKOUT),
    "apt-get install sudo": How(Where.CHECKOUT, "sudo", typed="apt-get --simulate install sudo"),
    "/usr/sbin/usermod --append --groups sudo NAME": How(
        Where.TEST, "tests/documents/test_newcomer.py::test_a_newcomer_follows_the_documents"
    ),
    # the package
    "sudo make deb": How(Where.CHECKOUT, "systemd/debian/build", typed="make --dry-run deb"),
    "sudo apt-get install ./dist/iluvatar-pxe_*_amd64.deb": _PACKAGE,
    "sudo apt-get remove iluvatar-pxe": _PACKAGE,
    "sudo apt-get purge iluvatar-pxe": _PACKAGE,
    # the installation
    "sudo python3 -m venv /opt/iluvatar-pxe": How(Where.INSTALLED),
    "sudo /opt/iluvatar-pxe/bin/pip install --require-hashes --requirement requirements.lock": How(
        Where.INSTALLED, "Successfully installed"
    ),
    "sudo /opt/iluvatar-pxe/bin/pip install --no-deps --no-build-isolation .": How(
        Where.INSTALLED, "Successfully installed iluvatar-pxe"
    ),
    "sudo /opt/iluvatar-pxe/bin/iluvatar-pxe install": How(Where.INSTALLED, "iluvatar-pxe.service: started"),
    "sudo ln -s /opt/iluvatar-pxe/bin/iluvatar-pxe /usr/local/bin/iluvatar-pxe": How(Where.INSTALLED),
    # the service
    "systemctl status iluvatar-pxe": How(Where.INSTALLED, "Active: active"),
    "sudo journalctl --unit iluvatar-pxe --follow": How(
        Where.INSTALLED, status=124, typed="timeout 1 journalctl --unit iluvatar-pxe --follow"
    ),
    "systemd-analyze security iluvatar-pxe": How(Where.INSTALLED, r"exposure level .*: [01]\.\d|: 2\.0"),
    "sudo systemctl edit iluvatar-pxe": How(
        Where.INSTALLED,
        typed="sudo env SYSTEMD_EDITOR=true script --quiet --return --command 'systemctl edit iluvatar-pxe' /dev/null",
    ),
    # its fleet in Git
    "sudo iluvatar-pxe fleet init": How(Where.INSTALLED, r"(?s)ilu_\S{43}.*AGE-SECRET-KEY-1"),
    "sudo iluvatar-pxe check": How(
        Where.INSTALLED, "fleet: +ok", status=1
    ),  # arda-01 waits for its boot files
    "iluvatar-pxe check": How(Where.NAMED),
    "iluvatar-pxe fleet history": How(Where.NAMED),
    "sudo iluvatar-pxe network": How(
        Where.INSTALLED, "No other DHCP server was heard yet|DHCP server +interface"
    ),
    "iluvatar-pxe fleet validate": How(Where.INSTALLED, "valid: 2 machines, 2 rules"),
    "sudo iluvatar-pxe web password": How(
        Where.INSTALLED,
        "the password is set",
        typed="echo correct horse battery | sudo iluvatar-pxe web password",
    ),
    "sudo iluvatar-pxe fleet token add ada --write": How(Where.INSTALLED, r"Token ada \(read and write\)"),
    "sudo iluvatar-pxe fleet token add backup": How(Where.INSTALLED, r"Token backup \(read-only\)"),
    "sudo iluvatar-pxe fleet token list": How(Where.INSTALLED, r"(?s)ada +write.*backup +read"),
    "sudo iluvatar-pxe fleet token revoke backup": How(Where.INSTALLED, "is revoked"),
    "sudo iluvatar-pxe fleet repository add apps": How(Where.INSTALLED, r"/git/apps\.git"),
    "sudo iluvatar-pxe fleet repository list": How(Where.INSTALLED, r"(?s)apps .*fleet "),
    "iluvatar-pxe fleet mirrors talos": How(Where.INSTALLED),
    "iluvatar-pxe fleet mirrors k3s": How(Where.INSTALLED),
    "iluvatar-pxe fleet diff": How(Where.INSTALLED, "Nothing changes for any machine"),
    "sudo iluvatar-pxe fleet diff try": How(
        Where.INSTALLED, "Nothing changes", typed="iluvatar-pxe fleet diff main"
    ),
    "sudo iluvatar-pxe fleet argocd arda": How(
        Where.INSTALLED, '"argocd.argoproj.io/secret-type": "repository"'
    ),
    "sudo iluvatar-pxe fleet recover --key FILE": How(
        Where.TEST, "tests/provisioning/test_fleet_in_git.py::test_a_new_host_opens_what_is_sealed"
    ),
    "sudo iluvatar-pxe fleet init --from REPOSITORY": How(
        Where.TEST, "tests/provisioning/test_fleet_in_git.py::test_a_lost_pi_is_made_again_of_a_clone"
    ),
    "iluvatar-pxe fleet seal configs/controlplane.yaml configs/worker.yaml": How(
        Where.TEST, f"{_SEAL}::test_a_file_is_sealed_in_place_to_the_owner_and_the_daemons"
    ),
    "mkdir --parents notifications": _NOTIFIED,
    "echo 'slack://TOKEN_A/TOKEN_B/TOKEN_C/#lab' >notifications/chat.txt": _NOTIFIED,
    "iluvatar-pxe fleet seal notifications/chat.txt": _NOTIFIED,
    "sudo iluvatar-pxe notifications test": _NOTIFIED,
    "sudo iluvatar-pxe fleet unseal configs/worker.yaml": How(
        Where.TEST, f"{_SEAL}::test_it_is_unsealed_to_be_edited_and_sealed_again"
    ),
    "iluvatar-pxe fleet unseal configs/worker.yaml --key FILE": How(
        Where.TEST, f"{_SEAL}::test_it_is_unsealed_to_be_edited_and_sealed_again"
    ),
    "sudo iluvatar-pxe cluster status": How(
        Where.TEST, f"{_CLUSTER}::test_the_status_says_what_a_cluster_waits_for"
    ),
    "sudo iluvatar-pxe cluster secrets export arda FILE": How(
        Where.TEST, f"{_CLUSTER}::test_secrets_are_exported_as_they_were_imported_and_closed_to_others"
    ),
    "sudo iluvatar-pxe cluster secrets import arda FILE": How(
        Where.TEST, f"{_CLUSTER}::test_an_import_that_would_replace_secrets_or_does_not_fit_is_refused"
    ),
    "sudo iluvatar-pxe cluster talosconfig arda FILE": How(
        Where.TEST, f"{_CLUSTER}::test_a_talosconfig_names_the_control_planes_and_is_merged"
    ),
    "sudo iluvatar-pxe cluster kubeconfig arda FILE": How(
        Where.TEST, f"{_CLUSTER}::test_kubectl_reads_what_is_merged_into_its_file"
    ),
    "sudo iluvatar-pxe cluster secrets export ainur FILE": How(
        Where.TEST, f"{_CLUSTER_K3S}::test_secrets_of_a_server_are_imported_and_exported_again"
    ),
    "sudo iluvatar-pxe cluster secrets import ainur FILE": How(
        Where.TEST, f"{_CLUSTER_K3S}::test_secrets_of_a_server_are_imported_and_exported_again"
    ),
    "sudo iluvatar-pxe cluster adopt ainur --kubeconfig k3s.yaml --secrets FILE --dry-run": How(
        Where.TEST,
        "tests/provisioning/test_adopting.py::test_it_is_read_only_committed_once_and_a_machine_that_boots_under_it_joins",
    ),
    "sudo iluvatar-pxe cluster upgrade --layer ainur": How(
        Where.TEST, f"{_CLUSTER_K3S}::test_an_upgrade_is_of_a_founded_cluster_of_k3s"
    ),
    "sudo iluvatar-pxe cluster kubeconfig ainur FILE": How(
        Where.TEST,
        f"{_CLUSTER_K3S}::test_a_kubeconfig_is_what_openssl_takes_for_an_administrator_of_the_cluster",
    ),
    "sudo iluvatar-pxe cluster snapshot arda": How(
        Where.TEST, "tests/provisioning/test_snapshots.py::test_one_is_taken_by_a_command_and_told"
    ),
    "iluvatar-pxe cluster upgrade": How(Where.NAMED),
    **{
        f"iluvatar-pxe cluster {words}": How(Where.NAMED)
        for words in ("adopt", "kubeconfig", "secrets", "talosconfig")
    },
    "iluvatar-pxe cluster upgrade --layer LAYER": How(Where.NAMED),
    "iluvatar-pxe cluster snapshot LAYER": How(Where.NAMED),
    "age --decrypt --identity recovery.key --output etcd.db 2026-11-29T020000Z.db.age": How(
        Where.NOT_HERE, "age is a program of others; test_snapshots.py opens one with our own"
    ),
    "talosctl bootstrap --recover-from etcd.db": _TALOSCTL,
    "iluvatar-pxe fleet token add": How(Where.NAMED),
    "iluvatar-pxe fleet repository add": How(Where.NAMED),
    "iluvatar-pxe fleet init": How(Where.NAMED),
    "iluvatar-pxe cluster status": How(Where.NAMED),
    "iluvatar-pxe cluster status [LAYER] [--json]": How(Where.NAMED),
    "iluvatar-pxe cluster secrets export LAYER FILE": How(Where.NAMED),
    "iluvatar-pxe plan NAME": How(Where.NAMED),
    "iluvatar-pxe cluster secrets import LAYER FILE": How(Where.NAMED),
    "iluvatar-pxe cluster adopt LAYER": How(Where.NAMED),
    "journalctl -u iluvatar-tasks -u 'k3s*'": How(Where.NOT_HERE, "on a node of a k3s cluster"),
    "iluvatar-pxe cluster recover --layer LAYER": How(Where.NAMED),
    "iluvatar-pxe cluster recover --layer LAYER [--server NAME]": How(Where.NAMED),
    "sudo iluvatar-pxe cluster recover --layer ainur": How(
        Where.TEST,
        "tests/provisioning/test_k3s_recovering.py::test_servers_that_lost_their_quorum_become_one_cluster_again_while_daemons_are_killed",
    ),
    "iluvatar-pxe cluster talosconfig LAYER": How(Where.NAMED),
    "iluvatar-pxe cluster kubeconfig LAYER": How(Where.NAMED),
    "talosctl gen secrets": _TALOSCTL,
    "iluvatar-pxe fleet token list": How(Where.NAMED),
    "iluvatar-pxe fleet recover": How(Where.NAMED),
    "sudo iluvatar-pxe fleet history": How(Where.INSTALLED, r"in force: [0-9a-f]{12} "),
    "curl --fail --output ~/iluvatar-pxe.crt http://127.0.0.1:8080/ca.crt": How(Where.GIT),
    "openssl x509 -noout -fingerprint -sha256 -in ~/iluvatar-pxe.crt": How(
        Where.GIT, "(?i)sha256 fingerprint="
    ),
    "git clone -c http.sslCAInfo=~/iluvatar-pxe.crt https://127.0.0.1:8443/git/fleet.git": How(
        Where.GIT,
        typed="git clone -c http.sslCAInfo=~/iluvatar-pxe.crt https://127.0.0.1:8443/git/fleet.git by-tls",
    ),
    "git push origin HEAD:try": How(Where.GIT, typed="git -C by-tls push origin HEAD:try"),
    "git config receive.denyNonFastForwards false": How(Where.NOT_HERE, "a setting of git's own"),
    "sudo make run STAND_INS=1 AS_REAL=1": _DAEMON,
    "git clone http://127.0.0.1:8080/git/fleet.git": How(Where.GIT),
    "git -C fleet pull": How(Where.GIT, r"machines/arda-01\.yaml"),
    "cat fleet/machines/arda-01.yaml": How(Where.GIT, "role: controlplane"),
    "git -C fleet config user.name Ada": How(Where.GIT),
    "git -C fleet config user.email ada@example.org": How(Where.GIT),
    r"""printf 'match:\n macs:\n - "52:54:00:12:34:56"\nintent: local\n' >fleet/machines/tower.yaml""": How(
        Where.GIT
    ),
    "git -C fleet add machines/tower.yaml": How(Where.GIT),
    'git -C fleet commit --message "The tower boots its own disk"': How(Where.GIT, "1 file changed"),
    "git -C fleet push": How(Where.GIT, "main -> main"),
    ".venv/bin/iluvatar-pxe simulate uefi-x64 --mac 52:54:00:12:34:56": How(Where.GIT, "disk"),
    "sed --in-place 's/^controlPlanes: 1/controlPlanes: 2/' fleet/layers/arda.yaml": How(Where.GIT),
    'git -C fleet commit --all --message "Two control planes"': How(Where.GIT, "1 file changed"),
    "iluvatar-pxe fleet validate [DIRECTORY]": How(Where.INSTALLED, typed="iluvatar-pxe fleet validate"),
    "sudo systemctl reload iluvatar-pxe": How(Where.INSTALLED),
    # its inventory, to look at
    "sudo iluvatar-pxe machines list": How(Where.INSTALLED, r"name +layer +role +phase +intent +address"),
    "sudo iluvatar-pxe machines list --all": How(Where.INSTALLED, "52:54:00:00:00:03"),
    "iluvatar-pxe machines list --all": How(Where.INSTALLED, "52:54:00:00:00:03"),
    "iluvatar-pxe machines list [--all] [--watch] [--json]": How(
        Where.INSTALLED, '"arda-01"', typed="iluvatar-pxe machines list --all --json"
    ),
    "sudo iluvatar-pxe machines show arda-01": How(Where.INSTALLED, "52:54:00:00:00:01"),
    "iluvatar-pxe machines show NAME": How(Where.INSTALLED, "arda-01"),
    "iluvatar-pxe machines show NAME [--boots N] [--json]": How(Where.INSTALLED, '"arda-01"'),
    "sudo iluvatar-pxe plan arda-01": _WAITS,
    "iluvatar-pxe plan MAC": _WAITS,
    "iluvatar-pxe plan NAME_OR_MAC [--arch A] [--firmware F]": _WAITS,
    "sudo sqlite3 -header -column /var/lib/iluvatar-pxe/inventory.db 'SELECT * FROM machine_overview'": How(
        Where.INSTALLED, _OVERVIEW
    ),
    "sudo sqlite3 -header -column /var/lib/iluvatar-pxe/inventory.db"
    " \"SELECT * FROM boot_timeline WHERE machine = 'arda-01'\"": How(
        Where.INSTALLED, r"machine +boot +seconds +stage +detail"
    ),
    # its API
    "curl 'http://192.0.2.1:8080/api/v1/machines?limit=2'": How(
        Where.INSTALLED, '"arda-01"', typed="curl 'http://127.0.0.1:8080/api/v1/machines?limit=2'"
    ),
    "curl --no-buffer 'http://192.0.2.1:8080/api/v1/events?kind=machine.new'": How(
        Where.INSTALLED,
        status=124,
        typed="timeout 1 curl --no-buffer 'http://127.0.0.1:8080/api/v1/events?kind=machine.new'",
    ),
    "curl --output ca.crt http://192.0.2.1:8080/ca.crt": How(
        Where.INSTALLED, "BEGIN CERTIFICATE", typed="curl http://127.0.0.1:8080/ca.crt"
    ),
    """curl --cacert ca.crt -H @token.txt --json '{"why": "memory test"}'"""
    " https://192.0.2.1:8443/api/v1/machines/arda-01/hold": How(
        Where.TEST, "tests/web/test_api_commands.py::test_a_change_is_on_record_with_who"
    ),
    "iluvatar-pxe --server https://192.0.2.1:8443 --ca ca.crt machines list": How(
        Where.TEST, f"{_REMOTE}::test_everybody_may_read"
    ),
    "iluvatar-pxe --server https://192.0.2.1:8443 --ca ca.crt --token-file token machines hold arda-01": How(
        Where.TEST, f"{_REMOTE}::test_a_write_token_changes_and_is_on_record"
    ),
    "iluvatar-pxe fleet token add NAME --write": How(Where.NAMED),
    # its names
    "sudo iluvatar-pxe dns query git.lab.home.arpa": How(Where.INSTALLED, r"(?s)IN A .*from this daemon"),
    "sudo iluvatar-pxe dns query api.arda.lab.home.arpa": How(Where.INSTALLED, "from cluster arda", status=1),
    "sudo iluvatar-pxe dns query www.debian.org --type AAAA": How(
        Where.INSTALLED, "(?s)SERVFAIL.*why: ", status=1
    ),  # there is no Internet
    "sudo iluvatar-pxe dns flush": How(Where.INSTALLED, "flushed"),
    "sudo iluvatar-pxe status": How(Where.INSTALLED, "daemon      runs", status=1),
    "sudo iluvatar-pxe logs arda-01": How(Where.INSTALLED),
    "iluvatar-pxe logs [MACHINE] [--follow]": How(Where.INSTALLED, typed="iluvatar-pxe logs arda-01"),
    "iluvatar-pxe --install-completion": How(
        Where.INSTALLED, "complete", typed="_ILUVATAR_PXE_COMPLETE=source_bash iluvatar-pxe"
    ),
    "sudo mkdir -p /usr/local/share/man/man1": How(Where.INSTALLED),
    "iluvatar-pxe man | sudo tee /usr/local/share/man/man1/iluvatar-pxe.1": How(Where.INSTALLED, "ILUVATAR"),
    # its boot files
    "sudo iluvatar-pxe assets status": How(Where.TEST, f"{_CLI}::test_status_is_1_until_everything_is_there"),
    "sudo iluvatar-pxe assets import /media/stick": How(Where.TEST, f"{_CLI}::test_a_stick_is_imported"),
    "iluvatar-pxe assets status [--json]": How(Where.NAMED),
    "iluvatar-pxe assets fetch [NAME] [--json]": How(Where.NAMED),
    "iluvatar-pxe assets verify [NAME] [--json]": How(Where.NAMED),
    "iluvatar-pxe assets gc [NAME] [--yes] [--json]": How(Where.NAMED),
    "iluvatar-pxe assets import PATH [--trust] [--json]": How(Where.NAMED),
    "iluvatar-pxe assets status": How(Where.NAMED),
    "iluvatar-pxe assets fetch": How(Where.NAMED),
    "iluvatar-pxe status": How(Where.NAMED),
    "iluvatar-pxe assets gc": How(Where.NAMED),
    "iluvatar-pxe assets verify": How(Where.NAMED),
    "iluvatar-pxe assets import": How(Where.NAMED),
    # and to change
    "sudo iluvatar-pxe enrol open 30m": How(Where.INSTALLED, "open"),
    "iluvatar-pxe enrol open 30m": How(Where.INSTALLED, "open"),
    "iluvatar-pxe enrol status": How(Where.INSTALLED, "open"),
    "iluvatar-pxe enrol close": How(Where.INSTALLED, "closed"),
    "iluvatar-pxe machines hold NAME --why TEXT": How(Where.INSTALLED, "is held"),
    "iluvatar-pxe machines release NAME": How(Where.INSTALLED),
    "sudo iluvatar-pxe machines reinstall NAME": How(
        Where.INSTALLED, typed="sudo iluvatar-pxe machines reinstall NAME --yes"
    ),
    "iluvatar-pxe machines reinstall NAME [--wipe] [--force] [--wake] [--cycle] [--json]": How(
        Where.INSTALLED, typed="iluvatar-pxe machines reinstall NAME --yes"
    ),
    "sudo iluvatar-pxe machines reinstall NAME --wipe": How(
        Where.INSTALLED,
        "and what is on its disk is erased",
        typed="sudo iluvatar-pxe machines reinstall NAME --wipe --yes",
    ),
    "iluvatar-pxe machines reinstall NAME --wipe": How(
        Where.INSTALLED,
        "and what is on its disk is erased",
        typed="iluvatar-pxe machines reinstall NAME --wipe --yes",
    ),
    "iluvatar-pxe machines merge NAME OTHER": How(Where.INSTALLED),
    "iluvatar-pxe machines split NAME MAC": How(Where.INSTALLED),
    "iluvatar-pxe machines forget NAME": How(
        Where.INSTALLED, typed="iluvatar-pxe machines forget NAME --yes"
    ),
    "sudo iluvatar-pxe fleet keys renew": How(
        Where.INSTALLED, "shown only once", typed="sudo iluvatar-pxe fleet keys renew --yes"
    ),
    "iluvatar-pxe db backup FILE": How(Where.INSTALLED),
    "iluvatar-pxe db restore FILE": How(
        Where.INSTALLED, typed="chown iluvatar-pxe: FILE && iluvatar-pxe db restore FILE"
    ),
    "iluvatar-pxe db upgrade": How(Where.INSTALLED),
    "iluvatar-pxe db set-aside": How(Where.INSTALLED, typed="iluvatar-pxe db set-aside --yes"),
    # what it leaves behind
    "sudo iluvatar-pxe fleet token add second --write": How(Where.INSTALLED, "Token second"),
    "sudo ss --listening --numeric --processes --tcp --udp": How(Where.INSTALLED, ":8080"),
    "sudo systemctl restart iluvatar-pxe": How(Where.INSTALLED),
    "sudo systemctl stop iluvatar-pxe": How(Where.INSTALLED),
    f"sudo tar --create --gzip --exclude iluvatar-pxe/assets --file /root/{_COPY} --directory /var/lib iluvatar-pxe": How(
        Where.INSTALLED,
        typed=f"sudo tar --create --gzip --exclude iluvatar-pxe/assets --file /tmp/{_COPY} --directory /var/lib iluvatar-pxe",
    ),
    "sudo systemctl start iluvatar-pxe": How(Where.INSTALLED),
    "sudo rm -r /var/lib/iluvatar-pxe": How(
        Where.INSTALLED, typed="sudo systemctl stop iluvatar-pxe && sudo rm -r /var/lib/iluvatar-pxe"
    ),
    f"sudo tar --extract --gzip --file /root/{_COPY} --directory /var/lib": How(
        Where.INSTALLED, typed=f"sudo tar --extract --gzip --file /tmp/{_COPY} --directory /var/lib"
    ),
    "sudo iluvatar-pxe install": How(Where.INSTALLED, "iluvatar-pxe.service: started"),
    "sudo iluvatar-pxe uninstall": How(Where.INSTALLED, "/var/lib/iluvatar-pxe: kept"),
    "sudo iluvatar-pxe uninstall --purge": How(
        Where.INSTALLED, "/var/lib/iluvatar-pxe: removed", typed="sudo iluvatar-pxe uninstall --purge --yes"
    ),
    "sudo rm -rf /opt/iluvatar-pxe /usr/local/bin/iluvatar-pxe /usr/local/share/man/man1/iluvatar-pxe.1": How(
        Where.INSTALLED
    ),
    # a checkout
    "sudo apt-get install python3-venv ipxe git": How(
        Where.CHECKOUT, "python3-venv", typed="sudo apt-get --simulate install python3-venv ipxe git"
    ),
    "make stand-ins": How(Where.CHECKOUT, "Test images are in .*/.cache/stand-ins"),
    "make check": How(
        Where.CHECKOUT, "ruff check", typed="make --dry-run check"
    ),  # `make test` begins with it
    "make test": How(Where.CHECKOUT, "pytest -m", typed="make --dry-run test"),  # this is a part of it
    "make setup-test": How(Where.CHECKOUT, "dpkg-query", typed="make --dry-run setup-test"),
    "make format": How(Where.CHECKOUT, "ruff format", typed="make --dry-run format"),
    "make test-long": How(Where.CHECKOUT, "pytest -m long", typed="make --dry-run test-long"),
    "make protos": How(Where.CHECKOUT, "grpc_tools.protoc", typed="make --dry-run protos"),
    "make lock": How(Where.CHECKOUT, "uv pip compile", typed="make --dry-run lock"),
    ".venv/bin/pytest tests/wire/test_dhcp.py": How(
        Where.CHECKOUT, r"\d+ passed", typed=f"cd {ROOT} && .venv/bin/pytest tests/wire/test_dhcp.py"
    ),
    ".venv/bin/pytest tests/boot/test_chains.py -k talos_boots": How(
        Where.CHECKOUT,
        "1 passed",
        typed=f"cd {ROOT} && .venv/bin/pytest tests/boot/test_chains.py -k talos_boots",
    ),
    ".venv/bin/pytest tests/documents/test_table.py": How(Where.NOT_HERE, "the test of this table itself"),
    # What it begins is in DEMONSTRATION.
    "sudo make demo": How(Where.CHECKOUT, "lab demo", typed="make --dry-run demo"),
    "make run": _DAEMON,
    "sudo make run": _DAEMON,
    "sudo make run OBSERVE=1": _DAEMON,
    "curl http://127.0.0.1:8080/readyz": How(Where.RUN, '"ready": true'),
    ".venv/bin/iluvatar-pxe simulate uefi-x64": How(Where.RUN, "kernel-amd64", status=1),
    "sudo make run STAND_INS=1": _DAEMON,
    "sudo iluvatar-pxe simulate uefi-x64 --interface eth0 --count 5": How(Where.OTHER_HOST, "5 of 5 boot"),
    # the lab
    "iluvatar-pxe lab boot uefi-x64": _LAB,
    "iluvatar-pxe lab up": _LAB,
    "iluvatar-pxe lab boot uefi-arm64": _LAB,
    "iluvatar-pxe lab down": _LAB,
    # cards for Raspberry Pis
    "sudo apt-get install mtools": How(
        Where.CHECKOUT, "mtools", typed="sudo apt-get --simulate install mtools"
    ),
    "iluvatar-pxe seed-card --image ubuntu-24.04.5-preinstalled-server-arm64+raspi.img.xz"
    " --fleet fleet --out card.img": How(
        Where.TEST,
        "tests/layers/ainur/seed_card/test_seed.py::test_the_card_is_the_image_with_files_beside_its_own",
    ),
    "sudo journalctl --unit iluvatar-pxe-first-start": _CARD,
    "sudo journalctl --unit iluvatar-pxe-node": _CARD,
    "sudo iluvatar-pxe cluster join": _CARD,
    "iluvatar-pxe cluster join": How(Where.NAMED),
    "sudo iluvatar-pxe seed-card --eeprom 2712 --set BOOT_ORDER=0xf26 --set PCIE_PROBE=1 --out eeprom.img": How(
        Where.TEST, f"{_SEED_CARD}::test_a_boot_order_is_written_with_the_catalogue_s_bootloader"
    ),
    "iluvatar-pxe seed-card --imager --image card.img.xz --out card.json"
    " --url http://192.168.1.10:8080/assets/card.img.xz": How(
        Where.TEST, f"{_SEED_CARD}::test_imager_is_told_of_a_compressed_card"
    ),
    "iluvatar-pxe seed-card": How(Where.NAMED),
    "sudo rpi-eeprom-config --apply FILE": _ON_PI,
    # a release
    ".venv/bin/pip wheel --no-deps --no-build-isolation --wheel-dir dist .": How(
        Where.TEST, "tests/test_wheel.py::test_the_wheel_carries_its_data"
    ),
    'git commit --all --message "Release 0.2.0"': _RELEASE,
    'git tag --annotate v0.2.0 --message "iluvatar-pxe 0.2.0"': _RELEASE,
    # what is spoken of
    "iluvatar-pxe db restore": How(Where.NAMED),
    "iluvatar-pxe lab": How(Where.NAMED),
    "iluvatar-pxe machines": How(Where.NAMED),
    "iluvatar-pxe machines forget": How(Where.NAMED),
    "iluvatar-pxe machines forget MAC": How(Where.NAMED),
    "iluvatar-pxe machines reinstall": How(Where.NAMED),
    "iluvatar-pxe machines reinstall NAME": How(Where.NAMED),
    "iluvatar-pxe machines release": How(Where.NAMED),
    "iluvatar-pxe machines wake NAME": How(Where.NAMED),
    **{
        f"iluvatar-pxe machines power NAME {action}": How(Where.NAMED)
        for action in ("on", "off", "cycle", "status", "network")
    },
    "iluvatar-pxe machines reinstall NAME --wake": How(Where.NAMED),
    "iluvatar-pxe machines reinstall NAME --cycle": How(Where.NAMED),
    "iluvatar-pxe machines rename NAME NEW": How(Where.NAMED),
    "iluvatar-pxe machines set --role": How(Where.NAMED),
    "iluvatar-pxe machines set NAME [--name NEW] [--layer L] [--role R] [--phase P] [--intent I]": How(
        Where.NAMED
    ),
    "iluvatar-pxe machines show": How(Where.NAMED),
    "iluvatar-pxe plan": How(Where.NAMED),
    "iluvatar-pxe serve --config": How(Where.NAMED),
    "iluvatar-pxe serve --config FILE": How(Where.NAMED),
    "iluvatar-pxe simulate": How(Where.NAMED),
    "iluvatar-pxe simulate KIND [--server ADDR] [--mac MAC] [--interface IF] [--count N] [--json]"
    " [--config FILE]": How(Where.NAMED),
    # what cannot be tried here
    "talosctl gen config": _TALOSCTL,
    "talosctl upgrade": _TALOSCTL,
    "talosctl upgrade-k8s": _TALOSCTL,
    "talosctl upgrade-k8s --to VERSION": _TALOSCTL,
    "kubectl -n argocd get applications": _CLUSTER_OF_TALOS,
    f"curl --data '{LONGHORN}' https://factory.talos.dev/schematics": How(
        Where.TEST, "tests/assets/test_factory.py::test_curl_registers_a_schematic_as_the_documents_say"
    ),
    "talosctl gen config arda https://api.arda.lab.home.arpa:6443 --install-disk /dev/nvme0n1"
    f" --install-image factory.talos.dev/metal-installer/{_TALOS.replace('/', ':')}": _TALOSCTL,
    "talosctl --talosconfig talosconfig --endpoints ADDRESS --nodes ADDRESS bootstrap": _TALOSCTL,
    "talosctl --talosconfig talosconfig --endpoints ADDRESS --nodes ADDRESS kubeconfig": _TALOSCTL,
    "talosctl etcd remove-member": _TALOSCTL,
    "git pull": _INTERNET,
    "sudo rpi-eeprom-config --edit": _ON_PI,
    "make bin-arm64-efi/snponly.efi": How(Where.NOT_HERE, "builds iPXE from its own source"),
    "sudo .venv/bin/python bench/simulated_machines.py": _MINUTES,
    "sudo .venv/bin/python bench/dhcp_storm.py": _MINUTES,
    "sudo .venv/bin/python bench/page_load.py 20": _MINUTES,
    "sudo .venv/bin/python -m bench.dhcp": _MINUTES,
    "iluvatar-pxe machines list": How(Where.NAMED),
    "iluvatar-pxe machines list --json": How(Where.NAMED),
    "sudo .venv/bin/python bench/reference_boot.py uefi-x64 1": _MINUTES,
    "sudo .venv/bin/python bench/reference_boot.py KIND 1": _MINUTES,
    "sudo .venv/bin/python bench/performance.py": _MINUTES,
    "sudo .venv/bin/python -m bench.NAME": _MINUTES,
    "make bench-check": How(Where.CHECKOUT, r"bench\.counts", typed="make --dry-run bench-check"),
    "make bench-counts": How(Where.CHECKOUT, "--write", typed="make --dry-run bench-counts"),
}


def commands_for(where: Where) -> list[str]:
    """Return the commands that are tried in a place, in their order."""
    return [command for command, how in COMMANDS.items() if how.where is where]


def typed(command: str) -> str:
    """Return what is typed: every option that may be given, and something for every word in capitals."""
    words = (COMMANDS[command].typed or command).translate(str.maketrans("", "", "[]"))
    return re.sub(r"(?<=[ ])\w+", lambda word: PLACEHOLDERS.get(word[0], word[0]), words)


def judge(command: str, status: int, output: str) -> None:
    """Fail unless a command ended as it should, and said what it should."""
    how = COMMANDS[command]
    assert status == how.status, f"{command}: exit status {status}, and not {how.status}\n{output}"
    assert re.search(how.says, output), f"{command}: does not say {how.says!r}\n{output}"
