"""``iluvatar-pxe machines``."""
