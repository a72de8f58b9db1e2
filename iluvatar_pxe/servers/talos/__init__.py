"""What Talos machines report to: the event sink, and the receiver of kernel logs."""
