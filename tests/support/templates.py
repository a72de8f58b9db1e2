"""What is made of the templates in ``boot_assets``."""

from iluvatar_pxe.replies.ipxe import Scripts
from iluvatar_pxe.replies.raspberry_pi import PiTexts
from iluvatar_pxe.resources import read_templates

IPXE = Scripts(read_templates("ipxe"))
PI_TEXTS = PiTexts(read_templates("raspberry-pi"))
