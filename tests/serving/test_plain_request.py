"""Plain requests are read at a glance: what is read so is what a parser reads, and nothing else."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from captcha_async._serving._conversation import Conversation, answer_at_once
from captcha_async._serving._fast_requests import FastRequests
from captcha_async._serving._h11_requests import H11Requests
from captcha_async._serving._messages import (
    BadRequest,
    Bounds,
    Exchange,
    Request,
    RequestReader,
    Response,
)
from captcha_async._serving._plain_request import read_plain

BOUNDS = Bounds(head_bytes=300, body_bytes=100)
PLAIN = (
    b"POST /in/token HTTP/1.1\r\nHost: a.example:8080\r\nUser-Agent: Go-http-client/1.1\r\n"
    b"Content-Length: 5\r\nContent-Type: application/json\r\n\r\nhello"
)
CLOSING = PLAIN.replace(b"Host", b"Connection:  Close \r\nHost")
KEPT = PLAIN.replace(b"Host", b"connection: keep-alive\r\nHost")
BARE = b"POST / HTTP/1.1\r\nhost:\r\ncontent-length: 0\r\n\r\n"

ODD = [
    b"",
    PLAIN[:-1],
    PLAIN + b"\r\n",
    PLAIN + PLAIN,
    b"\r\n" + PLAIN,
    PLAIN.replace(b"POST", b"PUT"),
    PLAIN.replace(b"POST", b"post"),
    PLAIN.replace(b"POST", b"GET"),
    PLAIN.replace(b"/1.1\r\nHost", b"/1.0\r\nHost"),
    PLAIN.replace(b"/in/token", b"http://a.example/in/token"),
    PLAIN.replace(b"/in/token", b"/in/\xc3\xa9"),
    PLAIN.replace(b"/in/token", b"/in token"),
    PLAIN.replace(b"Host", b"Hosts"),
    PLAIN.replace(b"Host", b"Host: b\r\nHost"),
    PLAIN.replace(b"Host:", b"Host :"),
    PLAIN.replace(b"Host", b"X: a\r\n b\r\nHost"),
    PLAIN.replace(b"Host", b"X: a\x00b\r\nHost"),
    PLAIN.replace(b"Host", b"Expect: 100-continue\r\nHost"),
    PLAIN.replace(b"Host", b"Transfer-Encoding: chunked\r\nHost"),
    PLAIN.replace(b"Host", b"Upgrade: websocket\r\nHost"),
    PLAIN.replace(b"Host", b"Proxy-Connection: close\r\nHost"),
    PLAIN.replace(b"Host", b"Connection: upgrade\r\nHost"),
    PLAIN.replace(b"Host", b"Connection: close\r\nConnection: close\r\nHost"),
    PLAIN.replace(b"Host", b"Connection: keep-alive, close\r\nHost"),
    PLAIN.replace(b"Host", b"Content-Length: 5\r\nHost"),
    PLAIN.replace(b": 5", b": +5"),
    PLAIN.replace(b": 5", b": 5, 5"),
    PLAIN.replace(b": 5", b": "),
    PLAIN.replace(b": 5", b": 4"),
    PLAIN.replace(b": 5", b": 6"),
    PLAIN.replace(b": 5", b": " + b"0" * 9 + b"5"),
    PLAIN.replace(b"Content-Length: 5\r\n", b""),
    PLAIN.replace(b"\r\n", b"\n"),
    PLAIN.replace(b"Host", b"X: " + b"y" * 300 + b"\r\nHost"),
    PLAIN.replace(b": 5", b": 101").replace(b"hello", b"y" * 101),
]


def told(request: Request | None) -> tuple[object, ...] | None:
    """Return all that a request says."""
    if request is None:
        return None
    headers = [(name, value.strip(b" \t")) for name, value in request.headers]
    said = request.method, request.target, headers, request.body
    return *said, request.overflow, request.keep_alive


def parsed(reader: RequestReader, data: bytes) -> tuple[object, ...] | None:
    """Return what a parser reads, if that is one whole request and all of *data*."""
    reader.feed(data)
    try:
        request = reader.next()
    except BadRequest:
        return None
    return told(request) if reader.is_fresh() or (request and not request.keep_alive) else None


@pytest.mark.parametrize("data", [PLAIN, CLOSING, KEPT, BARE])
def test_what_services_send_is_plain(data: bytes) -> None:
    """It is read, as a parser reads it."""
    request = read_plain(data, BOUNDS)
    assert request is not None
    assert request.keep_alive is (data is not CLOSING)
    assert told(request) == parsed(H11Requests(BOUNDS), data) == parsed(FastRequests(BOUNDS), data)


@pytest.mark.parametrize("data", ODD)
def test_what_differs_in_the_least_is_left_to_a_parser(data: bytes) -> None:
    """Whether that can read it or not."""
    assert read_plain(data, BOUNDS) is None


HOSTS = st.sampled_from([b"Host: a", b"host:b\t", b"HOST:"])
LINES = st.sampled_from(
    [
        b"Connection: close",
        b"CONNECTION:\tKeep-Alive \t",
        b"Content-Type: application/json; charset=utf-8",
        b"X-Empty:",
        b"X-High: \xe9\xff",
        b'X: a: b, "c"',
        b"Content-Length: 5",
        b"Content-Length: 05",
        b"Connection: x",
        b"X : a",
        b" folded",
        b"Expect: 100-continue",
        b"Transfer-Encoding: chunked",
        b"Upgrade: h2c",
    ]
)
FIRST = st.sampled_from(
    [b"POST / HTTP/1.1", b"POST /a/b?c=%20#d HTTP/1.1", b"POST /~|{ HTTP/1.1", b"GET / HTTP/1.1"]
)
BODIES = st.sampled_from([b"", b"hello", b"hello\r\n", b"\r\n\r\n\x00"])


@st.composite
def requests(draw: st.DrawFn) -> bytes:
    """Make nearly a request: what it needs, more lines, and half of the time a byte is changed."""
    body = draw(BODIES)
    needed = [draw(HOSTS), b"content-length: %d" % len(body)]
    lines = draw(st.permutations([*needed, *draw(st.lists(LINES, max_size=3))]))
    data = b"\r\n".join([draw(FIRST), *lines]) + b"\r\n\r\n" + body
    if draw(st.booleans()):
        position = draw(st.integers(0, len(data) - 1))
        byte = draw(st.sampled_from(b"\r\n\t :\x00\x7f\x80aA0/"))
        data = data[:position] + bytes([byte]) + data[position + 1 :]
    return data


@given(data=requests())
@example(data=PLAIN.replace(b"Host: ", b"Host:\t \t"))
def test_what_is_read_at_a_glance_is_what_a_parser_reads(data: bytes) -> None:
    """Either parser, to the last byte."""
    plain = told(read_plain(data, BOUNDS))
    if plain is not None:
        assert parsed(H11Requests(BOUNDS), data) == plain
        assert parsed(FastRequests(BOUNDS), data) == plain


class Echo:
    """A handler that answers with the body, and its one conversation."""

    def __init__(self, failure: Exception | None = None) -> None:
        self.failure = failure
        self.later = False

    def judge(self, head: Request) -> Response | None:
        """Read on."""
        return None

    def answer(self, request: Request) -> Response | None:
        """Answer, or fail."""
        if self.failure is not None:
            raise self.failure
        return None if self.later else Response(200, (), request.body)

    def handle(self, request: Request, exchange: Exchange) -> None:
        """Answer."""
        exchange.respond(Response(200, (), request.body))

    def respond(self, response: Response) -> None:
        """Pass an answer on."""
        self.conversation.respond(response, 0.0)

    def when_gone(self, callback: object) -> None:
        """Nobody goes away here."""

    def converse(self, data: bytes) -> bytes:
        """Return what a conversation says to *data*."""
        self.conversation = Conversation(self, self, BOUNDS, 0.0)
        self.conversation.receive(data)
        self.conversation.proceed(0.0)
        return self.conversation.take()


def test_an_answer_at_once_is_that_of_a_conversation() -> None:
    """For the request that is plain and the last one."""
    echo = Echo()
    answer = answer_at_once(echo, BOUNDS, CLOSING)
    assert answer == echo.converse(CLOSING)
    assert echo.conversation.ended
    assert answer is not None
    assert answer.endswith(b"connection: close\r\n\r\nhello")


@pytest.mark.parametrize("data", [PLAIN, KEPT, CLOSING[:-1], CLOSING + PLAIN])
def test_what_may_go_on_takes_a_conversation(data: bytes) -> None:
    """A connection that is kept, and a request that is not all of what came."""
    assert answer_at_once(Echo(), BOUNDS, data) is None


def test_an_answer_that_takes_longer_takes_a_conversation() -> None:
    """The handler says so."""
    echo = Echo()
    echo.later = True
    assert answer_at_once(echo, BOUNDS, CLOSING) is None


def test_a_handler_that_fails_is_answered_for(caplog: pytest.LogCaptureFixture) -> None:
    """With 500, and with a word in the log."""
    answer = answer_at_once(Echo(ValueError("of the handler")), BOUNDS, CLOSING)
    assert answer is not None
    assert answer.startswith(b"HTTP/1.1 500 ")
    assert "a request could not be answered" in caplog.text


def test_plain_requests_follow_each_other_and_others() -> None:
    """Whatever has read the one before; and two that come before either was answered."""
    echo = Echo()
    assert echo.converse(KEPT).endswith(b"hello")
    for data in (PLAIN, PLAIN[:50], PLAIN[50:], KEPT, PLAIN + KEPT, PLAIN):
        echo.conversation.receive(data)
        echo.conversation.proceed(0.0)
    assert echo.conversation.take().count(b"\r\n\r\nhello") == 6
    echo.conversation.receive(PLAIN)
    echo.conversation.receive(CLOSING)
    echo.conversation.proceed(0.0)
    assert echo.conversation.take().count(b"\r\n\r\nhello") == 2
    assert echo.conversation.ended
