"""Masks a plan for display: only values known not to be secret are shown.

The fleet is its owner's own words, and any of them may be a secret. So a value is shown because its place is in a table
here, never because it looks harmless. Keys that Talos or Kubernetes define are shown whatever their values are.
"""

import re

from iluvatar_pxe.boot.plan import Plan, RunScript, ServePiFiles
from iluvatar_pxe.replies.public_words import IPXE_COMMANDS, KERNEL_ARGUMENTS
from iluvatar_pxe.values import replace

MASK = "(masked)"
CERTIFICATE = "(certificate)"

_PUBLIC_CONFIG_LINES = re.compile(
    r"(?:arm_64bit|arm_boost|camera_auto_detect|disable_overscan|display_auto_detect|enable_uart|gpu_mem|"
    r"hdmi_(?:drive|force_hotplug|group|mode)|max_framebuffers|uart_2ndstage)=\d{1,4}"
    r"|dtoverlay=(?:disable-bt|disable-wifi|dwc2|miniuart-bt|vc4-f?kms-v3d)"
    r"|dtparam=(?:audio|i2c_arm|pciex1|spi|watchdog)(?:=(?:on|off))?"
    r"|\[(?:all|none|cm[0-9][a-z]?|pi[0-9]{1,3}\+?)\]",
    re.ASCII,
)
"""Lines of a Raspberry Pi's ``config.txt`` that are no secrets (documentation of config.txt)."""


def masked(plan: Plan) -> Plan:
    """Return a plan that may be shown, but for its configuration. Of a script that the fleet gives only the commands stay."""
    if isinstance(plan, ServePiFiles):
        lines = (line if _PUBLIC_CONFIG_LINES.fullmatch(line) else f"# {MASK}" for line in plan.config_lines)
        arguments = tuple(map(mask_argument, plan.kernel_args))
        return replace(plan, config_lines=tuple(lines), kernel_args=arguments)
    if not isinstance(plan, RunScript):
        return plan
    edits = {"script": mask_script, "kernel_args": mask_arguments}
    values = {key: edits[key](str(value)) if key in edits else value for key, value in plan.values.items()}
    return replace(plan, values=values)


def mask_configuration(text: str) -> str:
    """Return what ``masked_yaml.mask_configuration`` does."""
    from iluvatar_pxe.replies import masked_yaml  # noqa: PLC0415 - 1.4 MiB of ruamel.yaml, until a plan is shown

    return masked_yaml.mask_configuration(text)


def mask_argument(argument: str) -> str:
    """Return a kernel argument if its name and its value are known to be no secret, else ``MASK``."""
    name, equals, value = argument.partition("=")
    if name not in KERNEL_ARGUMENTS:
        return MASK
    pattern = KERNEL_ARGUMENTS[name]
    if pattern is None:
        return MASK if equals else argument
    return argument if equals and re.fullmatch(pattern, value, re.ASCII) else MASK


def mask_arguments(line: str) -> str:
    """Return a kernel's command line with its public arguments."""
    return " ".join(map(mask_argument, line.split()))


def mask_script(script: str) -> str:
    """Return the commands of an iPXE script."""
    return "".join(_command(line) for line in script.splitlines(keepends=True))


def _command(line: str) -> str:
    words = line.split()
    if not words:
        return line
    indent = line[: len(line) - len(line.lstrip())]
    shown = [words[0] if words[0] in IPXE_COMMANDS else MASK, *([MASK] if len(words) > 1 else [])]
    return indent + " ".join(shown) + _ending(line)


def _ending(line: str) -> str:
    return "\n" if line.endswith("\n") else ""
