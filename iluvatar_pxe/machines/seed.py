"""What a machine was given to configure itself with, and whether it has swapped its ticket for secrets."""

from msgspec import Struct


class Seed(Struct, frozen=True):
    """``boot`` is the machine's boot in which it got its cloud-init documents last, with the ticket in them.

    ``is_spent``: it has stored the secrets that the ticket was swapped for, so the ticket gives nothing any more.
    """

    boot: int = 0
    is_spent: bool = False

    def in_boot(self, boot: int) -> "Seed":
        """Return the seed after documents were given in a boot; those of an earlier one are of no use from then on."""
        return self if boot <= self.boot else Seed(boot)

    def is_good_for(self, boot: int) -> bool:
        """Say whether the ticket of a boot still gives secrets."""
        return boot == self.boot and not self.is_spent
