"""The boot decision: from the request and the fleet to what is served."""
