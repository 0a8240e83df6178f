"""Many tasks at once, and taking them up again."""
