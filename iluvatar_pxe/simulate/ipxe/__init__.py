"""iPXE, played."""
