"""`captcha-async account`: an account that several processes share, as it is now."""

from __future__ import annotations

import json
import secrets
from collections import Counter
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Annotated, Any

import anyio
import typer
from rich.console import Group, RenderableType
from rich.live import Live
from rich.styled import Styled
from rich.table import Table
from rich.text import Text

from .._sharing._open import account_name, make_store
from .._sharing._overview import close_fuses, overview
from .._sharing._store import StoreRefused, StoreUnreachable
from ..services import find_service
from ._exits import FAILED, fail, reporting_errors
from ._messages import output, sentence
from ._options import JsonOutput, ServiceOption, read_key

__all__ = ["account"]

EVERY = 0.5
"""Seconds from one look to the next."""
PLAIN = 120
"""Columns where there is no terminal."""
NOBODY = "no process has shared this account (service and key) there in the last day"

ShareArgument = Annotated[
    str, typer.Argument(help="Where it is shared: a file's path, or redis://…", show_default=False)
]
WatchOption = Annotated[bool, typer.Option("--watch", help="Look twice a second until Ctrl-C.")]
ResetOption = Annotated[
    bool, typer.Option("--reset-fuse", help="Let all processes send again, after topping up.")
]


def account(
    share: ShareArgument,
    service: ServiceOption = "capmonster",
    watch: WatchOption = False,
    json_output: JsonOutput = False,
    reset_fuse: ResetOption = False,
) -> None:
    """Show an account that several processes share: members, slots, rates, spending, fuse and
    callbacks.

    The key is read from CAPTCHA_API_KEY, or asked for. With --watch and --json each look is a line.

    Examples:

        captcha-async account account.db

        captcha-async account redis://redis:6379/0 --watch

        captcha-async account redis://redis:6379/0 --reset-fuse

    Exit codes: 0 done, 1 failed, 2 wrong usage, 130 interrupted.
    """
    with reporting_errors():
        store = make_store(share, account_name(find_service(service).name, read_key()))
        try:
            anyio.run(_show, store, _file(share), watch, json_output, reset_fuse)
        except (StoreRefused, StoreUnreachable) as error:
            fail(sentence(error), FAILED)


def _file(share: str) -> Path | None:
    """Return the file where it is shared; None if it is a server."""
    return None if "://" in share else Path(share)


async def _show(
    store: Any, file: Path | None, watch: bool, json_output: bool, reset_fuse: bool
) -> None:
    console = output()
    if not console.is_terminal:
        console.width = PLAIN
    async with AsyncExitStack() as stack:
        looks = _looks(store, file, reset_fuse, for_ever=watch)
        stack.push_async_callback(looks.aclose)
        if json_output:
            async for seen in looks:
                typer.echo(json.dumps(seen))
            return
        live: Live | None = None
        if watch and console.is_terminal:
            live = stack.enter_context(Live(console=console, auto_refresh=False))
        last: dict[str, Any] | None = None
        async for seen in looks:
            if live is None:
                console.print(_view(seen))
                continue
            view: RenderableType = _view(seen)
            if "members" in seen:
                last = seen
            elif last is not None:
                view = Group(view, "Before that it was:", Styled(_view(last), "dim"))
            live.update(view, refresh=True)


async def _looks(
    store: Any, file: Path | None, reset_fuse: bool, *, for_ever: bool
) -> AsyncGenerator[dict[str, Any], None]:
    """Look once, or again and again; a store that goes away is waited for while watching."""
    me = secrets.token_hex(8)
    # Who only looks makes no file.
    while file is not None and not await anyio.Path(file).exists():
        if not for_ever:
            fail(NOBODY, FAILED)
        yield {"empty": NOBODY}
        await anyio.sleep(EVERY)
    while True:
        try:
            async with store.opened(me):
                while True:
                    state = await store.state()
                    if reset_fuse and state.born:
                        reset_fuse = False
                        await close_fuses(store, state, me)
                        state = await store.state()
                    if not state.born and not for_ever:
                        fail(NOBODY, FAILED)
                    # A store may be looked at before the first process comes, or lose its memory.
                    if state.born:
                        yield overview(state, await store.posts())
                    else:
                        yield {"empty": NOBODY}
                    if not for_ever:
                        return
                    await anyio.sleep(EVERY)
        except StoreUnreachable as error:
            if not for_ever:
                raise
            yield {"unreachable": sentence(error)}
        await anyio.sleep(EVERY)


def _view(seen: dict[str, Any]) -> RenderableType:
    if "unreachable" in seen:
        return Text(f"{seen['unreachable']}; looking again", style="bold red")
    if "empty" in seen:
        return Text(f"{seen['empty']}; waiting for one", style="yellow")
    parts: list[RenderableType] = [_pools(seen), _money(seen)]
    callbacks = seen["callbacks"]
    if callbacks["handed_over"]:
        parts.append(
            f"{callbacks['handed_over']} callbacks handed over, {callbacks['kept']} kept for "
            "tasks that have not ended"
        )
    parts += [_fuse(fuse) for fuse in seen["fuses"]]
    if seen["pause"]:
        parts.append(f"The service has asked all to wait for another {seen['pause']:.1f} s.")
    if seen["settling"]:
        parts.append(
            f"For {seen['settling']:.1f} s nobody is given more: the store has lost something, or "
            "was away."
        )
    return Group(_summary(seen["members"]), *parts, _members(seen["members"]))


def _summary(members: list[dict[str, Any]]) -> str:
    counts = Counter(one["state"] for one in members)
    there = counts.pop("there", 0)
    text = f"{there} member{'' if there == 1 else 's'}"
    return ", ".join([text, *(f"{count} {state}" for state, count in sorted(counts.items()))])


def _pools(seen: dict[str, Any]) -> Table:
    table = Table(box=None, pad_edge=False)
    for name in ("", "of", "booked", "used", "waiting"):
        table.add_column(name, justify="left" if not name else "right")
    for name in ("slots", "submits", "requests"):
        pool = seen.get(name)
        if pool is None:
            continue
        window = f" in {pool['window']:g} s" if "window" in pool else ""
        numbers = (pool["capacity"], pool["booked"], pool["used"], pool["waiting"])
        # For as long as a member that was cut off, and has kept its share, has tasks to end.
        style = "bold red" if pool["used"] > pool["capacity"] else None
        table.add_row(name + window, *map(str, numbers), style=style)
    return table


def _money(seen: dict[str, Any]) -> str:
    cap = "" if seen["max_spend"] is None else f" of {seen['max_spend']:g}, {seen['lent']:.4f} lent"
    return f"spent {seen['spent']:.4f}{cap} in {seen['per']:g} s"


def _fuse(fuse: dict[str, Any]) -> str:
    where = "" if fuse["egress"] is None else f" of egress {fuse['egress']}"
    left = f"for {fuse['left']:.0f} s" if fuse["left"] else "until a probe passes"
    # What the service said may look like markup.
    message = fuse["message"].replace("[", "\\[")
    return f"[bold red]The fuse{where} is open {left}:[/] {fuse['error']}: {message}"


def _members(members: list[dict[str, Any]]) -> Table:
    table = Table(box=None, pad_edge=False)
    for name in ("member", "slots", "used", "waiting", "lent", "lease", ""):
        table.add_column(name, justify="left" if name in ("member", "") else "right")
    for one in members:
        table.add_row(
            one["id"],
            str(one["slots"]),
            str(one["used"]),
            str(one["waiting"]),
            f"{one['lent']:.4f}",
            f"{one['lease']:.1f} s",
            "" if one["state"] == "there" else one["state"],
            style=None if one["state"] == "there" else "yellow",
        )
    return table
