"""cloud-init's schema, read from the package's data when it is first asked for."""

from functools import cache

from iluvatar_pxe.layers.ainur.schema import CloudConfigSchema
from iluvatar_pxe.resources import read_cloud_config_schema


@cache
def cloud_config_schema() -> CloudConfigSchema:
    """Return the schema of a cloud-config; blocks the first time. Raises OSError."""
    return CloudConfigSchema(read_cloud_config_schema())
