"""When to poll. Pure: no I/O, no clock, `now` is an argument."""
