"""What one key at one service may do, and the way to it."""
