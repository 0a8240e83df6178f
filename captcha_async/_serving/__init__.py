"""What it takes to listen inside the caller's event loop."""
