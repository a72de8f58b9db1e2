"""The boot decision: who asks, what the fleet says, and so what is served."""
