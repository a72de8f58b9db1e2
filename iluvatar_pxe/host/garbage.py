"""Python's garbage collection in a long-lived process."""

import gc


def freeze_garbage() -> None:
    """Exempt what there is by now from garbage collection: looking through it stopped everything for 0.1 s with 1,000 machines."""
    gc.collect()
    gc.freeze()
