"""The stores: each gives the same grants for the same reports, and keeps what it is given."""

from __future__ import annotations

import random
import socket
from collections.abc import AsyncGenerator, Callable, Generator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import pytest
import trustme
from hypothesis import given, settings
from hypothesis import strategies as st
from redis_servers import redis_server
from sharing_world import World, step

from captcha_async._sharing import _redis_scripts
from captcha_async._sharing._learned import merged
from captcha_async._sharing._memory import MemoryStore
from captcha_async._sharing._messages import SECOND, Grant, Mail, Report, Terms
from captcha_async._sharing._redis import RedisStore
from captcha_async._sharing._redis_scripts import exchange_script
from captcha_async._sharing._redis_state import read_state
from captcha_async._sharing._sqlite import SqliteStore
from captcha_async._sharing._state import State
from captcha_async._sharing._store import (
    NOBODY,
    Change,
    Life,
    Post,
    Posts,
    StoreForgot,
    StoreRefused,
    StoreUnreachable,
    post_key,
)

real_time = pytest.mark.real_time


def lived(seed: int, steps: int = 150) -> World:
    """A fleet after a random history with fuses, pauses and changes of the limits."""
    rng = random.Random(seed)
    terms = Terms(
        in_flight=rng.choice([1, 3, 10, 100]),
        submits=rng.choice([0, 2]),
        requests=rng.choice([0, 9]),
        cap=rng.choice([0, 500, 10**15]),
        per=rng.choice([60, 3600]) * SECOND,
        settle=rng.choice([0, SECOND]),
    )
    world = World(terms)
    for _ in range(steps):
        step(rng, world)
        if rng.random() < 0.1:
            tell(rng, world)
        if rng.random() < 0.02:
            world.join(Terms(in_flight=rng.choice([2, 50]), cap=rng.choice([0, 300])))
        if rng.random() < 0.03:
            # What a restart of the server would do: each member has been in another life.
            for member in world.members.values():
                member.born, member.version = member.born + 1, member.version + rng.choice([0, 1])
    return world


def tell(rng: random.Random, world: World) -> None:
    """Blow, probe, close or tell a fuse, or pause."""
    fuses = world.state.fuses
    scope = rng.choice(["", "nat-1"])
    report = Report(
        terms=world.terms,
        egress=rng.choice(["", "nat-1"]),
        pause=rng.choice([0, rng.randrange(9 * SECOND)]),
        fuse_do=rng.choice(["blow", "probe", "close", "tell"]),
        fuse_scope=scope,
        fuse_number=rng.choice([-1, fuses[scope].number if scope in fuses else 7, 3]),
        fuse_span=rng.randrange(5 * SECOND),
        fuse_error=rng.choice(['{"kind": "KeyRejected", "message": "No such key."}', "x y"]),
    )
    world.send(world.join(), report)
    if rng.random() < 0.8:
        del world.members[f"m{world.made}"]


# -- the script ---------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def fake() -> Generator[Any]:
    """Redis in memory, with Lua."""
    fakeredis = pytest.importorskip("fakeredis", reason="needs fakeredis[lua]")
    pytest.importorskip("lupa", reason="needs fakeredis[lua]")
    with fakeredis.FakeRedis() as client:
        yield client


class Scripted:
    """The script, run by whatever evaluates it."""

    def __init__(self, run: Callable[..., Any], client: Any) -> None:
        self.run, self.client = run, client
        self.keys = RedisStore("redis://host", "name")._keys

    def exchange(self, wall: int, me: str, report: Report) -> Grant:
        """Run the rules in Lua."""
        head = ["box:", me, wall, 10**9]
        values = self.run(len(self.keys), *self.keys, *head, *report.flat())
        return Grant.of([v.decode() if isinstance(v, bytes) else v for v in values])

    def mails(self) -> list[Mail]:
        """What was sent so far, to all and to each."""
        found = []
        for key in self.client.keys("*"):
            name = key.decode()
            if name.startswith("box:") or name.endswith(":news"):
                to = name.removeprefix("box:") if name.startswith("box:") else "*"
                found += [Mail(to, e[b"m"].decode()) for _, e in self.client.xrange(key)]
        return found

    def state(self) -> State:
        """What is kept."""
        state, members, _, *queues, spent, fuses, _ = self.keys
        client = self.client
        return read_state(
            client.get(state),
            client.hgetall(members),
            [client.zrange(queue, 0, -1) for queue in queues],
            client.hgetall(spent),
            client.hgetall(fuses),
        )


def by_person(mails: list[Mail]) -> list[tuple[str, str]]:
    """Messages in the order in which each has got them."""
    return sorted(((mail.to, mail.text) for mail in mails), key=lambda mail: mail[0])


def replay(world: World, store: Scripted) -> None:
    """Let the script have what the rules had, and want the same answers, mails and state."""
    sent: list[Mail] = []
    for number, (wall, me, report, grant, mails) in enumerate(world.calls):
        assert store.exchange(wall, me, report) == grant, f"call {number}"
        sent += mails
    assert by_person(store.mails()) == by_person(sent)
    state = store.state()
    state.earliest = world.state.earliest
    # An unknown fuse and one that was never told are the same.
    assert {k: v for k, v in state.fuses.items() if v.number} == {
        k: v for k, v in world.state.fuses.items() if v.number
    }
    state.fuses = world.state.fuses
    assert state == world.state


@given(st.integers(0, 2**32))
@settings(max_examples=25)
def test_the_script_does_what_the_rules_say(fake: Any, seed: int) -> None:
    """Lua and Python give the same grants, messages and sums over random histories."""
    fake.flushall()
    script = exchange_script()
    store = Scripted(lambda *arguments: fake.eval(script, *arguments), fake)
    replay(lived(seed), store)


def test_the_script_on_redis_does_what_the_rules_say(tmp_path: Path) -> None:
    """The same on a real server, whose numbers and sorting are its own."""
    redis = pytest.importorskip("redis", reason="needs redis (fakeredis brings it)")
    with redis_server(tmp_path) as server, redis.Redis(port=server.port) as client:
        script = client.register_script(exchange_script())

        def run(count: int, *arguments: Any) -> Any:
            return script(keys=arguments[:count], args=arguments[count:])

        for seed in range(40):
            client.flushall()
            replay(lived(seed, 250), Scripted(run, client))
        # Nothing is kept for ever.
        assert all(client.pttl(key) > 0 for key in client.keys("*"))


# -- each store -----------------------------------------------------------------------------------


@asynccontextmanager
async def two_of(kind: str, folder: Path) -> AsyncGenerator[tuple[Any, Any]]:
    """Two connections to one account, of the members `a` and `b`."""
    if kind == "memory":
        store = MemoryStore()
        async with store.opened("a"), store.opened("b"):
            yield store, store
    elif kind == "sqlite":
        first, second = (SqliteStore(str(folder / "account.db"), "name") for _ in range(2))
        async with first.opened("a"), second.opened("b"):
            yield first, second
    else:
        with redis_server(folder) as server:
            url = f"{server.url}?prefix=team"
            one, other = RedisStore(url, "name"), RedisStore(url, "name")
            async with one.opened("a"), other.opened("b"):
                yield one, other


every_store = pytest.mark.parametrize("kind", ["memory", "sqlite", "redis"])


@real_time
@every_store
async def test_two_members_share_one_account(kind: str, tmp_path: Path) -> None:
    """What one has, the other cannot have."""
    terms = Terms(in_flight=10)
    async with two_of(kind, tmp_path) as (first, second):
        world = World(terms)
        a, b = world.join(), world.join()
        a.wants, b.wants = 8, 8
        assert (await first.exchange("a", a.report(0))).slots == 8
        grant = await second.exchange("b", b.report(0))
        assert (grant.slots, grant.members) == (2, 2)
        state = await second.state()
        assert state.members.keys() == {"a", "b"}
        assert state.pools[0].total == 10


@real_time
@every_store
async def test_messages_arrive(kind: str, tmp_path: Path) -> None:
    """News go to all, a share and a callback to one; in the order in which they were sent."""
    async with two_of(kind, tmp_path) as (first, second):
        report = Report(fuse_do="blow", fuse_span=SECOND, fuse_error='{"kind": "a b"}')
        with anyio.fail_after(20):
            await second.exchange("b", report)
            (news,) = await first.messages("a")
            assert news.split(" ", 4)[3:] == ["-", '{"kind": "a b"}']
            await second.post([Post("a", "token", b"\x00body"), Post("b", "other", b"x")])
            assert await first.messages("a") == ["post token"]
            (found,) = await first.look([post_key("token")])
            assert found is not None
            assert found.value == b"\x00body"
            assert sorted(await second.messages("b")) == sorted([news, "post other"])
            assert await first.posts() == Posts(handed_over=2, kept=2)
            await first.unpost(["token"])
            assert await second.look([post_key("token")]) == [None]
            await second.post([Post("a", "token", b"again")])
            await second.unpost(["token", "other", "unknown"])
            assert await first.posts() == Posts(handed_over=3, kept=0)


async def mailbox_over_two_connections(store: Any, other: Any) -> None:
    """What came between two connections is there, and what was read before is not."""
    async with other.opened("b"):
        with anyio.fail_after(20):
            async with store.opened("a"):
                await other.post([Post("a", "one", b"x")])
                assert await store.messages("a") == ["post one"]
            await other.post([Post("a", "two", b"x")])
            async with store.opened("a"):
                assert await store.messages("a") == ["post two"]


@real_time
async def test_a_mailbox_in_a_file_is_read_on(tmp_path: Path) -> None:
    """A file that was closed and opened again has lost no callback."""
    store, other = (SqliteStore(str(tmp_path / "account.db"), "name") for _ in range(2))
    await mailbox_over_two_connections(store, other)


@real_time
async def test_a_mailbox_in_redis_is_read_on(tmp_path: Path) -> None:
    """A connection that was lost has lost no callback."""
    with redis_server(tmp_path) as server:
        store, other = RedisStore(server.url, "name"), RedisStore(server.url, "name")
        await mailbox_over_two_connections(store, other)


@real_time
@every_store
async def test_a_wait_for_messages_ends_when_one_comes(kind: str, tmp_path: Path) -> None:
    """Who waits is woken."""
    async with two_of(kind, tmp_path) as (first, second):
        got: list[str] = []

        async def wait() -> None:
            got.extend(await first.messages("a"))

        with anyio.fail_after(20):
            async with anyio.create_task_group() as group:
                group.start_soon(wait)
                await anyio.wait_all_tasks_blocked()
                await second.post([Post("a", "token", b"body")])
        assert got == ["post token"]


def change(key: str, text: str | None, tag: str, expected: str = "", **options: Any) -> Change:
    """A change to *text*, by whoever has *tag*."""
    value = None if text is None else (tag * 16)[:16].encode() + text.encode()
    return Change(
        key=key, value=value, tag=(tag * 16)[:16], expected=(expected * 16)[:16], **options
    )


async def text_of(store: Any, key: str) -> str | None:
    """What is under a key, without its tag."""
    (found,) = await store.look([key])
    return None if found is None else found.value[16:].decode()


@real_time
@every_store
async def test_a_record_is_taken_by_one_and_replaced_by_its_tag(kind: str, tmp_path: Path) -> None:
    """Who has written it may write on, and who has seen it may take it over; nobody else may."""
    async with two_of(kind, tmp_path) as (first, second):
        assert await first.change([change("order", "one", "a")]) == [None]
        (known,) = await second.change([change("order", "two", "b")])
        assert known == b"a" * 16 + b"one"
        # A repeat, as after a reply that was lost.
        assert await first.change([change("order", "one", "a")]) == [None]
        assert await first.change([change("order", "more", "a")]) == [None]
        assert await second.change([change("order", "mine", "b", "a")]) == [None]
        (known,) = await first.change([change("order", None, "a")])
        assert known == b"b" * 16 + b"mine"
        assert await second.change([change("order", None, "b")]) == [None]
        assert await text_of(first, "order") is None
        assert await first.change([change("order", None, "a")]) == [None]


@real_time
@every_store
async def test_what_is_no_record_is_replaced_by_what_it_begins_with(
    kind: str, tmp_path: Path
) -> None:
    """And it stops nothing else that is written in the same call."""
    async with two_of(kind, tmp_path) as (first, second):
        assert await first.change([Change(key="order", value=b"\xff" * 40, tag="a")]) == [None]
        known = await second.change([change("order", "one", "b"), change("other", "one", "b")])
        assert known == [b"\xff" * 40, None]
        tag = (b"\xff" * 16).decode(errors="surrogateescape")
        ours = Change(key="order", value=b"b" * 16 + b"one", tag="b" * 16, expected=tag)
        assert await second.change([ours]) == [None]
        assert await text_of(first, "order") == "one"


@real_time
@every_store
@pytest.mark.parametrize("lost", ["nothing", "another life", "the newest part", "is told yet"])
async def test_a_record_is_taken_only_where_nothing_was_lost(
    kind: str, lost: str, tmp_path: Path
) -> None:
    """A store that has forgotten cannot tell whose a key is: what was in the way may be lost."""
    async with two_of(kind, tmp_path) as (first, second):
        terms = Terms(settle=60 * SECOND if lost == "is told yet" else 0)
        grant = await first.exchange("a", Report(terms=terms))
        life = Life(
            grant.born - (lost == "another life"), grant.version + (lost == "the newest part")
        )
        if lost == "nothing":
            assert await second.change([change("order", "one", "a")], life) == [None]
            (known,) = await second.change([change("order", "two", "b")], life)
            assert known is not None
        else:
            with pytest.raises(StoreForgot):
                await second.change([change("order", "one", "a")], life)
            assert await text_of(first, "order") is None
            # What is known for certain may be told all the same.
            assert await second.change([change("order", "one", "a")]) == [None]


@real_time
@every_store
async def test_nothing_is_taken_in_a_store_that_is_empty(kind: str, tmp_path: Path) -> None:
    """As after FLUSHALL, before anybody has told it anything."""
    async with two_of(kind, tmp_path) as (first, _):
        with pytest.raises(StoreForgot):
            await first.change([change("order", "one", "a")], Life(5, 7))
        assert await text_of(first, "order") is None


@real_time
@every_store
async def test_many_records_are_changed_in_one_call(kind: str, tmp_path: Path) -> None:
    """Each by itself: what is in the way of one is not in the way of the others."""
    async with two_of(kind, tmp_path) as (first, second):
        await first.change([change("b", "theirs", "x")])
        known = await second.change([change(name, name, "y") for name in "abc"])
        assert [value is None for value in known] == [True, False, True]
        found = await first.look(["c", "none", "b"])
        assert [one and one.value[16:] for one in found] == [b"c", None, b"theirs"]


@real_time
@every_store
async def test_records_are_kept_for_their_time(kind: str, tmp_path: Path) -> None:
    """A record is gone after its time, and then anybody may write it."""
    async with two_of(kind, tmp_path) as (first, second):
        await first.change([change("short", "x", "a", seconds=0.001)])
        with anyio.fail_after(20):
            while await text_of(second, "short") is not None:  # noqa: ASYNC110 (its clock)
                await anyio.sleep(0.005)
        assert await second.change([change("short", "y", "b")]) == [None]


@real_time
@every_store
async def test_what_the_dead_have_left_is_found(kind: str, tmp_path: Path) -> None:
    """Records of members that are gone, and those of nobody; not what needs nobody."""
    async with two_of(kind, tmp_path) as (first, second):
        await first.exchange("a", Report())
        await second.exchange("b", Report())
        await first.exchange("dead", Report())
        await first.change(
            [
                *(change(f"left{number}", str(number), "x", owner="dead") for number in range(3)),
                change("mine", "mine", "x", owner="a"),
                change("solved", "done", "x"),
                change("doubt", "?", "x", owner=NOBODY),
                change("short", "short", "x", owner="dead", seconds=0.001),
            ]
        )
        assert [key for key, _ in await second.left("b")] == ["doubt"]
        found = await second.look(["left0", "mine", "solved", "doubt"])
        assert [one is not None and one.living for one in found] == [True, True, False, False]
        await first.exchange("dead", Report(leaving=True))
        with anyio.fail_after(20):
            while await text_of(second, "short") is not None:  # noqa: ASYNC110 (its clock)
                await anyio.sleep(0.005)
        assert sorted(key for key, _ in await second.left("b")) == [
            "doubt",
            "left0",
            "left1",
            "left2",
        ]
        found = await second.look(["left0", "mine"])
        assert [one is not None and one.living for one in found] == [False, True]
        await second.change([change("left0", "0", "y", "x", owner="b"), change("left1", None, "x")])
        assert sorted(key for key, _ in await first.left("a")) == ["doubt", "left2"]


@real_time
@every_store
async def test_what_was_learned_adds_up(kind: str, tmp_path: Path) -> None:
    """The numbers of both members are in the sum, which is halved when it is full."""
    async with two_of(kind, tmp_path) as (first, second):
        assert await first.merge("turnstile", [1, 2, 3]) == [1, 2, 3]
        assert await second.merge("turnstile", [10, 0, 1, 5]) == [11, 2, 4, 5]
        assert await second.merge("other", [7]) == [7]
        large = [2_000_000_001, 0, 0, 0]
        assert await first.merge("turnstile", large) == merged([11, 2, 4, 5], large)


# -- the file -------------------------------------------------------------------------------------


@real_time
@pytest.mark.parametrize("seed", range(5))
async def test_the_file_gives_what_the_rules_say(seed: int, tmp_path: Path) -> None:
    """The file keeps the state whole from call to call, and between two openings."""
    store = SqliteStore(str(tmp_path / "account.db"), "name")
    world = lived(seed, 60)
    half = len(world.calls) // 2
    sent: list[Mail] = []
    for calls in (world.calls[:half], world.calls[half:]):
        async with store.opened("x"):
            for wall, me, report, grant, mails in calls:
                assert await store.exchange(me, report, wall) == grant
                sent += mails
    async with store.opened("x"):
        assert store._load(store._db) == world.state
        rows = store._db.execute("SELECT recipient, text FROM mail ORDER BY number").fetchall()
        assert rows == [(mail.to, mail.text) for mail in sent]


@real_time
async def test_accounts_in_one_file_are_apart(tmp_path: Path) -> None:
    """A file may hold several accounts, and they know nothing of each other."""
    path = str(tmp_path / "account.db")
    one, other = SqliteStore(path, "one"), SqliteStore(path, "other")
    async with one.opened("a"), other.opened("a"):
        await one.exchange("a", Report())
        await one.change([change("key", "x", "a")])
        assert (await other.state()).live == 0
        assert await other.look(["key"]) == [None]
        assert await other._in_thread(other._glance, "a") == []


@real_time
async def test_a_file_of_another_kind_is_left_alone(tmp_path: Path) -> None:
    """What is no shared account is not written to, and the message says what to do."""
    path = tmp_path / "notes.txt"
    path.write_text("not a database, but long enough to be looked at as if it were one" * 20)
    with pytest.raises(StoreRefused, match=r"notes\.txt"):
        async with SqliteStore(str(path), "name").opened("a"):
            raise AssertionError("unreachable")
    assert path.read_text().startswith("not a database")
    with pytest.raises(StoreRefused, match="cannot be opened"):
        async with SqliteStore(str(tmp_path / "none" / "account.db"), "name").opened("a"):
            raise AssertionError("unreachable")


@real_time
async def test_the_file_is_only_its_owners(tmp_path: Path) -> None:
    """What was spent, and answers, are nobody else's business."""
    path = tmp_path / "account.db"
    async with SqliteStore(str(path), "name").opened("a"):
        assert path.stat().st_mode & 0o777 == 0o600


# -- Redis ----------------------------------------------------------------------------------------


def test_the_address_is_masked() -> None:
    """The password shows neither in the repr nor in an error."""
    store = RedisStore("rediss://user:secret@redis.example:6380/2?prefix=x", "name")
    assert repr(store) == "<RedisStore rediss://***@redis.example:6380/2>"
    assert "secret" not in store.place
    assert RedisStore("unix://:secret@/run/redis.sock?db=1", "name").place == (
        "unix:///run/redis.sock"
    )


@real_time
async def test_all_keys_have_the_prefix_and_one_hash_tag(tmp_path: Path) -> None:
    """A user whose rights end at the prefix can do all that is needed, and no more."""
    redis = pytest.importorskip("redis", reason="needs redis (fakeredis brings it)")
    with redis_server(tmp_path) as server, redis.Redis(port=server.port) as client:
        commands = (
            "+eval +evalsha +script|load +time +get +set +del +hget +hset +hdel +hgetall "
            "+hincrby +hscan +zadd +zrem +zrange +zrangebyscore +zcard +zscore +xadd +xread "
            "+xrevrange +pexpire +hello +client +select +ping"
        )
        client.execute_command(
            "ACL", "SETUSER", "crawler", "on", ">secret", "~team:*", *commands.split()
        )
        url = f"redis://crawler:secret@127.0.0.1:{server.port}/0?prefix=team"
        store = RedisStore(url, "name")
        async with store.opened("a"):
            await store.exchange("a", Report(fuse_do="blow", fuse_error="x", pause=5))
            await store.post([Post("a", "token", b"x")])
            await store.post([Post("a", "other", b"x")])
            await store.unpost(["other"])
            await store.posts()
            assert len(await store.messages("a")) == 4
            await store.change([change("key", "x", "a", owner="a"), change("other", "x", "a")])
            await store.look(["key"])
            await store.left("b")
            await store.change([change("key", None, "a")])
            await store.merge("kind", [1])
        assert client.keys("*")
        assert all(key.startswith(b"team:{name}:") for key in client.keys("*"))
        assert all(client.pttl(key) > 0 for key in client.keys("*"))


@real_time
async def test_owners_of_records_that_are_gone_are_dropped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An account that is never at rest does not grow by what nobody has ended."""
    monkeypatch.setattr(_redis_scripts, "SWEEP", 1)
    redis = pytest.importorskip("redis", reason="needs redis (fakeredis brings it)")
    with redis_server(tmp_path) as server, redis.Redis(port=server.port) as client:
        store = RedisStore(f"{server.url}?prefix=team", "name")
        async with store.opened("a"):
            gone = [change(f"k{n}", "x", "a", owner="a", seconds=0.001) for n in range(300)]
            await store.change([*gone, change("kept", "x", "a", owner="a")])
            with anyio.fail_after(20):
                while client.hlen("team:{name}:owners") > 2:
                    await store.change([change("solved", "x", "a")])
        assert client.hkeys("team:{name}:owners") in ([b"", b"kept"], [b"kept", b""])


@real_time
async def test_tls_with_an_authority_of_ones_own(tmp_path: Path) -> None:
    """The certificate is checked: by the authority that the URL names, or by the system's."""
    authority = trustme.CA()
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    certificate = authority.issue_cert("localhost", "127.0.0.1")
    certificate.private_key_pem.write_to_path(tmp_path / "key.pem")
    certificate.cert_chain_pems[0].write_to_path(tmp_path / "cert.pem")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    options = ["--tls-port", str(port), "--tls-auth-clients", "no"]
    for name in ("cert", "key"):
        options += [f"--tls-{name}-file", str(tmp_path / f"{name}.pem")]
    options += ["--tls-ca-cert-file", str(tmp_path / "ca.pem")]
    with redis_server(tmp_path, *options):
        url = f"rediss://localhost:{port}/0"
        async with RedisStore(f"{url}?ssl_ca_certs={tmp_path / 'ca.pem'}", "name").opened("a"):
            pass
        with pytest.raises(StoreUnreachable):
            async with RedisStore(url, "name").opened("a"):
                raise AssertionError("unreachable")


@real_time
async def test_a_wrong_password_is_told_without_it(tmp_path: Path) -> None:
    """Somebody has to look at it; waiting does not help."""
    with redis_server(tmp_path, "--requirepass", "right") as server:
        url = f"redis://:wrong-secret@127.0.0.1:{server.port}/0"
        with pytest.raises((StoreRefused, StoreUnreachable)) as caught:
            async with RedisStore(url, "name").opened("a"):
                raise AssertionError("unreachable")
        assert "wrong-secret" not in str(caught.value)


@real_time
async def test_a_server_that_is_gone_is_unreachable_until_opened_again(tmp_path: Path) -> None:
    """Calls fail with the one error that says so, and work again on a new connection."""
    with redis_server(tmp_path) as server:
        store = RedisStore(server.url, "name")

        async def cut() -> None:
            async with store.opened("a"):
                await store.exchange("a", Report())
                server.kill()
                await store.exchange("a", Report())

        with pytest.raises(StoreUnreachable):
            await cut()
        with pytest.raises(StoreUnreachable):
            await store.exchange("a", Report())
        server.start()
        async with store.opened("a"):
            assert (await store.exchange("a", Report())).members == 1
