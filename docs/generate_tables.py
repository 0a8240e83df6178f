"""Writes `reference/errors.md`, `reference/services.md` and the table of the first pages.

python docs/generate_tables.py            # writes the pages
python docs/generate_tables.py --check    # fails if one is not up to date
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import captcha_async
from captcha_async import errors
from captcha_async.services import SERVICES, Service
from captcha_async.services._error_codes import ERROR_CODES, NUMERIC_CODES
from captcha_async.tasks._families import all_models

FOLDER = Path(__file__).parent / "reference"

ERRORS_START = """\
# Errors

This page is written from `captcha_async.errors` and the services' error codes by
`docs/generate_tables.py`.
How to handle errors in a program: [Handling errors](../how-to/errors.md);
attributes of each class: [Error classes](api-errors.md).

## The tree

One branch for each thing that you can do about it; every class is importable from `captcha_async`.
*Again* tells whether `error.retryable` is true: the very same call may be made again.

| Class | What to do | Again |
|---|---|---|
"""

CODES_START = """
## Service codes

The service's code is in `error.code` and its own words are in `error.description`.
The spelling is the services': CAPCHA and UNAVALIABLE are on the wire like that.
*Number* is the `errorId` at anti-captcha and 2captcha; the other services send 1 for every error.
A code that is not on this page raises `UnknownServiceError`.

The codes are those in the documentation, the official clients and published lists of CapMonster
Cloud, captcha69, anti-captcha, 2captcha and capsolver, read in March to October 2026.
A reply without a code is told by its HTTP status: 401 and 403 are a `KeyRejected`, 402 is an
`InsufficientBalance`, 429 is a `RateLimited`. On a poll, or with a page of a proxy or a firewall,
the first three are a `TransportError`: only the service's own codes speak of the account.

| Code | Class | What to do | Number |
|---|---|---|---:|
"""

SERVICES_START = """\
# Services

This page is written from `captcha_async.services` by `docs/generate_tables.py`.
The facts are from each service's own documentation of March to October 2026.
A profile is data: `CAPMONSTER.evolve(base_url="https://…")` is a mirror, and
[Service](api-services.md) has every field.

"""

SERVICES_END = """
- *Gap* and *cap* are the least seconds between two polls of a task and the most polls of it. They
  are kept whatever a schedule says.
- anti-captcha documents no gap, and 2captcha asks for 5 s; the caps of services that document
  none are CapMonster's.
- *Kept* is how long a result can be fetched, in seconds.
- *Ban* is for how many seconds an account error keeps the [fuse](../explanation/fuse.md) open.
- *Image* is the largest image in bytes, where a limit is documented.
- *Types* is the number of classes of [task types](tasks.md) that it takes; a `RawTask` goes
  anywhere.
- *Money* is the currency of balance and costs, where one is documented; *unsolved* tells whether a
  task that could not be solved costs all the same.

captcha69 documents createTask and getTaskResult only. Its protocol is CapMonster's in everything
seen, so balance and reports are taken to be so too.

## Default times

Where nothing has been learned of a task type yet, and where no `timeout` is given, these times
apply to the task's family; `token` is every family that is not listed.
They are those of the services' own clients, intervals raised to the service's gap; where a client
gives up sooner than this library, a task that was paid for would be lost.

| Service | Family | First poll, s | Then every, s | Wait without a timeout, s |
|---|---|---:|---:|---:|
"""

REPORTS = """
## Reports

Which methods take the report of an answer, by kind of task; *any* is every type.
*Window* is the time after the answer within which a report is taken, where one is documented.

| Service | Kind | Answer was | Method | Window, s | Note |
|---|---|---|---|---:|---|
"""


def errors_page() -> str:
    """Return the page of the errors."""
    lines = [ERRORS_START.rstrip("\n")]
    for depth, name, advice in _tree():
        retryable = "yes" if getattr(errors, name).retryable else ""
        indent = "&emsp;" * (depth - 1)
        lines.append(f"| {indent}`{name}` | {advice} | {retryable} |")
    lines.append(CODES_START.rstrip("\n"))
    numbers = {code: str(number) for number, code in NUMERIC_CODES.items()}
    for code in ERROR_CODES.values():
        kind = "no error" if code.error is None else f"`{code.error.__name__}`"
        lines.append(f"| `{code.code}` | {kind} | {code.advice} | {numbers.get(code.code, '')} |")
    return "\n".join(lines) + "\n"


def _tree() -> Iterator[tuple[int, str, str]]:
    """Read the drawing at the top of `errors`: depth, class and advice of each branch."""
    for line in (errors.__doc__ or "").splitlines():
        match = re.match(r"([│ ]*)[├└]── (\w+) *(.*)", line)
        if match:
            meaning = (getattr(errors, match[2]).__doc__ or "").partition("\n")[0]
            advice = match[3].rstrip(":") or meaning[0].lower() + meaning[1:].rstrip(".")
            yield len(match[1]) // 4 + 1, match[2], advice


def services_page() -> str:
    """Return the page of the services."""
    names = ("Name", "Constant", "Address", "Gap, s", "Cap", "Kept, s", "Ban, s", "Image", "Types")
    head = f"| {' | '.join(names)} | Money | Unsolved |"
    rule = "|---|---|---|---:|---:|---:|---:|---:|---:|---|---|"
    lines = [SERVICES_START.rstrip("\n"), "", head, rule]
    lines += map(_service, SERVICES.values())
    lines.append(SERVICES_END.rstrip("\n"))
    for service in SERVICES.values():
        for family, times in service.polling.items():
            interval = max(times.interval, service.min_poll_gap)
            cells = f"{times.first:g} | {interval:g} | {times.timeout:g}"
            lines.append(f"| {service.name} | `{family}` | {cells} |")
    lines += [REPORTS.rstrip("\n"), *_reports()]
    return "\n".join(lines) + "\n"


def _reports() -> Iterator[str]:
    for service in SERVICES.values():
        for told, methods in (
            ("wrong", service.reports_incorrect),
            ("right", service.reports_correct),
        ):
            for kind, method in methods.items():
                window = "" if method.window is None else f"{method.window:g}"
                note = " ".join(filter(None, (method.note, "Refunded." if method.refunds else "")))
                cells = (service.name, kind, told, f"`{method.path}`", window, note)
                yield f"| {' | '.join(cells)} |"


def _service(service: Service) -> str:
    constant = service.name.upper().replace("-", "_").replace("2CAPTCHA", "TWO_CAPTCHA")
    image = "" if service.max_image_bytes is None else f"{service.max_image_bytes:,}"
    types = str(sum(map(service.takes, all_models())))
    unsolved = "charged" if service.charges_unsolvable else ""
    numbers = (
        service.min_poll_gap,
        service.max_polls,
        service.result_retention,
        service.ban_window,
    )
    cells = [f"`{service.name}`", f"`{constant}`", f"`{service.base_url}`"]
    cells += [
        *(f"{number:g}" for number in numbers),
        image,
        types,
        service.currency or "",
        unsolved,
    ]
    return f"| {' | '.join(cells)} |"


# What people call it, the section of `how-to/captchas.md`, and classes, one of which is taken.
KINDS = (
    ("Text in an image", "an-image", "ImageToTextTask"),
    ("reCAPTCHA v2", "recaptcha-v2", "RecaptchaV2Task"),
    ("reCAPTCHA v3", "recaptcha-v3", "RecaptchaV3TaskProxyless"),
    ("reCAPTCHA Enterprise", "recaptcha-enterprise", "RecaptchaV2EnterpriseTask"),
    ("Cloudflare Turnstile", "cloudflare", "TurnstileTask"),
    ("Cloudflare's waiting page", "the-waiting-page", "TurnstileChallengeCookieTask"),
    ("GeeTest", "geetest", "GeeTestTask"),
    ("hCaptcha", "hcaptcha", "HCaptchaTask"),
    ("FunCaptcha (Arkose)", "funcaptcha-arkose", "FunCaptchaTask"),
    ("AWS WAF", "aws-waf", "AmazonTask AmazonTaskProxyless AmazonInvisibleTask"),
    ("DataDome", "datadome", "DataDomeTask"),
    ("Imperva (Incapsula)", "imperva-incapsula", "ImpervaTask"),
    ("Tencent", "tencent", "TenDITask"),
    ("Alibaba", "others", "AlibabaTask"),
    ("NetEase Yidun", "others", "YidunTask"),
    ("Yandex SmartCaptcha", "others", "YandexSmartCaptchaTask"),
    ("MTCaptcha", "others", "MTCaptchaTask"),
    ("Friendly Captcha", "others", "FriendlyTask"),
    ("Prosopo, Altcha", "others", "ProsopoTask AltchaTask"),
)
START, END = "<!-- types: written by docs/generate_tables.py -->", "<!-- types end -->"


def kinds_table(how_to: str) -> str:
    """Return the table of kinds and services; *how_to* is where their recipes are."""
    lines = [f"| Captcha | {' | '.join(SERVICES)} |", f"|---|{':-:|' * len(SERVICES)}"]
    for name, section, names in KINDS:
        models = [getattr(captcha_async, model) for model in names.split()]
        taken = [any(map(each.takes, models)) for each in SERVICES.values()]
        cells = " | ".join("yes" if each else "" for each in taken)
        lines.append(f"| [{name}]({how_to}#{section}) | {cells} |")
    return "\n".join(lines)


def _first_page(path: Path, how_to: str) -> str:
    """Return a page with the table of now in it."""
    before, _, rest = path.read_text(encoding="utf-8").partition(START)
    after = rest.partition(END)[2]
    return f"{before}{START}\n\n{kinds_table(how_to)}\n\n{END}{after}"


HOME = FOLDER.parent
README = HOME.parent / "README.md"
REPOSITORY = "https://github.com/captcha-async/captcha-async/blob/main"
PAGES: dict[Path, Callable[[], str]] = {
    FOLDER / "errors.md": errors_page,
    FOLDER / "services.md": services_page,
    HOME / "index.md": lambda: _first_page(HOME / "index.md", "how-to/captchas.md"),
    README: lambda: _first_page(README, f"{REPOSITORY}/docs/how-to/captchas.md"),
}


def main() -> None:
    """Write the pages, or compare them."""
    for path, make in PAGES.items():
        if "--check" in sys.argv:
            if not path.exists() or path.read_text(encoding="utf-8") != make():
                sys.exit(f"{path} is not up to date: run {Path(__file__).name}")
        else:
            path.write_text(make(), encoding="utf-8")


if __name__ == "__main__":
    main()
