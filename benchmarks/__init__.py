"""What is measured: `make freeze-study`."""
