"""BMCs that speak Redfish, by the library sushy."""

from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import requests
import sushy
from sushy.auth import BasicAuth
from sushy.connector import Connector
from sushy.exceptions import AccessError, ResourceNotFoundError, SushyError
from sushy.exceptions import ConnectionError as NoConnectionError

from iluvatar_pxe.power.child.session import (
    STEP_SECONDS,
    AnswerError,
    OneServerAdapter,
    Trust,
    authority_file,
    why,
)

_ON = (sushy.ResetType.ON, sushy.ResetType.FORCE_ON)
_OFF = (sushy.ResetType.FORCE_OFF,)
_CYCLE = (sushy.ResetType.POWER_CYCLE, sushy.ResetType.FORCE_RESTART)
_STATES = {
    sushy.PowerState.ON: "on",
    sushy.PowerState.OFF: "off",
    sushy.PowerState.POWERING_ON: "on",
    sushy.PowerState.POWERING_OFF: "on",
}
"""One that is on its way is still on, or already."""


class _Connector(Connector):  # type: ignore[misc]
    """Of one BMC; one attempt each, for whoever asks may ask again."""

    def __init__(self, url: str, verify: Trust, fingerprint: str | None) -> None:
        super().__init__(
            url,
            verify=verify,
            server_side_retries=1,
            server_side_retries_delay=1,
            default_request_timeout=STEP_SECONDS,
        )
        self._session.trust_env = False
        adapter = OneServerAdapter(url, fingerprint)
        for scheme in ("https://", "http://"):  # a BMC's answer may lead to either
            self._session.mount(scheme, adapter)


def perform(
    *,
    actions: Sequence[str],
    url: str,
    system: str | None,
    fingerprint: str | None,
    ca: str | None,
    username: str,
    password: str,
) -> str:
    """Do what is asked, one after the other; return ``on`` or ``off`` for ``status``. Raises AnswerError."""
    with TemporaryDirectory() as directory:
        verify = not fingerprint and authority_file(ca, Path(directory))
        connector = _Connector(url, verify, fingerprint)
        try:
            root = sushy.Sushy(
                url, auth=BasicAuth(username, password), connector=connector, public_connector=connector
            )
            said = [_act(_system(root, system), action) for action in actions]
        except AccessError as error:
            raise AnswerError("refuses the user, or the password") from error
        except NoConnectionError as error:
            raise AnswerError(why(error, url, is_pinned=fingerprint is not None)) from error
        except ResourceNotFoundError as error:
            raise AnswerError("has no such resource; correct the key 'system'") from error
        except (SushyError, requests.RequestException) as error:
            raise AnswerError(f"its answer is not Redfish's: {error}") from error
    return said[-1]


def _system(root: sushy.Sushy, path: str | None) -> "sushy.resources.system.system.System":
    if path:
        return root.get_system(path)
    paths = root.get_system_collection().members_identities
    if len(paths) != 1:
        some = ", ".join(str(one) for one in paths[:5])
        raise AnswerError(f"has {len(paths)} systems; write one of them as 'system': {some}")
    return root.get_system(paths[0])


def _act(machine: "sushy.resources.system.system.System", action: str) -> str:
    is_on = _state(machine) == "on"
    match action:
        case "status":
            return "on" if is_on else "off"
        case "network":
            machine.set_system_boot_options(
                target=sushy.BootSource.PXE, enabled=sushy.BootSourceOverrideEnabled.ONCE
            )
        case "cycle" if is_on:
            _reset(machine, _CYCLE)
        case "on" | "cycle" if not is_on:
            _reset(machine, _ON)
        case "off" if is_on:
            _reset(machine, _OFF)
    return ""


def _state(machine: "sushy.resources.system.system.System") -> str:
    if machine.power_state not in _STATES:
        raise AnswerError("does not tell whether the machine is on")
    return _STATES[machine.power_state]


def _reset(machine: "sushy.resources.system.system.System", kinds: Sequence[sushy.ResetType]) -> None:
    allowed = machine.get_allowed_reset_system_values()
    kind = next((one for one in kinds if one in allowed), None)
    if kind is None:
        raise AnswerError(f"allows none of {', '.join(one.value for one in kinds)}")
    machine.reset_system(kind)
