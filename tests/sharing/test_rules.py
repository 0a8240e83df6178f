"""The rules of a shared account: what they promise, one by one and over random histories."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from sharing_world import PaperMember, World, step

from captcha_async._sharing._messages import SECOND, Ask, Mail, Report, Terms
from captcha_async._sharing._rules import exchange
from captcha_async._sharing._state import Entry, Members, State

LEASE = 10 * SECOND


def world(**terms: int) -> World:
    """A fleet with a lease of ten seconds."""
    return World(Terms(**{"in_flight": 100, **terms}))


def hungry(fleet: World, wants: int, count: int = 1) -> list[PaperMember]:
    """Members that want slots."""
    members = [fleet.join() for _ in range(count)]
    for member in members:
        member.wants = wants
    return members


def busy(fleet: World, member: PaperMember, wants: int) -> None:
    """Let a member have *wants* slots in use."""
    member.wants = wants
    fleet.touch(member)
    while member.take(fleet.now):
        member.wants -= 1
    fleet.touch(member)


# -- slots ------------------------------------------------------------------------------------


def test_one_member_gets_all() -> None:
    """A member that is alone has the whole account."""
    fleet = world()
    busy(fleet, fleet.join(), 150)
    assert fleet.state.pools[0].total == 100
    assert next(iter(fleet.members.values())).used == 100


def test_shares_are_max_min_fair_within_seconds() -> None:
    """Who wants little has it, the others divide the rest evenly, after six rounds of reports."""
    fleet = world()
    first, *rest = hungry(fleet, 1000, 4)
    fleet.touch(first)
    small = fleet.join()
    small.wants = 4
    for _ in range(6):
        fleet.round()
        for member in (first, *rest):
            # Solves end all the time, so that who has too much can shrink.
            member.used = min(member.used, member.targets[0])
            member.wants = 1000
    assert small.used == 4
    assert sorted(member.targets[0] for member in (first, *rest)) == [24, 24, 24, 24]
    assert first.used == 24


def test_who_has_its_fair_share_does_not_wait() -> None:
    """A member at the level is not in the queue, so that those below it are served first."""
    fleet = world(in_flight=90)
    members = hungry(fleet, 1000, 3)
    for _ in range(4):
        fleet.round()
        for member in members:
            member.used = min(member.used, member.targets[0])
    assert [member.targets[0] for member in members] == [30, 30, 30]
    assert not fleet.state.pools[0].queue


def test_more_members_than_slots_take_turns() -> None:
    """Each of ten members gets one of three slots, in turn, and none twice before all had one."""
    fleet = world(in_flight=3)
    members = hungry(fleet, 1, 10)
    served: list[str] = []
    for _ in range(10):
        for member in members:
            fleet.now += SECOND // 20
            fleet.touch(member)
            fleet.deliver()
        for member in members:
            if member.take(fleet.now):
                served.append(member.name)
                member.wants, member.used = 0, 0
        if len(served) >= 10:
            break
        assert fleet.in_force(0) <= 3
    assert sorted(served[:10]) == sorted(member.name for member in members)


def test_shrinking_is_free_only_when_told_under_the_new_share() -> None:
    """Between a smaller grant and the next report the member may still use what it had."""
    fleet = world(in_flight=10)
    old, new = fleet.join(), fleet.join()
    old.wants = 10
    fleet.touch(old)
    new.wants = 10
    fleet.touch(new)
    old.wants = 0
    report = old.report(fleet.now)
    grant, _ = fleet.send(old, report)
    assert grant.slots == 0
    # It has not seen this yet, and takes what it had.
    while old.take(fleet.now):
        pass
    assert fleet.touch(new).slots == 0
    assert old.used == 10


def test_a_grant_whose_reply_was_lost_counts_as_held() -> None:
    """What a member may be about to learn is not given to another."""
    fleet = world(in_flight=10)
    deaf, other = hungry(fleet, 10, 2)
    fleet.send(deaf, deaf.report(fleet.now))
    assert fleet.touch(other).slots == 0


def test_a_share_under_way_by_message_counts_as_held() -> None:
    """A slot that was handed over is booked before the message arrives, and if it never does."""
    fleet = world(in_flight=1)
    first, second = hungry(fleet, 1, 2)
    fleet.touch(first)
    assert first.take(fleet.now)
    fleet.touch(second)
    first.wants, first.used = 0, 0
    # It gives the slot back in two steps: told, then told again under the new share.
    fleet.touch(first)
    fleet.touch(first)
    assert [mail.to for mail in fleet.mails] == [second.name]
    fleet.mails.clear()
    third = hungry(fleet, 1)[0]
    assert fleet.touch(third).slots == 0
    assert fleet.touch(second).slots == 1


def test_what_a_killed_member_held_is_free_after_its_lease_not_before() -> None:
    """A killed process's slots come free when its lease ends."""
    fleet = world(in_flight=10)
    busy(fleet, fleet.join(), 10)
    other = hungry(fleet, 10)[0]
    fleet.wait(LEASE, other)
    assert fleet.touch(other).slots == 0
    fleet.now += 1
    assert fleet.touch(other).slots == 10


def test_a_store_that_was_away_does_not_take_the_living_for_dead() -> None:
    """After an outage longer than the lease nobody's share is given away before it could report."""
    fleet = world(in_flight=10)
    first, second = fleet.join(), fleet.join()
    busy(fleet, first, 4)
    busy(fleet, second, 6)
    first.wants = 6
    fleet.now += 3 * LEASE
    fleet.touch(first)
    fleet.now += SECOND
    assert second.name in fleet.state.members
    assert fleet.touch(second).slots == 6
    del fleet.members[second.name]
    fleet.wait(3 * SECOND, first)
    assert first.targets[0] == 4
    fleet.wait(LEASE, first)
    assert first.targets[0] == 10


def test_what_was_kept_beyond_the_lease_is_no_right() -> None:
    """Who comes back after its lease gets what is free, also by a report that came late."""
    fleet = world(in_flight=10)
    late, other = fleet.join(), fleet.join()
    busy(fleet, late, 4)
    old = late.report(fleet.now)
    busy(fleet, other, 6)
    other.wants = 4
    fleet.wait(LEASE + SECOND, other)
    assert other.targets[0] == 10
    other.used, other.wants = 10, 0
    grant, _ = fleet.send(late, old)
    assert grant.slots == 0
    late.used, late.wants = 0, 4
    fleet.touch(late)
    assert fleet.touch(late).slots == 0
    other.used = 6
    fleet.touch(other)
    fleet.touch(other)
    fleet.deliver()
    assert late.targets[0] == 4


def test_what_a_member_leaves_behind_counts_for_a_lease() -> None:
    """Tasks that are in flight when a member leaves take slots for a while; the rest is free."""
    fleet = world(in_flight=10)
    going = fleet.join()
    busy(fleet, going, 10)
    going.used = 3
    other = hungry(fleet, 10)[0]
    fleet.touch(other)
    fleet.touch(going, leaving=True)
    fleet.deliver()
    assert other.targets[0] == 7
    fleet.now += LEASE + 1
    assert fleet.touch(other).slots == 10
    assert fleet.state.members.keys() == {other.name}


def test_one_refusal_lowers_the_capacity_for_all() -> None:
    """A refusal sets the capacity to what was in use; what was sent before tells nothing new."""
    fleet = world()
    first, second = fleet.join(), fleet.join()
    busy(fleet, first, 40)
    busy(fleet, second, 30)
    first.refused, first.epoch = 0, 0
    assert fleet.touch(first).capacity == 70
    late = second.report(fleet.now)
    second.refused = 0
    fleet.touch(second)
    assert fleet.state.limit == 70_000
    assert late.refused == -1
    second.successes += 70
    fleet.touch(second)
    assert fleet.state.limit == 73_500


def test_after_a_reduction_the_members_come_down_together() -> None:
    """The first to report does not lose all that it has."""
    fleet = world()
    first, second = fleet.join(), fleet.join()
    busy(fleet, first, 50)
    busy(fleet, second, 50)
    fleet.state.limit = 50_000
    first.wants = second.wants = 50
    for _ in range(3):
        for member in (first, second):
            fleet.touch(member)
            member.used = min(member.used, member.targets[0])
    assert (first.targets[0], second.targets[0]) == (25, 25)


def test_spare_slots_are_lent_and_come_back() -> None:
    """A member gets room to grow without asking, and gives it back when another waits."""
    fleet = world()
    first = fleet.join()
    assert fleet.touch(first, spare=60).slots == 50
    second = hungry(fleet, 80)[0]
    _, mails = fleet.send(second, second.report(fleet.now))
    assert Mail("*", "hungry 0 100") in mails
    fleet.touch(first, spare=60)
    fleet.touch(first, spare=60)
    fleet.deliver()
    assert second.targets[0] == 80


def test_the_newest_members_limits_hold() -> None:
    """In a rolling deploy the limits of the newest member hold for all, also after it has gone."""
    fleet = world()
    old = fleet.join()
    busy(fleet, old, 100)
    new = fleet.join(Terms(in_flight=20, cap=5))
    assert fleet.touch(new).capacity == 20
    assert fleet.touch(old).capacity == 20
    del fleet.members[new.name]
    fleet.now += LEASE + 1
    grant = fleet.touch(old)
    assert (grant.capacity, grant.cap) == (20, 5)


# -- a store that forgets -----------------------------------------------------------------------


def test_after_a_loss_of_memory_nobody_gets_more_than_it_had() -> None:
    """Members that rejoin an emptied store keep what they had; newcomers wait for one lease."""
    fleet = world()
    first, second = fleet.join(), fleet.join()
    busy(fleet, first, 60)
    busy(fleet, second, 40)
    first.wants = 40
    fleet.state = State()
    greedy = hungry(fleet, 100)[0]
    fleet.now += SECOND
    assert fleet.touch(first).slots == 60
    assert fleet.touch(greedy).slots == 0
    assert fleet.touch(second).slots == 40
    fleet.now += LEASE // 2
    second.used = second.wants = 0
    for member in (first, second, second, first):
        fleet.touch(member)
    assert first.targets[0] == 60
    fleet.now += LEASE // 2
    for member in (first, first, greedy):
        fleet.touch(member)
    assert (first.targets[0], first.used, greedy.targets[0]) == (50, 60, 40)


def test_a_store_that_knows_nothing_gives_nothing_until_it_has_settled() -> None:
    """A newcomer at an emptied store cannot overtake the members that are there already."""
    fleet = world(settle=2 * SECOND)
    newcomer = hungry(fleet, 100)[0]
    assert fleet.touch(newcomer).slots == 0
    fleet.now += 2 * SECOND
    assert fleet.touch(newcomer).slots == 100


def test_a_store_that_fell_back_to_an_older_state_is_treated_as_forgetful() -> None:
    """After a failover the replica may know less than the members."""
    fleet = world()
    first, second = fleet.join(), fleet.join()
    fleet.touch(first)
    old = fleet.state.dump()
    fleet.now += 1000
    busy(fleet, first, 70)
    busy(fleet, second, 30)
    fleet.state = State.load(old)
    third = hungry(fleet, 100)[0]
    assert fleet.touch(first).slots == 70
    assert fleet.touch(third).slots == 0
    assert fleet.touch(second).slots == 30
    assert fleet.in_force(0) <= 100


def test_a_clock_set_back_stands_still() -> None:
    """Time never goes back; leases neither end early nor last for ever."""
    fleet = world()
    member = fleet.join()
    before = fleet.touch(member).now
    fleet.now -= 3600 * SECOND
    assert fleet.touch(member).now == before
    fleet.now += LEASE
    assert fleet.touch(member).now == before + LEASE


# -- rates --------------------------------------------------------------------------------------


def test_turns_of_a_killed_member_count_for_their_whole_window() -> None:
    """What the dead may have sent within the window is not sent again by others."""
    fleet = world(submits=5, submits_window=60 * SECOND)
    dead = fleet.join()
    dead.wants_turns = 5
    fleet.touch(dead)
    fleet.now += LEASE - 1
    while dead.turn(1, fleet.now):
        pass
    assert len(dead.turns[0]) == 5
    other = fleet.join()
    other.wants_turns = 5
    fleet.wait(2, other)
    assert other.targets[1] == 0
    fleet.wait(59 * SECOND, other)
    assert other.targets[1] == 0
    # The store has not heard of anybody for a while before, and gave the dead two seconds more.
    fleet.wait(4 * SECOND, other)
    assert other.targets[1] == 5


def test_without_a_limit_a_rate_is_free() -> None:
    """-1 stands for no limit; also if the newest member lifts it."""
    fleet = world(submits=3)
    member = fleet.join()
    member.wants_turns = 9
    grant = fleet.touch(member)
    assert (grant.submits, grant.requests) == (3, -1)
    newest = fleet.join(Terms())
    fleet.touch(newest)
    assert fleet.touch(member).submits == -1
    fleet.check_sums()


# -- money --------------------------------------------------------------------------------------


def test_money_is_lent_in_parts_that_shrink_near_the_cap() -> None:
    """Two members get what they want at first, and ever less; in the end nothing is left."""
    fleet = world(cap=1000)
    members = [fleet.join(), fleet.join()]
    parts: list[int] = []
    for _ in range(60):
        for member in members:
            member.money = 400
            before = member.lent
            fleet.touch(member)
            parts.append(member.lent - before)
            member.spent += member.left
    assert parts[0] == 400
    assert parts[-1] == 0
    assert sum(parts) == sum(member.spent for member in members) == 1000


def test_a_lost_reply_lends_once() -> None:
    """The member learns from any later grant what it was lent; nothing is lent twice."""
    fleet = world(cap=1000)
    member = fleet.join()
    member.money = 100
    fleet.send(member, member.report(fleet.now))
    member.money = 0
    grant = fleet.touch(member)
    assert member.left == grant.lent == fleet.state.lent == 100


def test_a_lost_reply_counts_what_was_spent_once() -> None:
    """Sums only grow, so the same report may come twice."""
    fleet = world(cap=1000)
    member = fleet.join()
    member.money = 100
    fleet.touch(member)
    member.money, member.spent = 0, 60
    fleet.send(member, member.report(fleet.now))
    assert fleet.touch(member).spent == 60


def test_what_a_dead_member_was_lent_counts_as_spent() -> None:
    """It may have spent it, and nobody will ever tell."""
    fleet = world(cap=1000)
    dead, other = fleet.join(), fleet.join()
    dead.money = 300
    fleet.touch(dead)
    fleet.wait(LEASE + SECOND, other)
    assert fleet.touch(other).spent == 300
    assert fleet.state.lent == 0


def test_a_member_that_leaves_gives_back_what_it_has_not_spent() -> None:
    """Only what is set aside for tasks in flight counts as spent."""
    fleet = world(cap=1000)
    going, other = fleet.join(), fleet.join()
    going.money = 300
    fleet.touch(going)
    going.money, going.reserved = 0, 20
    going.returned += going.left
    fleet.touch(going, leaving=True)
    assert fleet.touch(other).spent == 20


def test_an_emptied_store_learns_again_what_was_spent() -> None:
    """The members know how much it was, and nothing is lent before all could tell."""
    fleet = world(cap=1000)
    first, second = fleet.join(), fleet.join()
    first.money = 500
    fleet.touch(first)
    first.spent, first.money = 400, 0
    fleet.touch(first)
    fleet.touch(second)
    first.spent += 50
    fleet.state = State()
    second.money = 1000
    grant = fleet.touch(second)
    assert (grant.spent, grant.lent) == (400, 0)
    assert fleet.touch(first).spent == 450
    fleet.now += LEASE
    assert fleet.touch(second).lent <= 1000 - 450 - 50


def test_who_was_refused_money_makes_it_scarce_for_a_while() -> None:
    """Others give back what they do not need when somebody was refused."""
    fleet = world(cap=100)
    first, second = fleet.join(), fleet.join()
    first.money = 100
    for _ in range(10):
        fleet.touch(first)
    assert first.lent == 100
    second.money = 10
    assert fleet.touch(second).scarce == 1
    first.money, first.returned = 0, first.left
    assert fleet.touch(first).scarce == 1
    assert fleet.touch(second).lent > 0


def test_money_counts_for_its_whole_window() -> None:
    """What was spent is free again after the window, never before."""
    fleet = world(cap=100, per=60 * SECOND)
    member = fleet.join()
    member.money = 100
    fleet.touch(member)
    member.spent, member.money = 100, 0
    fleet.touch(member)
    fleet.now += 60 * SECOND - 1
    assert fleet.touch(member).spent == 100
    fleet.now += 1 + SECOND
    assert fleet.touch(member).spent == 0


# -- fuse and pause -------------------------------------------------------------------------------


def tell(fleet: World, name: str, what: str, **details: int | str) -> tuple[int, list[Mail]]:
    """Have a member do something with a fuse."""
    report = Report(terms=fleet.terms, fuse_do=what, **details)  # type: ignore[arg-type]
    grant, mails = exchange(fleet.state, fleet.now, name, report)
    return grant.probe, mails


def test_a_blown_fuse_is_told_to_all_at_once() -> None:
    """One message tells everybody what blew it and how long the ban lasts."""
    fleet = world()
    _, mails = tell(fleet, "a", "blow", fuse_span=5 * SECOND, fuse_error="{}")
    assert mails == [Mail("*", f"fuse {fleet.state.version} 5000000 - {{}}")]
    grant = fleet.touch(fleet.join())
    assert (grant.fuse_error, grant.fuse_span) == ("{}", 5 * SECOND)


def test_one_probe_per_window_over_all() -> None:
    """After the ban one member probes; another may only when that one's window is over, too."""
    fleet = world()
    tell(fleet, "a", "blow", fuse_span=5 * SECOND, fuse_error="{}")
    assert tell(fleet, "b", "probe", fuse_span=5 * SECOND)[0] == 0
    fleet.now += 5 * SECOND
    assert tell(fleet, "b", "probe", fuse_span=5 * SECOND)[0] == 1
    assert tell(fleet, "c", "probe", fuse_span=5 * SECOND)[0] == 0
    fleet.now += 5 * SECOND
    assert tell(fleet, "c", "probe", fuse_span=5 * SECOND)[0] == 1
    number = fleet.state.fuses[""].number
    _, mails = tell(fleet, "c", "close", fuse_number=number)
    assert mails[0].text.startswith("fuse ")
    assert tell(fleet, "b", "probe", fuse_span=5 * SECOND)[0] == -1


def test_a_probe_from_before_a_second_blow_closes_nothing() -> None:
    """Whoever has succeeded has to have known the newest state of the fuse; by hand all goes."""
    fleet = world()
    tell(fleet, "a", "blow", fuse_span=SECOND, fuse_error="{}")
    number = fleet.state.fuses[""].number
    tell(fleet, "b", "blow", fuse_span=SECOND, fuse_error="{}")
    tell(fleet, "a", "close", fuse_number=number)
    assert fleet.state.fuses[""].error
    tell(fleet, "a", "close", fuse_number=-1)
    assert not fleet.state.fuses[""].error


def test_an_emptied_store_is_told_of_the_fuse() -> None:
    """What the store has forgotten a member tells it, and an older state changes nothing."""
    fleet = world()
    tell(fleet, "a", "tell", fuse_number=7, fuse_span=SECOND, fuse_error="{}")
    tell(fleet, "b", "tell", fuse_number=6, fuse_span=0, fuse_error="")
    assert fleet.state.fuses[""].error == "{}"


def test_a_ban_of_one_egress_leaves_the_others_alone() -> None:
    """A ban hits an address; only those who go out by it stop."""
    fleet = world()
    tell(fleet, "a", "blow", fuse_scope="nat-1", fuse_span=SECOND, fuse_error="{}")
    for egress, error in (("nat-1", "{}"), ("nat-2", ""), ("", "")):
        grant, _ = exchange(fleet.state, fleet.now, "x", Report(terms=fleet.terms, egress=egress))
        assert (grant.fuse_error, grant.egress_error) == ("", error)


def test_a_pause_holds_for_all_and_is_not_shortened() -> None:
    """What the service asked one member to wait, all wait."""
    fleet = world()
    report = Report(terms=fleet.terms, pause=3 * SECOND)
    _, mails = exchange(fleet.state, fleet.now, "a", report)
    assert mails == [Mail("*", "pause 3000000")]
    exchange(fleet.state, fleet.now, "b", Report(terms=fleet.terms, pause=SECOND))
    assert fleet.touch(fleet.join()).pause == 3 * SECOND


# -- histories ------------------------------------------------------------------------------------


class Fleet(RuleBasedStateMachine):
    """Members that come, work, sleep, crash and leave, and a network that loses and delays."""

    @initialize(
        in_flight=st.sampled_from([1, 3, 10, 100]),
        submits=st.sampled_from([0, 1, 7]),
        cap=st.sampled_from([0, 50, 5000]),
    )
    def start(self, in_flight: int, submits: int, cap: int) -> None:
        # A store that was emptied waits for one lease, in which each member reports or lapses.
        terms = Terms(in_flight=in_flight, submits=submits, requests=3, cap=cap, settle=LEASE)
        self.world = World(terms)
        self.world.touch(self.world.join())
        self.world.now += LEASE
        # (moment, amount) of all that was spent, or may have been by who was killed
        self.spent: list[tuple[int, int]] = []
        self.told: dict[str, int] = {}
        self.turns: list[int] = []
        self.lapsed = False

    @rule(seed=st.integers(0, 2**32), steps=st.integers(1, 12))
    def live(self, seed: int, steps: int) -> None:
        rng = random.Random(seed)
        for _ in range(steps):
            before = dict(self.world.members)
            step(rng, self.world)
            for name, member in before.items():
                self._note(name, member, alive=name in self.world.members)
            if any(member.lease_end <= self.world.now for member in before.values() if member.used):
                self.lapsed = True
            self._check()

    @precondition(lambda self: self.world.members)
    @rule()
    def forget(self) -> None:
        """The store loses its memory, after the replies under way are lost too."""
        self.world.replies.clear()
        self.world.mails.clear()
        self.world.state = State()
        # Those who died without a trace have left tasks in flight, and so have lapsed ones.
        self.lapsed = True

    def _note(self, name: str, member: PaperMember, *, alive: bool) -> None:
        worth = member.spent + (0 if alive else member.reserved)
        if worth > self.told.get(name, 0):
            self.spent.append((self.world.now, worth - self.told.get(name, 0)))
            self.told[name] = worth
        self.turns += [turn for turn in member.turns[0] if turn > (self.turns or [-1])[-1]]

    def _check(self) -> None:
        world, terms = self.world, self.world.terms
        world.check_sums()
        shares = [member.in_force(world.now) for member in world.members.values()]
        assert sum(share[0] for share in shares) <= terms.in_flight
        if not self.lapsed:
            assert world.in_force(0) <= terms.in_flight
        if terms.cap:
            within = sum(n for moment, n in self.spent if moment > world.now - terms.per)
            assert within <= terms.cap
        assert State.load(world.state.dump()) == world.state

    @invariant()
    def rates_are_exact(self) -> None:
        if not hasattr(self, "world") or not self.world.terms.submits:
            return
        members = self.world.members.values()
        within = sum(
            turn > self.world.now - self.world.terms.submits_window
            for member in members
            for turn in member.turns[0]
        )
        assert within <= self.world.terms.submits


TestFleet = Fleet.TestCase
TestFleet.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)


@given(st.integers(0, 2**32))
@settings(max_examples=30)
def test_a_quiet_fleet_comes_to_rest(seed: int) -> None:
    """Whatever has happened, a few rounds later all slots are given out, evenly."""
    rng = random.Random(seed)
    fleet = World(Terms(in_flight=rng.choice([3, 10, 100])))
    for _ in range(200):
        step(rng, fleet)
    fleet.deliver()
    if not fleet.members:
        fleet.join()
    fleet.now += 2 * LEASE
    members = list(fleet.members.values())
    fleet.state.limit = fleet.terms.in_flight * 1000
    for member in members:
        member.used, member.wants, member.refused = 0, 1000, -1
    for _ in range(6):
        for member in members:
            fleet.now += SECOND // len(members)
            fleet.touch(member)
            fleet.deliver()
    shares = [member.targets[0] for member in members]
    assert fleet.state.pools[0].total == fleet.terms.in_flight
    if len(members) <= fleet.terms.in_flight:
        assert sum(shares) == fleet.terms.in_flight
        assert max(shares) - min(shares) <= len(members)


@pytest.mark.parametrize("count", [10, 1000])
def test_an_exchange_costs_the_same_with_many_members(count: int) -> None:
    """What an exchange looks at does not grow with the members."""
    fleet = world(in_flight=count * 5)
    members = hungry(fleet, 20, count)
    for _ in range(3):
        for member in members:
            fleet.touch(member)
            fleet.deliver()
    touched = _Counting(fleet.state.members)
    fleet.state.members = touched
    fleet.touch(members[0])
    assert touched.looked_at <= 70


def test_a_thousand_members_share_one_account() -> None:
    """Half of them want little, the others all; a third dies, and what it had is taken over."""
    fleet = world(in_flight=10_000)
    for number in range(1000):
        fleet.join().wants = 1000 if number % 2 else 3
    for _ in range(8):
        fleet.round()
        for number, member in enumerate(fleet.members.values()):
            member.used = min(member.used, member.targets[0])
            member.wants = (1000 if number % 2 else 3) - member.used
        assert fleet.in_force(0) <= 10_000
    shares = [member.targets[0] for member in fleet.members.values()]
    assert all(share == 3 for share in shares[::2])
    assert 16 <= min(shares[1::2]) <= max(shares[1::2]) <= 18
    assert sum(shares) >= 9_900
    fleet.members = dict(list(fleet.members.items())[::3])
    for _ in range(16):
        fleet.round()
        for member in fleet.members.values():
            member.used = min(member.used, member.targets[0])
            member.wants = 1000
        assert fleet.in_force(0) <= 10_000
    assert fleet.state.live == 334
    assert fleet.in_force(0) >= 9_900
    fleet.check_sums()


class _Counting(Members):
    looked_at = 0

    def __getitem__(self, name: str) -> Entry:
        self.looked_at += 1
        return super().__getitem__(name)


def test_ask_defaults_to_nothing() -> None:
    """A report without asks is a sign of life only."""
    state = State()
    grant, mails = exchange(state, 5, "a", Report())
    assert (grant.shares, mails) == ((0, -1, -1), [])
    assert Report().asks == (Ask(), Ask(), Ask())
