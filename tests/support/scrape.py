"""``/metrics`` of a daemon, read by the parser of ``prometheus_client``."""

from dataclasses import dataclass
from typing import Self

from prometheus_client.parser import text_string_to_metric_families
from support.daemon import Daemon


@dataclass(frozen=True)
class Scrape:
    """All samples of one moment; names are without ``iluvatar_pxe_``."""

    text: str

    @classmethod
    def of(cls, daemon: Daemon) -> Self:
        status, body = daemon.get("/metrics")
        assert status == 200, body
        return cls(body.decode())

    @property
    def families(self) -> set[str]:
        """The names of all families, as they are written in documentation."""
        families = text_string_to_metric_families(self.text)
        return {one.name + ("_total" if one.type == "counter" else "") for one in families}

    @property
    def names(self) -> set[str]:
        """The full names of all samples and families: one without samples yet is there, too."""
        families = list(text_string_to_metric_families(self.text))
        suffixes = ("_bucket", "_sum", "_count")
        return self.families | {
            one.name + suffix for one in families if one.type == "histogram" for suffix in suffixes
        }

    def all(self, name: str, **labels: str) -> dict[tuple[tuple[str, str], ...], float]:
        """Return the samples that have these labels, by all labels that they have."""
        return {
            tuple(sorted(sample.labels.items())): sample.value
            for family in text_string_to_metric_families(self.text)
            for sample in family.samples
            if sample.name == f"iluvatar_pxe_{name}" and labels.items() <= sample.labels.items()
        }

    def sum(self, name: str, **labels: str) -> float:
        """Return the sum of the samples that have these labels; 0 where there are none."""
        return sum(self.all(name, **labels).values())
