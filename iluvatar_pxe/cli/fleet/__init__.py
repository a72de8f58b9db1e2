"""``iluvatar-pxe fleet``."""
