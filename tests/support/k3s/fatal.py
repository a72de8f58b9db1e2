"""The two ways in which k3s takes a fault: a server ends and systemd starts it again, an agent tries again."""


class FatalError(Exception):
    """K3s ends with these words in the journal."""


class RequestError(Exception):
    """A server refused, or was not reached."""

    def __init__(self, message: str, status: int = 0) -> None:
        super().__init__(message)
        self.status = status
