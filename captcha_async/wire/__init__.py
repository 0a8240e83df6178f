"""Task models to JSON objects and back; the replies of the protocol. No I/O, no HTTP library."""

from __future__ import annotations

from ._models import dump_request, dump_task, load_solution, load_task

__all__ = ["dump_request", "dump_task", "load_solution", "load_task"]
