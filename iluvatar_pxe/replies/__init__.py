"""From a Plan to what goes over the wire."""
