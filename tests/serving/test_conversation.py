"""A server's connection without sockets: what is read out of any bytes, and what is said to it."""

from __future__ import annotations

import logging
import math

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from captcha_async._serving import _conversation
from captcha_async._serving._conversation import LINGER, Conversation, Phase
from captcha_async._serving._fast_requests import FastRequests
from captcha_async._serving._h11_requests import H11Requests
from captcha_async._serving._messages import BadRequest, Bounds, Exchange, Request, Response

READERS = [H11Requests, FastRequests]
BOUNDS = Bounds(head_bytes=300, body_bytes=100, pipelined=4)
GET = b"GET /path?query HTTP/1.1\r\nhost: a\r\n\r\n"
POST = b"POST /t HTTP/1.1\r\nHost: a\r\nContent-Type: x\r\ncontent-length: 5\r\n\r\nhello"
CHUNKED = (
    b"POST /t HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n"
    b"3\r\nhel\r\n2;x=y\r\nlo\r\n0\r\ntrailer: t\r\n\r\n"
)
CLOSING = b"POST /t HTTP/1.1\r\nhost: a\r\nconnection: close\r\ncontent-length: 0\r\n\r\n"
EXPECTING = b"POST /t HTTP/1.1\r\nhost: a\r\nexpect: 100-continue\r\ncontent-length: 5\r\n\r\n"
OLD = b"GET /old HTTP/1.0\r\n\r\n"

every_reader = pytest.mark.parametrize("reader", READERS)


@pytest.fixture(params=READERS)
def reader(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have conversations read by each of the readers in turn."""
    monkeypatch.setattr(_conversation, "make_reader", request.param)


class Site:
    """A handler, its one connection, and the conversation on it."""

    def __init__(self, bounds: Bounds = BOUNDS, *, at_once: bool = True) -> None:
        self.at_once = at_once
        self.refusal: Response | None = None
        self.error: Exception | None = None
        self.requests: list[Request] = []
        self.judged: list[Request] = []
        self.now = 0.0
        self.conversation = Conversation(self, self, bounds, self.now)

    def judge(self, head: Request) -> Response | None:
        """Refuse it if told to."""
        self.judged.append(head)
        return self.refusal

    def answer(self, request: Request) -> Response | None:
        """Leave it to `handle`."""
        return None

    def handle(self, request: Request, exchange: Exchange) -> None:
        """Answer with the body."""
        self.requests.append(request)
        if self.error is not None:
            raise self.error
        if self.at_once:
            exchange.respond(Response(413 if request.overflow else 200, (), request.body))

    def respond(self, response: Response) -> None:
        """Pass an answer on."""
        self.conversation.respond(response, self.now)

    def when_gone(self, callback: object) -> None:
        """Nobody goes away here."""

    def hear(self, data: bytes) -> bytes:
        """Take bytes in and return what is said to them."""
        self.conversation.receive(data)
        self.conversation.proceed(self.now)
        return self.conversation.take()

    def expire(self) -> bytes:
        """Let the deadline pass, and return what is said."""
        self.now = self.conversation.deadline
        self.conversation.expire(self.now)
        return self.conversation.take()


def status(reply: bytes) -> int:
    """Return the status of a reply."""
    assert reply.startswith(b"HTTP/1.1 ")
    return int(reply[9:12])


# -- what is read ---------------------------------------------------------------------------------


def read(make: type, pieces: list[bytes]) -> list[object]:
    """Return the requests in some bytes, and the status of what cannot be read."""
    reader = make(BOUNDS)
    found: list[object] = []
    for piece in pieces:
        reader.feed(piece)
        try:
            while (request := reader.next()) is not None:
                headers = [(name, value.strip(b" \t")) for name, value in request.headers]
                found.append(
                    (
                        request.method,
                        request.target,
                        headers,
                        None if request.overflow else request.body,
                        request.keep_alive,
                    )
                )
                if not request.keep_alive:
                    return found
        except BadRequest as error:
            return [*found, error.status]
    return found


WHOLE = [GET, POST, CHUNKED, CLOSING, OLD, POST + b"\r\n" + GET, GET * 3 + CLOSING]
BROKEN = [
    b"GET / HTTP/1.1\r\n\r\n",  # no host
    b"GET / HTTP/1.1\r\nhost: a\r\nhost: b\r\n\r\n",
    b"GET / HTTP/2.0\r\nhost: a\r\n\r\n",
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",  # TLS
    b"GET /\r\n\r\n",
    b"GET / HTTP/1.1\r\nhost : a\r\n\r\n",
    b"POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 5\r\ncontent-length: 6\r\n\r\nhello",
    b"POST / HTTP/1.1\r\nhost: a\r\ncontent-length: -1\r\n\r\n",
    b"POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 0x5\r\n\r\nhello",
    CHUNKED.replace(b"host", b"content-length: 5\r\nhost"),
    b"POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: gzip\r\n\r\n",
    b"POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\nfive\r\nhello\r\n",
    b"GET / HTTP/1.1\r\nhost: a\r\nx: " + b"y" * 400 + b"\r\n\r\n",
    b"GET /" + b"y" * 400 + b" HTTP/1.1\r\nhost: a\r\n\r\n",
    b"y" * 400,
]


@every_reader
@pytest.mark.parametrize("data", WHOLE)
def test_requests_are_read_however_they_are_split(reader: type, data: bytes) -> None:
    """At every position, and byte by byte."""
    whole = read(reader, [data])
    assert whole
    for position in range(len(data) + 1):
        assert read(reader, [data[:position], data[position:]]) == whole
    assert read(reader, [bytes([byte]) for byte in data]) == whole


@every_reader
@pytest.mark.parametrize("data", BROKEN)
def test_what_is_no_request_is_refused_however_it_is_split(reader: type, data: bytes) -> None:
    """With a status of the 400s or 500s, as the last thing that is read."""
    for position in range(len(data) + 1):
        (code,) = read(reader, [data[:position], data[position:]])
        assert code in (400, 431, 501, 505)


@every_reader
def test_a_head_that_is_too_large_is_told(reader: type) -> None:
    """Whole or not, in its target or its headers."""
    for data in BROKEN[-3:]:
        assert read(reader, [data]) == [431]


@every_reader
def test_a_body_that_is_too_large_is_cut_off(reader: type) -> None:
    """By its length as told, before it comes; and by what came if no length is told."""
    told = b"POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 101\r\n\r\n"
    counted = b"POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n"
    counted += (b"a\r\n" + b"y" * 10 + b"\r\n") * 11
    for data in (told, counted):
        ((*_, body, keep_alive),) = read(reader, [data])  # type: ignore[misc]
        assert (body, keep_alive) == (None, False)
    exactly = told.replace(b"101", b"100") + b"y" * 100
    ((*_, body, _),) = read(reader, [exactly])  # type: ignore[misc]
    assert body == b"y" * 100


@every_reader
def test_a_connection_that_switches_is_not_kept(reader: type) -> None:
    """An upgrade is answered as if it had not been asked for, and nothing is read after it."""
    for data in (
        b"GET / HTTP/1.1\r\nhost: a\r\nconnection: upgrade\r\nupgrade: h2c\r\n\r\n",
        b"CONNECT a:1 HTTP/1.1\r\nhost: a\r\n\r\n",
    ):
        ((*_, keep_alive),) = read(reader, [data + GET])  # type: ignore[misc]
        assert keep_alive is False


LINES = st.sampled_from(
    [
        b"GET / HTTP/1.1\r\n",
        b"POST /x?y HTTP/1.1\r\n",
        b"BREW / HTTP/1.1\r\n",
        b"GET / HTTP/1.0\r\n",
        b"Host: a\r\n",
        b"host:b  \r\n",
        b"Content-Length: 2\r\n",
        b"content-length: 02\r\n",
        b"Transfer-Encoding: chunked\r\n",
        b"Connection: close\r\n",
        b"Connection: keep-alive, close\r\n",
        b"Connection: keep-alive\r\n",
        b"Expect: 100-continue\r\n",
        b"Upgrade: h2c\r\n",
        b"x:\r\n",
        b"x: a\tb \r\n",
        b" folded\r\n",
        b"\r\n",
        b"\n",
        b"hi",
        b"2\r\nhi\r\n0\r\n\r\n",
        b"\0",
    ]
)


@given(st.lists(LINES, max_size=12), st.data())
def test_both_readers_read_the_same(lines: list[bytes], data: st.DataObject) -> None:
    """What comes of odd requests does not hang on what is installed, nor on how they are split."""
    text = b"".join(lines)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(text)), max_size=4)))
    pieces = [text[a:b] for a, b in zip([0, *cuts], [*cuts, len(text)], strict=True)]
    assert read(FastRequests, pieces) == read(H11Requests, [text])


@given(st.lists(st.binary(max_size=400), max_size=5))
@example([b"\xff" * 301])
@pytest.mark.usefixtures("reader")
def test_any_bytes_end_in_an_answer_or_a_wait(pieces: list[bytes]) -> None:
    """No error comes out, and what is said is HTTP."""
    site = Site()
    for piece in pieces:
        reply = site.hear(piece)
        assert not reply or reply.startswith(b"HTTP/1.1 ")
    assert site.expire() == b"" or site.conversation.lingers


# -- what is said ---------------------------------------------------------------------------------


@pytest.mark.usefixtures("reader")
def test_a_kept_connection_carries_one_request_after_the_other() -> None:
    """Until one says that it is the last."""
    site = Site()
    for data in (POST, GET, CHUNKED, POST):
        reply = site.hear(data)
        assert status(reply) == 200
        assert b"connection" not in reply
        assert site.conversation.phase is Phase.IDLE
    reply = site.hear(CLOSING)
    assert b"connection: close\r\n" in reply
    assert site.conversation.ended
    assert site.hear(GET) == b""
    assert [request.method for request in site.requests] == [b"POST", b"GET", b"POST"] + [
        b"POST"
    ] * 2


@pytest.mark.usefixtures("reader")
def test_http_1_0_is_answered_and_closed() -> None:
    """An old program does not wait for ever."""
    site = Site()
    assert b"connection: close\r\n" in site.hear(OLD)
    assert site.conversation.ended


@pytest.mark.usefixtures("reader")
def test_a_head_request_gets_a_head() -> None:
    """With the length of what GET would bring, and without it."""
    site = Site(at_once=False)
    site.hear(GET.replace(b"GET", b"HEAD"))
    site.respond(Response(200, ((b"x", b"y"),), b"body"))
    reply = site.conversation.take()
    assert reply == b"HTTP/1.1 200 OK\r\nx: y\r\ncontent-length: 4\r\n\r\n"


@pytest.mark.usefixtures("reader")
def test_pipelined_requests_are_answered_in_turn() -> None:
    """The next is not handled before the answer to the one before; a flood of them is cut off."""
    site = Site(at_once=False)
    assert site.hear(POST + GET) == b""
    for number in (1, 2):
        assert len(site.requests) == number
        site.respond(Response(200))
        site.conversation.proceed(0)
        assert status(site.conversation.take()) == 200
    site = Site()
    replies = site.hear(GET * 10)
    assert replies.count(b"HTTP/1.1 200") == BOUNDS.pipelined
    assert replies.count(b"connection: close") == 1
    assert site.conversation.lingers


@pytest.mark.usefixtures("reader")
def test_a_body_is_asked_for_if_that_is_expected() -> None:
    """Once, and only if it will be taken."""
    site = Site()
    assert site.hear(EXPECTING) == b"HTTP/1.1 100 Continue\r\n\r\n"
    assert site.hear(b"he") == b""
    assert status(site.hear(b"llo")) == 200
    site.refusal = Response(404)
    assert status(site.hear(EXPECTING)) == 404
    assert site.conversation.lingers
    site = Site()
    large = EXPECTING.replace(b"length: 5", b"length: 500")
    assert status(site.hear(large)) == 413


@pytest.mark.usefixtures("reader")
def test_who_is_refused_need_not_be_read_to_the_end() -> None:
    """A part of a body is enough to refuse it; the rest is passed over while the answer is read."""
    site = Site()
    site.refusal = Response(404)
    reply = site.hear(POST[:-1])
    assert (status(reply), b"connection: close\r\n" in reply) == (404, True)
    assert (site.conversation.lingers, site.conversation.deadline) == (True, LINGER)
    assert site.hear(b"o" + GET) == b""
    assert not site.requests
    assert site.expire() == b""
    assert site.conversation.ended


@pytest.mark.usefixtures("reader")
def test_a_head_is_judged_once() -> None:
    """However many pieces its body comes in."""
    site = Site()
    for byte in POST:
        site.hear(bytes([byte]))
    assert len(site.judged) == len(site.requests) == 1


@pytest.mark.usefixtures("reader")
@pytest.mark.parametrize("data", BROKEN)
def test_what_is_no_request_is_answered_and_closed(data: bytes) -> None:
    """Whoever sent it may read why."""
    site = Site()
    assert 400 <= status(site.hear(data)) < 600
    assert site.conversation.lingers
    assert not site.requests


def test_an_error_of_the_handler_is_answered_with_500(caplog: pytest.LogCaptureFixture) -> None:
    """And told in the log."""
    site = Site()
    site.error = LookupError("mine")
    with caplog.at_level(logging.ERROR):
        assert status(site.hear(GET)) == 500
    assert "a request could not be answered" in caplog.text
    site.error = None
    assert status(site.hear(GET)) == 200


def test_a_second_answer_says_nothing() -> None:
    """Nor does one that comes when the other side has gone."""
    site = Site(at_once=False)
    site.hear(GET)
    for _ in range(2):
        site.respond(Response(200))
    assert site.conversation.take().count(b"HTTP/1.1") == 1
    site.hear(GET)
    site.conversation.hang_up()
    site.respond(Response(200))
    assert site.conversation.take() == b""
    assert site.conversation.ended


# -- by when --------------------------------------------------------------------------------------


@pytest.mark.usefixtures("reader")
def test_the_times_of_a_request() -> None:
    """Each part has its time from its own beginning, so that sending slowly gains nothing."""
    site = Site()
    assert site.conversation.deadline == BOUNDS.head_time
    site.now = 4
    site.hear(POST[:10])
    assert (site.conversation.phase, site.conversation.deadline) == (Phase.HEAD, BOUNDS.head_time)
    site.hear(POST[10:-3])
    for now in (4, 6):
        site.now = now
        assert (site.conversation.phase, site.conversation.deadline) == (
            Phase.BODY,
            4 + BOUNDS.body_time,
        )
        site.hear(b"l")
    site.at_once = False
    site.hear(b"o")
    assert (site.conversation.phase, site.conversation.deadline) == (Phase.ANSWERING, math.inf)
    site.respond(Response(200))
    assert site.conversation.deadline == 6 + BOUNDS.idle_time
    site.now = 50
    site.hear(b"\r\n")
    assert site.conversation.phase is Phase.IDLE
    site.hear(b"G")
    assert (site.conversation.phase, site.conversation.deadline) == (
        Phase.HEAD,
        50 + BOUNDS.head_time,
    )


@pytest.mark.usefixtures("reader")
@pytest.mark.parametrize("length", [5, -2])
def test_who_sends_too_slowly_is_told(length: int) -> None:
    """In the head and in the body."""
    site = Site()
    site.hear(POST[:length])
    assert status(site.expire()) == 408
    assert site.conversation.lingers


@pytest.mark.parametrize("data", [b"", GET])
def test_who_sends_nothing_is_hung_up_on(data: bytes) -> None:
    """There is no request to answer."""
    site = Site()
    site.hear(data)
    assert site.expire() == b""
    assert site.conversation.ended


def test_stopping_lets_what_is_under_way_come_to_its_answer() -> None:
    """Which is the last; who waits for nothing is let go at once."""
    for data in (b"", GET):
        site = Site()
        site.hear(data)
        site.conversation.stop()
        assert site.conversation.ended
    site = Site()
    site.hear(POST[:-1])
    site.conversation.stop()
    assert not site.conversation.ended
    assert b"connection: close" in site.hear(POST[-1:])
    assert site.conversation.ended
