"""All rules for values, of every subject. Pure."""

from collections.abc import Iterator, Mapping, Sequence
from functools import cache

from iluvatar_pxe.layers.arda.checks import kubernetes, network, system, volumes
from iluvatar_pxe.layers.arda.checks.rule import Check, Rules, at
from iluvatar_pxe.layers.arda.documents import Contract, Document
from iluvatar_pxe.layers.arda.schema import Finding

_ALWAYS = (network.RULES, volumes.RULES, system.RULES, kubernetes.RULES)
_TABLES: Mapping[Contract, Sequence[Rules]] = {
    Contract.V1_13: _ALWAYS,
    Contract.V1_14: (*_ALWAYS, volumes.IN_1_14, kubernetes.IN_1_14),
}


def value_faults(document: Document, contract: Contract) -> Iterator[Finding]:
    """Yield what Talos would refuse of a document's values, which its schema allows."""
    for check in _checks(str(document.get("kind") or ""), contract):
        yield from check(document)


@cache
def _checks(kind: str, contract: Contract) -> tuple[Check, ...]:
    return tuple(at(path, check) for rules in _TABLES[contract] for path, check in rules.get(kind, ()))
