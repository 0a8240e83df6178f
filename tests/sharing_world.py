"""A fleet on paper: members that keep to their grants, and a network that loses and delays."""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Callable

import attrs

from captcha_async._sharing._messages import SECOND, Ask, Grant, Mail, Report, Terms
from captcha_async._sharing._rules import exchange
from captcha_async._sharing._state import State

__all__ = ["PaperMember", "World", "history", "step"]


@attrs.define(eq=False)
class PaperMember:
    """The least that a member has to keep to, without any I/O."""

    name: str
    terms: Terms
    version: int = 0
    born: int = 0
    joined: int = 0
    targets: list[int] = attrs.field(factory=lambda: [0, 0, 0])
    lease_end: int = -1
    """On the member's own clock, counted from when it has sent the report."""
    used: int = 0
    wants: int = 0
    """Slots that are waited for."""
    turns: tuple[deque[int], deque[int]] = attrs.field(factory=lambda: (deque(), deque()))
    """Moments of the submits and requests within their windows."""
    wants_turns: int = 0
    refused: int = -1
    epoch: int = 0
    capacity: int = 0
    successes: int = 0
    spent: int = 0
    acknowledged: int = 0
    lent: int = 0
    returned: int = 0
    reserved: int = 0
    money: int = 0
    known: int = 0

    def in_force(self, now: int) -> list[int]:
        """The shares that may be used now."""
        return self.targets if now < self.lease_end else [0, 0, 0]

    def take(self, now: int) -> bool:
        """Take a slot if the share allows."""
        if self.used >= self.in_force(now)[0]:
            return False
        self.used += 1
        return True

    def turn(self, pool: int, now: int) -> bool:
        """Take a turn of a rate if the share allows."""
        self._drop_old(now)
        if len(self.turns[pool - 1]) >= self.in_force(now)[pool]:
            return False
        self.turns[pool - 1].append(now)
        return True

    def _drop_old(self, now: int) -> None:
        windows = (self.terms.submits_window, self.terms.requests_window)
        for turns, window in zip(self.turns, windows, strict=True):
            while turns and turns[0] + window <= now:
                turns.popleft()

    @property
    def left(self) -> int:
        """Money that may yet be set aside."""
        return self.lent - self.spent - self.returned - self.reserved

    def report(self, now: int, *, spare: int = 0, leaving: bool = False) -> Report:
        """Tell how things stand."""
        self._drop_old(now)
        had = self.in_force(now)
        submits, requests = map(len, self.turns)
        waiting, turns = (0, 0) if leaving else (self.wants, self.wants_turns)
        return Report(
            version=self.version,
            born=self.born,
            joined=self.joined,
            leaving=leaving,
            terms=self.terms,
            asks=(
                Ask(used=self.used, firm=self.used + waiting, spare=spare, had=had[0]),
                Ask(used=submits, firm=submits + turns, spare=spare, had=had[1]),
                Ask(used=requests, firm=requests + turns, spare=spare, had=had[2]),
            ),
            successes=self.successes,
            refused=self.refused,
            crowd=self.used,
            capacity=self.capacity,
            spent=self.spent,
            acknowledged=self.acknowledged,
            lent=self.lent,
            returned=self.returned,
            money=self.money,
            least=min(self.money, 1),
            known=self.known,
        )

    def granted(self, grant: Grant, sent: int) -> None:
        """Keep to a grant from now on."""
        self.lease_end = max(self.lease_end, sent + grant.lease)
        self.lent = max(self.lent, grant.lent)
        self.acknowledged = max(self.acknowledged, grant.acknowledged)
        self.known, self.epoch, self.capacity = grant.spent, grant.epoch, grant.capacity
        if self.refused < grant.epoch:
            self.refused = -1
        if grant.version > self.version:
            self.version, self.born, self.joined = grant.version, grant.born, grant.joined
            self.targets = [10**9 if share < 0 else share for share in grant.shares]

    def received(self, mail: Mail) -> None:
        """Keep to a share that has grown by message."""
        kind, *rest = mail.text.split(" ")
        if kind == "share":
            version, pool, share = map(int, rest)
            if version > self.version:
                self.version = version
                self.targets[pool] = share


@attrs.define(eq=False)
class World:
    """A store, its members, and what is under way between them."""

    terms: Terms
    now: int = 1_000_000 * SECOND
    state: State = attrs.field(factory=State)
    members: dict[str, PaperMember] = attrs.field(factory=dict)
    replies: list[tuple[PaperMember, Grant, int]] = attrs.field(factory=list)
    mails: list[Mail] = attrs.field(factory=list)
    calls: list[tuple[int, str, Report, Grant, list[Mail]]] = attrs.field(factory=list)
    """All exchanges, to be held against another store."""
    made: int = 0

    def join(self, terms: Terms | None = None) -> PaperMember:
        """A new member; it knows nothing yet."""
        self.made += 1
        member = PaperMember(f"m{self.made}", terms or self.terms)
        self.members[member.name] = member
        return member

    def send(self, member: PaperMember, report: Report) -> tuple[Grant, list[Mail]]:
        """Let the store have a report."""
        grant, mails = exchange(self.state, self.now, member.name, report)
        self.calls.append((self.now, member.name, report, grant, mails))
        self.mails += [mail for mail in mails if mail.to != "*"]
        return grant, mails

    def touch(self, member: PaperMember, **options: int | bool) -> Grant:
        """One exchange of which nothing is lost."""
        report = member.report(self.now, **options)  # pyright: ignore[reportArgumentType]
        grant, _ = self.send(member, report)
        member.granted(grant, self.now)
        return grant

    def wait(self, span: int, *living: PaperMember) -> None:
        """Let a time pass in which some members report once a second."""
        end = self.now + span
        while self.now < end:
            self.now = min(end, self.now + SECOND)
            for member in living:
                self.touch(member)

    def deliver(self) -> None:
        """Let all messages and replies arrive."""
        mails, self.mails = self.mails, []
        for mail in mails:
            if mail.to in self.members:
                self.members[mail.to].received(mail)
        replies, self.replies = self.replies, []
        for member, grant, sent in replies:
            member.granted(grant, sent)

    def round(self, seconds: float = 1.0) -> None:
        """Each member reports once, in an order that stays; the time goes on evenly.

        Who has less than before tells again at once, as members do.
        """
        members = list(self.members.values())
        for member in members:
            self.now += int(seconds * SECOND / len(members))
            had = member.in_force(self.now)[0]
            if self.touch(member).slots < had:
                member.used = min(member.used, member.targets[0])
                self.touch(member)
            self.deliver()
            for _ in range(member.wants):
                if member.take(self.now):
                    member.wants -= 1

    def in_force(self, pool: int) -> int:
        """What all members together may have in use now, or have."""
        total = 0
        for member in self.members.values():
            used = member.used if pool == 0 else len(member.turns[pool - 1])
            total += max(used, member.in_force(self.now)[pool])
        return total

    def check_sums(self) -> None:
        """The sums that the rules keep up are those of the members."""
        for index, pool in enumerate(self.state.pools):
            holds = [entry.holds[index] for entry in self.state.members.values()]
            assert pool.total == sum(hold.booked for hold in holds)
            assert pool.used == sum(hold.used for hold in holds)
            assert pool.sated == sum(hold.want for hold in holds if hold.booked >= hold.want)
            assert pool.thirsty == sum(hold.booked < hold.want for hold in holds)
            assert set(pool.queue) <= self.state.members.keys()
        entries = self.state.members.values()
        assert self.state.lent == sum(entry.outstanding for entry in entries)
        assert self.state.live == sum(not entry.gone for entry in entries)


def history(rng: random.Random, world: World, steps: int, check: Callable[[], None]) -> None:
    """Let a fleet live: members come, work, crash, sleep and leave; the network does its worst."""
    for _ in range(steps):
        step(rng, world)
        check()


def step(rng: random.Random, world: World) -> None:
    """One thing that may happen."""
    members = list(world.members.values())
    if not members or (rng.random() < 0.03 and len(members) < 12):
        world.join()
        return
    member = rng.choice(members)
    what = rng.random()
    if what < 0.15:
        member.wants, member.wants_turns = rng.choice([0, 1, 2, 5, 50]), rng.choice([0, 1, 3, 9])
    elif what < 0.4:
        _work(rng, world, member)
    elif what < 0.75:
        _talk(rng, world, member)
    elif what < 0.85:
        world.deliver()
    elif what < 0.88 and world.replies:
        world.replies.pop(rng.randrange(len(world.replies)))
    elif what < 0.91 and world.mails:
        world.mails.pop(rng.randrange(len(world.mails)))
    elif what < 0.92:
        del world.members[member.name]
    elif what < 0.93:
        world.touch(member, leaving=True)
        del world.members[member.name]
    elif what < 0.94:
        world.now += rng.randrange(15 * SECOND)
    else:
        world.now += rng.randrange(SECOND // 2)


def _work(rng: random.Random, world: World, member: PaperMember) -> None:
    while member.wants and rng.random() < 0.9 and member.take(world.now):
        member.wants -= 1
    while member.wants_turns and rng.random() < 0.7 and member.turn(1, world.now):
        member.turn(2, world.now)
        member.wants_turns -= 1
    if member.left > 0 and rng.random() < 0.5:
        member.reserved += rng.randint(1, member.left)
    if member.reserved and rng.random() < 0.5:
        cost = rng.randint(1, member.reserved)
        member.reserved -= cost
        if rng.random() < 0.8:
            member.spent += cost
    if member.left > 0 and rng.random() < 0.1:
        member.returned += member.left
    member.money = rng.choice([0, 0, 10, 1000])
    if member.used and rng.random() < 0.5:
        ended = rng.randint(1, member.used)
        member.used -= ended
        member.successes += ended
    if member.used and rng.random() < 0.02:
        member.refused = member.epoch


def _talk(rng: random.Random, world: World, member: PaperMember) -> None:
    report = member.report(world.now, spare=rng.choice([0, 0, 5]))
    sent = world.now
    if rng.random() < 0.1:
        world.now += rng.randrange(SECOND)
    if rng.random() < 0.05:
        return
    grant, _ = world.send(member, report)
    if rng.random() < 0.2:
        world.replies.append((member, grant, sent))
    elif rng.random() < 0.9:
        member.granted(grant, sent)
