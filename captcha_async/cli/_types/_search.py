"""Task types by what people call them: the company, the product, what is seen on the page."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from ...services import SERVICES
from ...tasks._families import all_models
from ...tasks._model import Task

__all__ = ["WORDS", "search"]

# {what people say: parts of the names of the types that they mean}
WORDS: dict[str, str] = {
    "cloudflare": "turnstile",
    "cf_clearance": "turnstile",
    "just a moment": "turnstile",
    "challenge": "turnstile amazonchallenge",
    "waiting room": "turnstilewait",
    "aws": "amazon",
    "waf": "amazon",
    "arkose": "funcaptcha",
    "arkoselabs": "funcaptcha",
    "fun": "funcaptcha",
    "rotate": "funcaptcha rotate",
    "tencent": "tendi",
    "qq": "tendi",
    "image": "imagetotext complex grid rotate 3x3",
    "text": "imagetotext",
    "ocr": "imagetotext",
    "picture": "imagetotext complex",
    "normal": "imagetotext",
    "google": "recaptcha",
    "v2": "recaptchav2",
    "v3": "recaptchav3",
    "enterprise": "enterprise",
    "invisible": "recaptchav2 amazoninvisible",
    "slider": "geetest datadome tendi yidun alibaba",
    "slide": "geetest datadome tendi yidun alibaba",
    "incapsula": "imperva",
    "netease": "yidun",
    "dun163": "yidun",
    "f5": "tspd",
    "shape": "tspd",
    "aliyun": "alibaba",
    "taobao": "alibaba",
    "polkadot": "prosopo",
    "friendlycaptcha": "friendly",
    "pow": "altcha friendly",
    "proof of work": "altcha friendly",
    "smartcaptcha": "yandex",
    "hcap": "hcaptcha",
    "vk": "vkcaptcha",
}
SHORTEST = 3


def search(text: str) -> list[type[Task[Any]]]:
    """Return the models that a word may mean, what is most likely meant first.

    Those are found by name, or else by description.
    """
    word = " ".join(text.lower().replace("-", " ").split())
    plain = word.replace(" ", "").replace("_", "")
    if not plain:
        return []
    parts = [*WORDS.get(word, WORDS.get(plain, "")).split()]
    if len(plain) >= SHORTEST:
        parts.append(plain)
    known = [model for model in all_models() if model.spec.type]
    named = [model for part in parts for model in _most_taken(known, part)]
    named = [*dict.fromkeys(named)]
    if not named and len(plain) >= SHORTEST:
        named = [model for model in known if word in (model.__doc__ or "").lower()]
    # Those that are gone from the documentation are meant only where there are no others.
    return [model for model in named if not model.spec.historic] or named


def _most_taken(models: Iterable[type[Task[Any]]], part: str) -> list[type[Task[Any]]]:
    """Return the models with that part in their names: those that most services take, the plain
    ones before their variants."""
    found = [model for model in models if part in model.__name__.lower()]

    def rank(model: type[Task[Any]]) -> tuple[int, int]:
        return -sum(each.takes(model) for each in SERVICES.values()), len(model.__name__)

    return sorted(found, key=rank)
