"""What the emulator answers: a realistic solution for each task type, under any service's name.

The shapes are the documented ones, as templates: a callable in a template stands for what depends
on the task or on chance.
"""

from __future__ import annotations

import random
import re
import string
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlsplit

import orjson

from ..services import Service
from ..wire._models import find_codec

__all__ = ["kind_of", "look_up", "solution_for"]

Task = Mapping[str, Any]
Part = Callable[[Task, random.Random], Any]

TOKEN = string.ascii_letters + string.digits + "-_"
HEX = "0123456789abcdef"
BLANK = re.compile(r"<(\d+)>")
USER_AGENT = (
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) "
    "Chrome/139.0.0.0 Safari/537.36"
)


def solution_for(task: Task, rng: random.Random, service: Service | None = None) -> Any:
    """Return a documented solution for a createTask task object.

    The same task and the same state of *rng* give the same answer. At a service the answer has the
    shape that its dialect tells; elsewhere, and where that tells none, CapMonster's.
    """
    if service is not None:
        codec = find_codec(task, service, own=False)
        dialect = None if codec is None else service.dialect(codec.model)
        if dialect is not None and dialect.answer is not None:
            return _fill_sample(dialect.answer, rng)
    return _fill(_TEMPLATES.get(kind_of(task), {"token": _text(400)}), task, rng)


def _fill_sample(sample: Any, rng: random.Random) -> Any:
    """Put random characters where a sample asks for them, as in `<32>`."""
    if isinstance(sample, dict):
        return {key: _fill_sample(inner, rng) for key, inner in sample.items()}
    if isinstance(sample, list):
        return [_fill_sample(inner, rng) for inner in sample]
    if isinstance(sample, str):
        return BLANK.sub(lambda match: "".join(rng.choices(TOKEN, k=int(match[1]))), sample)
    return sample


def kind_of(task: Task) -> str:
    """Return the task's type in lower case and without Proxyless; with its class if it has one."""
    kind = str(task.get("type") or "").lower().removesuffix("proxyless")
    group = look_up(task, "class")
    return f"{kind}:{group.lower()}" if isinstance(group, str) else kind


def look_up(value: Any, path: str) -> Any:
    """Return what stands under a dotted path, in any letter case, or None."""
    for key in path.lower().split("."):
        if not isinstance(value, Mapping):
            return None
        value = next((value[name] for name in value if str(name).lower() == key), None)
    return value


def _fill(template: Any, task: Task, rng: random.Random) -> Any:
    if callable(template):
        return _fill(template(task, rng), task, rng)
    if isinstance(template, dict):
        return {
            (key(task, rng) if callable(key) else key): _fill(inner, task, rng)
            for key, inner in template.items()
        }
    if isinstance(template, list):
        return [_fill(inner, task, rng) for inner in template]
    return template


# -- parts of templates ---------------------------------------------------------------------------


def _text(length: int, prefix: str = "", alphabet: str = TOKEN, suffix: str = "") -> Part:
    return lambda _, rng: prefix + "".join(rng.choices(alphabet, k=length)) + suffix


def _number(least: int, most: int, kind: Callable[[int], Any] = int) -> Part:
    return lambda _, rng: kind(rng.randint(least, most))


def _field(path: str, default: Any) -> Part:
    """What the task itself has under *path*."""

    def take(task: Task, _: random.Random) -> Any:
        found = look_up(task, path)
        return default if found is None else found

    return take


def _by(path: str, cases: Mapping[str, Any], otherwise: Any) -> Part:
    """One of several templates, by a value of the task."""
    return lambda task, _: cases.get(str(look_up(task, path)).lower(), otherwise)


def _several(part: Any, least: int, most: int | None = None) -> Part:
    """A list of *part*, of a length by chance."""
    return lambda _, rng: [part] * rng.randint(least, most or least)


def _flags(count: int) -> Part:
    return lambda _, rng: [rng.random() < 0.4 for _ in range(count)]


def _flag_per_image(task: Task, rng: random.Random) -> Any:
    images = look_up(task, "imageUrls") or look_up(task, "imagesBase64") or [None]
    return _flags(len(images))(task, rng)


def _points(_: Task, rng: random.Random) -> Any:
    return [
        {"X": round(rng.uniform(5, 300), 6), "Y": round(rng.uniform(5, 300), 6)}
        for _ in range(rng.randint(1, 4))
    ]


def _host(task: Task, _: random.Random) -> str:
    return urlsplit(str(look_up(task, "websiteURL") or "")).hostname or "example.com"


def _site(task: Task, rng: random.Random) -> str:
    return f"https://{_host(task, rng)}"


def _json(template: Any) -> Part:
    """The text of a JSON object inside of the answer."""
    return lambda task, rng: orjson.dumps(_fill(template, task, rng)).decode()


def _castle_tokens(task: Task, _: random.Random) -> Any:
    count = look_up(task, "metadata.count")
    return [_text(300)] * (min(count, 49) if isinstance(count, int) and count > 0 else 1)


def _domain_cookies(cookies: Mapping[Any, Any], host: Part = _host) -> dict[str, Any]:
    return {"domains": {host: {"cookies": cookies}}}


# -- the documented shapes ------------------------------------------------------------------------

_UA = _field("userAgent", USER_AGENT)
_HEADERS = {"User-Agent": _UA}
_TEXT = _by(
    "math",
    {"true": {"text": _number(1, 99, str)}},
    _by(
        "numeric",
        {"1": {"text": _text(6, alphabet=string.digits)}},
        {"text": _text(6, alphabet=string.ascii_lowercase + string.digits)},
    ),
)
_RECAPTCHA = {"gRecaptchaResponse": _text(600, "03AFcWeA"), "userAgent": _UA}
_HCAPTCHA = {
    "gRecaptchaResponse": _text(900, "P1_eyJ0eXAiOiJKV1Qi"),
    "respKey": _text(300, "E0_eyJ0eXAiOiJKV1Qi"),
    "userAgent": _UA,
}
_CLEARANCE = {"cf_clearance": _text(43, suffix="-1761217338-1.2.1.1-vyVPoLYIGX0V")}
_TURNSTILE_TOKEN = {"userAgent": _UA, "token": _text(500, "0.")}
_TURNSTILE = _by(
    "cloudflareTaskType", {"cf_clearance": _CLEARANCE, "wait_room": _CLEARANCE}, _TURNSTILE_TOKEN
)
_GEETEST_3 = {
    "challenge": _text(34, alphabet=HEX),
    "validate": _text(32, alphabet=HEX),
    "seccode": _text(32, alphabet=HEX, suffix="|jordan"),
}
_GEETEST_4 = {
    "captcha_id": _field("gt", "54088bb07d2df3c46b79f80300b0abbe"),
    "lot_number": _text(32, alphabet=HEX),
    "pass_token": _text(64, alphabet=HEX),
    "gen_time": _number(1_750_000_000, 1_790_000_000, str),
    "captcha_output": _text(300, suffix="=="),
}
_GEETEST_SITE = {
    "lot_number": _text(63, alphabet=HEX),
    "captcha_output": _text(300, suffix="=="),
    "pass_token": _text(64, alphabet=HEX),
    "gen_time": _number(1_750_000_000, 1_790_000_000, str),
    "encryptedData": "",
}


def _geetest(task: Task, _: random.Random) -> Any:
    ids = (look_up(task, "captchaId"), look_up(task, "initParameters.captcha_id"))
    if str(look_up(task, "version")) == "4" or any(ids):
        return _GEETEST_4
    challenge = str(look_up(task, "challenge") or "")
    return (
        _GEETEST_SITE if challenge.isalpha() and set(challenge.lower()) - set(HEX) else _GEETEST_3
    )


_AWS_TOKEN = _text(120, "10115f5b-ebd8-45c7-851e-cfd4f6a82e3e:EoAua1QezAhAAAA:")
_AMAZON = _by(
    "cookieSolution",
    {"true": {"cookies": {"aws-waf-token": _AWS_TOKEN}, "userAgent": _UA}},
    {"captcha_voucher": _text(400), "existing_token": _AWS_TOKEN, "userAgent": _UA},
)
_ALIBABA_TOKENS = {
    "tokens": _json(
        {
            "sceneId": _field("metadata.sceneId", _field("sceneId", "1ww7426c4")),
            "certifyId": _text(10),
            "deviceToken": _text(200, suffix="="),
            "data": _text(120),
        }
    )
}
_ALIBABA_COOKIES = _domain_cookies(
    {"arms_uid": _text(36), "sca": _text(8, alphabet=HEX), "x5sec": _text(200), "tfstk": _text(80)}
)


def _alibaba(task: Task, _: random.Random) -> Any:
    punished = look_up(task, "metadata.punishUrl") or look_up(task, "punishUrl")
    if punished or look_up(task, "metadata.cookieRequired") or look_up(task, "cookieRequired"):
        return _ALIBABA_COOKIES
    return {"data": _ALIBABA_TOKENS}


def _puzzle(answer: Any, answer_type: str) -> dict[str, Any]:
    return {"answer": answer, "metadata": {"AnswerType": answer_type}}


_ANGLE = _puzzle([lambda _, rng: round(rng.uniform(0, 360), 5)], "NumericArray")
_PUZZLES = {
    "oocl_rotate_new": _ANGLE,
    "oocl_rotate_double_new": _ANGLE,
    "baidu": _puzzle([_number(0, 359)], "NumericArray"),
    "betpunch_3x3_rotate": _puzzle(_several(_number(1, 4), 9), "NumericArray"),
    "bls_3x3": _puzzle(_flags(9), "Grid"),
    "shein": _puzzle(_points, "Coordinate"),
    "bills_audio": _puzzle(_several(_number(0, 9), 6), "Text"),
    "dli": _puzzle(_number(1, 9, str), "Text"),
    "mathsum": _puzzle(_number(2, 199, str), "Text"),
    "portugal_text_find_icon": _puzzle([_number(1, 5)], "NumericArray"),
}
_GRIDS = {"1x1": _flags(1), "4x4": _flags(16)}
_DATADOME_COOKIE = _text(128, alphabet=TOKEN + "~")

_TEMPLATES: dict[str, Any] = {
    "imagetotexttask": _TEXT,
    "recaptchav2task": _RECAPTCHA,
    "nocaptchatask": _RECAPTCHA,
    "recaptchav2enterprisetask": _RECAPTCHA,
    "recaptchav3task": _RECAPTCHA,
    "recaptchav3enterprisetask": _RECAPTCHA,
    "hcaptchatask": _HCAPTCHA,
    "geetesttask": _geetest,
    "turnstiletask": _TURNSTILE,
    "antiturnstiletask": _TURNSTILE_TOKEN,
    "anticloudflaretask": {"cookies": _CLEARANCE, "userAgent": _UA},
    "amazontask": _AMAZON,
    "antiawswaftask": {"cookie": _AWS_TOKEN},
    "binancetask": {"token": _text(110, "captcha#"), "userAgent": _UA},
    "prosopotask": {"token": _text(500, "0x", HEX)},
    "yiduntask": {"token": _text(300, "CN31_")},
    "mtcaptchatask": {"token": _text(300, "v1(155506dc,c8c2e356,", suffix="**)")},
    "funcaptchatask": {
        "token": _text(17, alphabet=HEX, suffix=".5060184402|r=us-west-2|lang=en|at=40|ag=101"),
        "userAgent": _UA,
    },
    "yandexsmartcaptchatask": {"token": _text(180, "dD0x")},
    "compleximagetask": {"answer": _flag_per_image},
    "compleximagetask:recaptcha": {
        "answer": _by("metadata.Grid", _GRIDS, _flags(9)),
        "metadata": {"AnswerType": "Grid"},
    },
    "compleximagetask:recognition": _by(
        "metadata.Task", _PUZZLES, _puzzle([_number(1, 9)], "NumericArray")
    ),
    "compleximagetask:hcaptcha": _puzzle(_flag_per_image, "Grid"),
    "compleximagetask:funcaptcha": {"answer": _flags(6)},
    "customtask:datadome": {
        "domains": {_host: {"cookies": {"datadome": _DATADOME_COOKIE}, "localStorage": None}},
        "url": None,
        "fingerprint": None,
        "headers": None,
        "data": None,
    },
    "datadomeslidertask": {"cookie": _text(128, "datadome=", suffix="; Path=/; Secure")},
    "customtask:tendi": {
        "data": {"randstr": _text(3, "@"), "ticket": _text(300, "tr03", suffix="*")},
        "headers": _HEADERS,
    },
    "tencenttask": {
        "appid": _field("appId", "189123456"),
        "ret": 0,
        "ticket": _text(300, "tr03", suffix="*"),
        "randstr": _text(3, "@"),
    },
    "customtask:basilisk": {
        "data": {"captcha_response": _text(32, alphabet=HEX)},
        "headers": _HEADERS,
    },
    "basilisktask": {"data": {"captcha_response": _text(32, alphabet=HEX)}, "headers": _HEADERS},
    "customtask:imperva": _domain_cookies(
        {"___utmvc": _text(200, suffix="; Max-Age=31536000; Path=/; Secure; SameSite=Lax")}, _site
    ),
    "incapsulatask": _domain_cookies({"___utmvc": _text(200)}, _site),
    "customtask:temu": _domain_cookies(
        {"region": "211", "language": "en", "api_uid": _text(22), "verifyAuthToken": _text(39)}
    ),
    "customtask:altcha": {
        "data": {"token": _text(240, "eyJhbGdvcml", suffix="=="), "number": _number(1, 5000)}
    },
    "customtask:castle": {
        "data": {"tokens": _castle_tokens},
        **_domain_cookies({"__cuid": _text(32, alphabet=HEX)}),
    },
    "customtask:tspd": {
        "Domains": {
            _host: {"Cookies": {"TS386a400d029": _text(60, "08"), "TSPD_101_DID": _text(60, "08")}}
        }
    },
    "tspdtask": _domain_cookies({"TS386a400d029": _text(60, "08")}),
    "customtask:hunt": {"data": {"token": _text(300, suffix="=")}},
    "customtask:alibaba": _alibaba,
    "alibabatask": _alibaba,
    "customtask:friendly": {"data": {"token": _text(200, "56a3727f1f9ae4f339c8e512913cd6f8.")}},
    "friendlycaptchatask": {"token": _text(200, "56a3727f1f9ae4f339c8e512913cd6f8.")},
}
