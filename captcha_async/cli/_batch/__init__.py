"""`captcha-async batch`: tasks from a file or pipe, results into another."""
