"""The walk of one solve stays short: few calls from room to room, hardly one of them up."""

from __future__ import annotations

import sys

import pytest
from test_layers import RANK
from walk import Walk, service, trace

# Each call up the layers, and why there is no other way.
UPWARD = {
    # Only the transport knows when the first byte may leave; from then on nothing may cut the
    # request off, which only the submission can see to.
    ("_transport", "_solving._submit._Request._sending"),
}

MOST_EDGES = 60
MOST_FRAMES = 14


@pytest.fixture(scope="module")
def walk() -> Walk:
    """Trace one solve over a real socket."""
    import anyio

    if sys.getprofile() is not None:
        pytest.skip("something else profiles this process")
    with service() as url:
        return anyio.run(trace, url)


def test_a_solve_goes_from_room_to_room_a_few_times_only(walk: Walk) -> None:
    """Who reads it has to remember no more than that."""
    assert len(walk.edges) <= MOST_EDGES


def test_no_call_goes_up_but_those_that_are_explained(walk: Walk) -> None:
    """A callback as wiring would be one."""
    upward = {
        (calling, name)
        for calling, _, called, name in walk.edges
        if RANK.get(called, 0) > RANK.get(calling, 0)
    }
    assert upward <= UPWARD


def test_a_poll_awaits_a_few_functions_only(walk: Walk) -> None:
    """From the user's call down to the bytes."""
    assert walk.poll[0] == "_client.CaptchaClient.solve"
    assert len(walk.poll) <= MOST_FRAMES, walk.poll
