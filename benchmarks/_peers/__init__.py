"""One small driver for each client that `benchmarks.peers` measures, and what runs them."""
