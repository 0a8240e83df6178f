"""`captcha-async bench`: throughput and latency over levels of concurrency."""
