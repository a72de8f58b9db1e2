"""Bytes as people read them. Pure."""


def amount(octets: float) -> str:
    """Return bytes with three digits and a decimal unit."""
    for unit in ("B", "kB", "MB"):
        if octets < 999.5:
            return f"{octets:.0f} {unit}" if unit == "B" or octets >= 99.95 else f"{octets:.1f} {unit}"
        octets /= 1000
    return f"{octets:.1f} GB"
