"""Which task objects the emulator refuses, with which of the service's own error codes.

They are judged by the raw JSON and a table of the documented keys, so that a model which writes a
wrong key is found out; after that by the models, which know of more rules.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from typing import Any

from ..errors import InvalidArgument
from ..services import Service
from ..tasks import RawTask
from ..wire import load_task
from ._answers import kind_of, look_up

__all__ = ["refusal"]

Refusal = tuple[str, str]
Task = Mapping[str, Any]

MIN_IMAGE_BYTES = 100
PROXY_KEYS = ("proxyType", "proxyAddress", "proxyPort")
PROXY_TYPES = ("http", "https", "socks4", "socks5")

# What each service answers to a task object that lacks something.
_INVALID = {
    "anti-captcha": "ERROR_INCORRECT_SESSION_DATA",
    "2captcha": "ERROR_BAD_PARAMETERS",
    "capsolver": "ERROR_INVALID_TASK_DATA",
}
_INVALID_IMAGE = {
    "captcha69": "ERROR_IMAGE_BODY_NOT_CORRECT",
    "anti-captcha": "ERROR_IMAGE_TYPE_NOT_SUPPORTED",
    "2captcha": "ERROR_IMAGE_TYPE_NOT_SUPPORTED",
    "capsolver": "ERROR_INVALID_IMAGE",
}
_SMALL_IMAGE = {"captcha69": "ERROR_IMAGE_BODY_NOT_CORRECT", "capsolver": "ERROR_INVALID_IMAGE"}
_BAD_PROXY = {
    "anti-captcha": "ERROR_INCORRECT_SESSION_DATA",
    "2captcha": "ERROR_BAD_PROXY",
    "capsolver": "ERROR_INVALID_TASK_DATA",
}

PAGE = "websiteURL websiteKey"
PUZZLE = "imagesBase64 metadata.Task"
CLEARANCE = f"{PAGE} cloudflareTaskType htmlPageBase64 userAgent"

# Required keys by kind of task: `a|b` is either of the two, `a?` may be empty but has to be there.
_REQUIRED: dict[str, str] = {
    "imagetotexttask": "body",
    "recaptchav2task": PAGE,
    "nocaptchatask": PAGE,
    "recaptchav2enterprisetask": PAGE,
    "recaptchav3task": PAGE,
    "recaptchav3enterprisetask": PAGE,
    "hcaptchatask": PAGE,
    "hcaptchaenterprisetask": PAGE,
    "geetesttask": "websiteURL gt|captchaId|initParameters.captcha_id",
    "turnstiletask": PAGE,
    "turnstiletask=token": f"{PAGE} userAgent pageAction data pageData",
    "turnstiletask=cf_clearance": CLEARANCE,
    "turnstiletask=wait_room": CLEARANCE,
    "antiturnstiletask": PAGE,
    "anticloudflaretask": "websiteURL",
    "amazontask": "websiteURL captchaScript|challengeScript",
    "antiawswaftask": "websiteURL",
    "binancetask": f"{PAGE} validateId",
    "prosopotask": PAGE,
    "yiduntask": PAGE,
    "mtcaptchatask": PAGE,
    "funcaptchatask": "websiteURL websitePublicKey",
    "yandexsmartcaptchatask": PAGE,
    "compleximagetask": "class",
    "customtask": "class",
    "compleximagetask:recaptcha": (
        "imageUrls|imagesBase64 metadata.Grid metadata.Task|metadata.TaskDefinition"
    ),
    "compleximagetask:recognition": PUZZLE,
    "compleximagetask:hcaptcha": "imageUrls|imagesBase64 metadata.Task",
    "compleximagetask:funcaptcha": "imageUrls|imagesBase64 metadata.Task",
    "customtask:datadome": "websiteURL metadata.captchaUrl metadata.datadomeCookie",
    "datadomeslidertask": "captchaUrl",
    "customtask:tendi": PAGE,
    "tencenttask": "websiteURL appId",
    "customtask:basilisk": PAGE,
    "basilisktask": PAGE,
    "customtask:imperva": (
        "websiteURL metadata.incapsulaScriptUrl metadata.incapsulaCookies|metadata.incapsulaCookie"
    ),
    "incapsulatask": "websiteURL incapsulaScriptUrl incapsulaCookies",
    "customtask:temu": "websiteURL metadata.cookie",
    "customtask:altcha": (
        "websiteURL websiteKey? metadata.challenge metadata.iterations metadata.salt "
        "metadata.signature"
    ),
    "altchatask": "websiteURL challengeURL|challengeJSON",
    "customtask:castle": f"{PAGE} metadata.wUrl metadata.swUrl",
    "customtask:tspd": "websiteURL metadata.tspdCookie metadata.htmlPageBase64",
    "tspdtask": "websiteURL tspdcookie htmlPageBase64",
    "customtask:hunt": "websiteURL metadata.apiGetLib",
    "customtask:alibaba": "websiteURL",
    "alibabatask": "websiteURL",
    "customtask:friendly": f"{PAGE} metadata.apiGetLib",
    "friendlycaptchatask": PAGE,
    "gridtask": "body",
    "coordinatestask": "body",
    "rotatetask": "body",
    "audiotask": "body",
}

# Types that the services have and the library has no model of.
_OTHER_TYPES = {
    "anti-captcha": {"AltchaTask", "AltchaTaskProxyless"},
    "2captcha": {
        "AltchaTask",
        "AltchaTaskProxyless",
        "AudioTask",
        "CoordinatesTask",
        "GridTask",
        "RotateTask",
    },
    "capsolver": {"HCaptchaEnterpriseTask", "HCaptchaEnterpriseTaskProxyLess"},
}

_OBJECTS = {"metadata", "enterprisepayload", "initparameters"}
_LISTS = {"imageurls", "imagesbase64", "exampleimageurls", "exampleimagesbase64", "domains"}
_FLAGS = {"isinvisible", "nocache", "case", "math", "isenterprise", "cookiesolution"}
_RANGES = {"recognizingthreshold": (0, 100), "minscore": (0, 1), "numeric": (0, 1)}


def refusal(task: Mapping[str, Any], service: Service) -> Refusal | None:
    """Return the error code and description for a bad task object, or None for a good one."""
    if not isinstance(task, Mapping) or not isinstance(task.get("type"), str) or not task["type"]:
        return "ERROR_TASK_ABSENT", "The task object or its type is missing."
    required = _required(task)
    if required is None or not _has_type(service, task["type"]):
        return _unsupported(task)
    problems = [*_missing(task, required), *_wrong(task)]
    if problems:
        image = _INVALID_IMAGE.get(service.name) if problems == ["body"] else None
        return image or _invalid(service), f"Missing or wrong: {', '.join(problems)}."
    return _refuse_images(task, service) or _refuse_proxy(task, service) or _misread(task, service)


def _has_type(service: Service, name: str) -> bool:
    names = {name for named in service.type_names.values() for name in named.names}
    return service.types is None or name in names or name in _OTHER_TYPES.get(service.name, ())


def _unsupported(task: Task) -> Refusal:
    return "ERROR_TASK_NOT_SUPPORTED", f"The task type {task['type']!r} is not supported."


def _invalid(service: Service) -> str:
    return _INVALID.get(service.name, "ERROR_INVALID_TASK")


def _misread(task: Task, service: Service) -> Refusal | None:
    """What the models say."""
    try:
        known = load_task(task, service, lenient=True)
    except InvalidArgument as error:
        return _invalid(service), f"Wrong: {error.field} must be {error.rule}."
    if isinstance(known, RawTask) and service.types is None:
        return _unsupported(task)
    return None


def _required(task: Task) -> str | None:
    kind = kind_of(task)
    mode = look_up(task, "cloudflareTaskType")
    return _REQUIRED.get(kind if mode is None else f"{kind}={mode}")


def _missing(task: Task, required: str) -> list[str]:
    missing = []
    for choice in required.split():
        values = [look_up(task, path.rstrip("?")) for path in choice.split("|")]
        given = [value for value in values if value is not None]
        if not given or (not choice.endswith("?") and not any(map(_filled, given))):
            missing.append(choice.rstrip("?").replace("|", " or "))
    return missing


def _filled(value: Any) -> bool:
    return value not in ("", [], {})


def _wrong(task: Task) -> list[str]:
    """Keys whose value is of a wrong kind."""
    wrong = [key for key, value in task.items() if not _fits(key.lower(), value)]
    url = look_up(task, "websiteURL")
    if isinstance(url, str) and not url.lower().startswith(("http://", "https://")):
        wrong.append("websiteURL")
    return wrong


def _fits(key: str, value: Any) -> bool:
    if value is None:
        return True
    if key in _OBJECTS:
        return isinstance(value, Mapping)
    if key in _LISTS:
        return isinstance(value, list) and all(isinstance(item, str) for item in value)
    if key in _FLAGS:
        return value in (True, False, 0, 1)
    if key in _RANGES:
        least, most = _RANGES[key]
        return isinstance(value, int | float) and least <= value <= most
    return isinstance(value, str | int | float)


def _refuse_images(task: Task, service: Service) -> Refusal | None:
    body = look_up(task, "body")
    if body is None:
        return None
    try:
        size = len(base64.b64decode(body, validate=True))
    except (binascii.Error, ValueError, TypeError):
        code = _INVALID_IMAGE.get(service.name, "ERROR_ZERO_CAPTCHA_FILESIZE")
        return code, "body is no base64 text."
    if size < MIN_IMAGE_BYTES:
        code = _SMALL_IMAGE.get(service.name, "ERROR_ZERO_CAPTCHA_FILESIZE")
        return code, f"body holds {size} bytes, fewer than {MIN_IMAGE_BYTES}."
    if service.max_image_bytes is not None and size > service.max_image_bytes:
        rule = f"body holds {size} bytes, more than {service.max_image_bytes}."
        return "ERROR_TOO_BIG_CAPTCHA_FILESIZE", rule
    return None


_NEEDS_PROXY = {
    "turnstiletask=cf_clearance",
    "turnstiletask=wait_room",
    "anticloudflaretask",
    "customtask:datadome",
    "customtask:imperva",
    "customtask:tspd",
    "customtask:hunt",
    "incapsulatask",
    "tspdtask",
}


def _refuse_proxy(task: Task, service: Service) -> Refusal | None:
    given = [key for key in PROXY_KEYS if look_up(task, key) not in (None, "")]
    code = _BAD_PROXY.get(service.name, "ERROR_PROXY_MISSING")
    mode = look_up(task, "cloudflareTaskType")
    if not given and not ({kind_of(task), f"{kind_of(task)}={mode}"} & _NEEDS_PROXY):
        return None
    if len(given) < len(PROXY_KEYS) and not look_up(task, "proxy"):
        missing = [key for key in PROXY_KEYS if key not in given]
        return code, f"Missing: {', '.join(missing)}."
    return _refuse_proxy_values(task, service, code)


def _refuse_proxy_values(task: Task, service: Service, code: str) -> Refusal | None:
    kind, port = look_up(task, "proxyType"), look_up(task, "proxyPort")
    if kind is not None and kind not in PROXY_TYPES:
        return code, f"proxyType must be one of {', '.join(PROXY_TYPES)}."
    if port is not None and (not isinstance(port, int) or not 0 <= port <= 65535):
        return code, "proxyPort must be a number from 0 to 65535."
    credentials = f"{look_up(task, 'proxyLogin') or ''}{look_up(task, 'proxyPassword') or ''}"
    if set(credentials) & set(service.forbidden_in_credentials):
        rule = "proxyLogin or proxyPassword holds a character that is not allowed."
        return "ERROR_PROXY_CREDENTIALS_INVALID_CHARACTER", rule
    return None
