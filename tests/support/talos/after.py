"""What comes after a boot."""

from enum import Enum, auto


class After(Enum):
    REBOOT = auto()
    OFF = auto()
