"""Who calls wrongly too often is shut out for a while, and for longer if the calls go on."""

from __future__ import annotations

import math
from collections import defaultdict, deque

__all__ = ["BAN_AFTER", "Bans"]

BAN_AFTER = 50
"""Wrong calls of one kind within a ban window that lead to a ban.

The services say only "many"; the number is the emulator's.
"""


class Bans:
    """The ban of the caller; all callers of an emulator count as one address."""

    def __init__(self, window: float) -> None:
        self._window = window
        self._until = -math.inf
        # The times of the last wrong calls, by kind.
        self._strikes: defaultdict[str, deque[float]] = defaultdict(lambda: deque(maxlen=BAN_AFTER))

    def strike(self, kind: str, now: float) -> None:
        """Count a wrong call; too many of one kind are a ban."""
        strikes = self._strikes[kind]
        strikes.append(now)
        if len(strikes) == BAN_AFTER and now - strikes[0] <= self._window:
            self.ban(now)

    def ban(self, now: float) -> None:
        """Shut the caller out from now on."""
        self._until = now + self._window
        self._strikes.clear()

    def refuses(self, now: float) -> bool:
        """Whether the caller is shut out; a call during a ban starts its window anew."""
        if now >= self._until:
            return False
        self._until = now + self._window
        return True
