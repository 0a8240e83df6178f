"""The rules for the fuse: blown for one it is blown for all, and one probe may close it again.

A ban that hits an address is that of one egress; all others are the account's. Each state of a
fuse has a number that grows, so that everybody can tell the newer of two.
"""

from __future__ import annotations

from ._messages import Mail, Report
from ._state import Fuse, State

__all__ = ["fuse_facts", "settle_fuse"]

CLOSED, WAIT, GO = -1, 0, 1


def settle_fuse(state: State, me: str, report: Report, mails: list[Mail]) -> int:
    """Do what a member tells of a fuse, and return the answer to a probe."""
    scope = report.fuse_scope
    match report.fuse_do:
        case "blow":
            fuse = state.fuses.setdefault(scope, Fuse())
            fuse.until = max(state.now + report.fuse_span, fuse.until if fuse.error else 0)
            fuse.error, fuse.prober = report.fuse_error, ""
            _tell(state, scope, fuse, mails)
        case "tell":
            fuse = state.fuses.setdefault(scope, Fuse())
            if report.fuse_number > fuse.number:
                fuse.number, fuse.error = report.fuse_number, report.fuse_error
                fuse.until, fuse.prober = state.now + report.fuse_span, ""
        case "close":
            fuse = state.fuses.get(scope, Fuse())
            if fuse.error and report.fuse_number in (-1, fuse.number):
                fuse.error, fuse.until, fuse.prober = "", 0, ""
                _tell(state, scope, fuse, mails)
        case "probe":
            return _probe(state, me, state.fuses.get(scope, Fuse()), report.fuse_span)
        case _:
            pass
    return WAIT


def _tell(state: State, scope: str, fuse: Fuse, mails: list[Mail]) -> None:
    fuse.number = state.version
    span = max(0, fuse.until - state.now)
    mails.append(Mail("*", f"fuse {fuse.number} {span} {scope or '-'} {fuse.error}"))


def _probe(state: State, me: str, fuse: Fuse, span: int) -> int:
    if not fuse.error:
        return CLOSED
    if state.now < fuse.until or (fuse.prober not in ("", me) and state.now < fuse.probe_until):
        return WAIT
    fuse.prober, fuse.probe_until = me, state.now + span
    return GO


def fuse_facts(state: State, scope: str) -> tuple[int, int, str]:
    """Return a fuse's number, what is left of the ban, and what blew it."""
    fuse = state.fuses.get(scope)
    if fuse is None:
        return 0, 0, ""
    return fuse.number, max(0, fuse.until - state.now), fuse.error
