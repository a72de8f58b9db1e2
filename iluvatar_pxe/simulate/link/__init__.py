"""How a simulated machine is on the network."""
