"""What the tests of shared accounts have in common."""

from __future__ import annotations

import gc
import warnings
from collections.abc import Generator

import pytest


@pytest.fixture(autouse=True)
def streams_of_coredis(request: pytest.FixtureRequest) -> Generator[None]:
    """Let go of the streams that coredis 6 leaves unclosed, before another test is blamed."""
    yield
    if request.node.get_closest_marker("real_time") is not None:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "Unclosed <MemoryObject", ResourceWarning)
            gc.collect()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Ignore that warning within these tests, too."""
    for item in items:
        if "sharing" in item.path.parts:
            item.add_marker(
                pytest.mark.filterwarnings("ignore:Unclosed <MemoryObject:ResourceWarning")
            )
