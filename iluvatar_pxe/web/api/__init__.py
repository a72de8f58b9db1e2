"""``/api/v1`` over the network: the commands of the control socket, events, and what describes them."""
