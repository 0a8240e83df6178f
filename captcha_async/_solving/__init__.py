"""One task's way from createTask to its answer."""
