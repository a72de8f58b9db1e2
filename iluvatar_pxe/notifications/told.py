"""What was told, so that nothing is told twice, also after a restart. Pure."""

import hashlib
import json

from iluvatar_pxe.bounded import Recent
from iluvatar_pxe.notifications.news import News, Teller

MOST_TOLD = 4096
"""Things remembered; the one told least lately goes first."""
QUIET_SECONDS = 24 * 3600.0
"""After which the same is news again: it still is so, or is so again."""
_CONFIGURED = "configured"


class Told:
    """By kind and subject, what was told last. Times are the wall clock's, which may jump, in seconds."""

    def __init__(self) -> None:
        self._told: Recent[str, tuple[str, str, float]] = Recent(MOST_TOLD)

    def configured(self, subject: str, now: float) -> None:
        """Take in that this daemon gave a machine its configuration."""
        self._put(f"{_CONFIGURED}:{subject}", "", now)

    def is_news(self, news: News, now: float) -> bool:
        """Say whether it is to be told, and remember it then; whether it is another daemon's turn is not asked here."""
        if news.teller is Teller.CONFIGURED and f"{_CONFIGURED}:{news.about}" not in self._told:
            return False
        key, mark = f"{news.kind}:{news.about}", _mark(news.cause)
        last = self._told.get(key)
        if last and last[1] == mark and abs(now - last[2]) < QUIET_SECONDS:
            return False
        self._put(key, mark, now)
        return True

    def document(self) -> bytes:
        """Return it as JSON."""
        return json.dumps({"told": list(self._told.values())}).encode()

    @classmethod
    def of(cls, document: bytes) -> "Told":
        """Return what a document says; raises ValueError for any other."""
        told = cls()
        try:
            for key, mark, at in json.loads(document)["told"]:
                told._put(str(key), str(mark), float(at))
        except (KeyError, TypeError, RecursionError) as error:
            raise ValueError("not a document of what was told") from error
        return told

    def _put(self, key: str, mark: str, at: float) -> None:
        self._told.put(key, (key, mark, at))


def _mark(cause: str) -> str:
    return hashlib.sha256(cause.encode()).hexdigest()[:16]
