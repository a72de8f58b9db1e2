"""A layer's name as a field: commands load this without the fields of the fleet's files."""

from typing import Annotated

from pydantic import AfterValidator

from iluvatar_pxe.declared.shapes import hint
from iluvatar_pxe.fleet.fields.names import HOST_NAME, MOST_OF_LAYER, is_layer_name

_NO_LAYER_NAME = f"is not a layer name; use a-z, 0-9 and '-', at most {MOST_OF_LAYER} characters"


def _layer_name(value: str) -> str:
    if not is_layer_name(value):
        raise ValueError(_NO_LAYER_NAME)
    return value


LayerName = Annotated[
    str, AfterValidator(_layer_name), hint(HOST_NAME.pattern, _NO_LAYER_NAME, maxLength=MOST_OF_LAYER)
]
