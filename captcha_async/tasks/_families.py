"""Which module has which model; a family's module is imported when one of its names is used.

A class of attrs costs about a millisecond to make, and no program needs all of them.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib import import_module
from typing import Any

from ._model import MODELS, Task

__all__ = ["FAMILIES", "all_models", "find_model", "load_name"]

FAMILIES: Mapping[str, tuple[str, ...]] = {
    "_puzzle": (
        "GridSolution",
        "ImageAnswerSolution",
        "NumbersSolution",
        "Point",
        "PointsSolution",
        "PuzzleAnswer",
        "PuzzleSolution",
        "TextSolution",
    ),
    "_solutions": (
        "CookiesSolution",
        "TokenSolution",
    ),
    "alibaba": (
        "AlibabaCookiesSolution",
        "AlibabaCookiesTask",
        "AlibabaPunishTask",
        "AlibabaSolution",
        "AlibabaTask",
    ),
    "altcha": (
        "AltchaSolution",
        "AltchaTask",
    ),
    "amazon": (
        "AmazonChallengeTask",
        "AmazonInvisibleTask",
        "AmazonSolution",
        "AmazonTask",
        "AmazonTaskProxyless",
    ),
    "basilisk": (
        "BasiliskSolution",
        "BasiliskTask",
    ),
    "binance": ("BinanceTask",),
    "castle": (
        "CastleSolution",
        "CastleTask",
    ),
    "complex_image": (
        "ComplexImageFunCaptchaTask",
        "ComplexImageHCaptchaTask",
        "ComplexImageRecaptchaTask",
    ),
    "datadome": (
        "DataDomeSolution",
        "DataDomeTask",
    ),
    "friendly": ("FriendlyTask",),
    "funcaptcha": (
        "FunCaptchaTask",
        "FunCaptchaTaskProxyless",
    ),
    "geetest": (
        "GeeTestOperationSolution",
        "GeeTestOperationTask",
        "GeeTestSolution",
        "GeeTestTask",
        "GeeTestTaskProxyless",
        "GeeTestV4Solution",
        "GeeTestV4Task",
    ),
    "hcaptcha": (
        "HCaptchaSolution",
        "HCaptchaTask",
        "HCaptchaTaskProxyless",
    ),
    "hunt": (
        "HuntMetaTokenTask",
        "HuntTask",
        "HuntWidgetTask",
    ),
    "image": (
        "ImageToTextSolution",
        "ImageToTextTask",
    ),
    "imperva": ("ImpervaTask",),
    "mtcaptcha": ("MTCaptchaTask",),
    "prosopo": ("ProsopoTask",),
    "recaptcha": (
        "NoCaptchaTask",
        "NoCaptchaTaskProxyless",
        "RecaptchaSolution",
        "RecaptchaV2EnterpriseTask",
        "RecaptchaV2EnterpriseTaskProxyless",
        "RecaptchaV2Task",
        "RecaptchaV2TaskProxyless",
        "RecaptchaV3EnterpriseTask",
        "RecaptchaV3TaskProxyless",
    ),
    "recognition": (
        "BaiduTask",
        "Betpunch3x3RotateTask",
        "BillsAudioTask",
        "Bls3x3Task",
        "ComplexImageRecognitionTask",
        "DliTask",
        "MathSumTask",
        "OoclRotateDoubleNewTask",
        "OoclRotateNewTask",
        "PortugalTextFindIconTask",
        "SheinTask",
    ),
    "temu": ("TemuTask",),
    "tendi": (
        "TenDISolution",
        "TenDITask",
    ),
    "tspd": ("TspdTask",),
    "turnstile": (
        "ClearanceSolution",
        "TurnstileChallengeCookieTask",
        "TurnstileChallengeTokenTask",
        "TurnstileSolution",
        "TurnstileTask",
        "TurnstileTaskProxyless",
        "TurnstileWaitingRoomTask",
    ),
    "yandex": (
        "YandexSmartCaptchaSolution",
        "YandexSmartCaptchaTaskProxyless",
    ),
    "yidun": (
        "YidunEnterpriseTask",
        "YidunTask",
    ),
}
"""The public names of each module that is imported on first use."""


@cache
def _modules() -> dict[str, str]:
    return {name: module for module, names in FAMILIES.items() for name in names}


def load_name(name: str) -> Any:
    """Return a public name of a family's module.

    Raises:
        KeyError: no module has it.
    """
    module = import_module(f".{_modules()[name]}", __package__)
    return getattr(module, name)


def find_model(name: str) -> type[Task[Any]] | None:
    """Return the task model of that class name, if there is one."""
    if name not in MODELS and name in _modules():
        load_name(name)
    return MODELS.get(name)


@cache
def all_models() -> tuple[type[Task[Any]], ...]:
    """Import every family, and return all the library's task models in the order of their names."""
    for module in FAMILIES:
        import_module(f".{module}", __package__)
    names = _modules()
    return tuple(MODELS[name] for name in sorted(MODELS) if name in names)
