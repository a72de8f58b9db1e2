"""Text in which no character breaks a line or obeys a terminal."""


def printable(text: str) -> str:
    """Write out what would break a line: names and values may hold any character."""
    return "".join(char if char.isprintable() else ascii(char)[1:-1] for char in text)
