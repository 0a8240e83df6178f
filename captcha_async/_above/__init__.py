"""What stands above one call: attempts until an answer is taken, and tokens in advance."""
