"""A process of its own for what speaks HTTP to BMCs and plugs: its libraries are large, and are loaded only there."""
