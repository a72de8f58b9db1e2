"""What Prometheus reads at ``/metrics``: families made of plain numbers when they are asked for."""
