"""Reads one job as JSON, does it, and prints ``{"said": …}`` or ``{"fault": …}``, one line for people."""

import json
import logging
import sys
from collections.abc import Callable, Mapping

from iluvatar_pxe.power.child import redfish, webhook
from iluvatar_pxe.power.child.session import AnswerError

_KINDS: Mapping[str, Callable[..., str]] = {"redfish": redfish.perform, "webhook": webhook.perform}


def main() -> None:
    """Do what standard input asks for; ends with a traceback where a BMC's answer has another form than any that is known."""
    logging.disable()  # sushy's log has what it sends
    job = json.load(sys.stdin)
    try:
        answer = {"said": _KINDS[job.pop("kind")](**job)}
    except AnswerError as error:
        answer = {"fault": str(error)}
    json.dump(answer, sys.stdout)


main()
