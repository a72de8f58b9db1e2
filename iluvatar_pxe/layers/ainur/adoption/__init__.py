"""A k3s cluster that exists becomes files of the fleet: what its API tells, what is taken of that, and what is not."""
