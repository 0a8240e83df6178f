"""Every task type that the library knows, by captcha family, each beside its solution."""

# Written by `docs/generate_names.py`.
from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ._families import load_name
from ._model import RawSolution, RawTask, Solution, Task
from ._proxy import Proxy, ProxyType

if TYPE_CHECKING:
    from ._puzzle import (
        Box,
        CoordinatesSolution,
        GridSolution,
        ImageAnswerSolution,
        NumbersSolution,
        Point,
        PointsSolution,
        PuzzleAnswer,
        PuzzleSolution,
        TextSolution,
    )
    from ._solutions import CookiesSolution, PlainTextSolution, TokenSolution
    from .alibaba import (
        AlibabaCookiesSolution,
        AlibabaCookiesTask,
        AlibabaPunishTask,
        AlibabaSolution,
        AlibabaTask,
    )
    from .altcha import AltchaSolution, AltchaTask
    from .amazon import (
        AmazonChallengeTask,
        AmazonInvisibleTask,
        AmazonSolution,
        AmazonTask,
        AmazonTaskProxyless,
    )
    from .antigate import AntiBotCookieSolution, AntiBotCookieTask, AntiGateSolution, AntiGateTask
    from .atb import AtbCaptchaTask
    from .audio import AudioTask
    from .basilisk import BasiliskSolution, BasiliskTask
    from .binance import BinanceTask
    from .botdeflector import AntiBotdeflectorTask
    from .captchafox import CaptchaFoxTask
    from .capy import CapySolution, CapyTask
    from .castle import CastleSolution, CastleTask
    from .classification import (
        AwsWafClassificationSolution,
        AwsWafClassificationTask,
        RecaptchaV2ClassificationSolution,
        RecaptchaV2ClassificationTask,
        VisionEngineSolution,
        VisionEngineTask,
    )
    from .clicks import (
        BoundingBoxSolution,
        BoundingBoxTask,
        ClickSolution,
        CoordinatesTask,
        DragAndDropSolution,
        DragAndDropTask,
        DrawAroundSolution,
        DrawAroundTask,
        GridTask,
        ImageToCoordinatesSolution,
        ImageToCoordinatesTask,
        RotateSolution,
        RotateTask,
    )
    from .complex_image import (
        ComplexImageFunCaptchaTask,
        ComplexImageHCaptchaTask,
        ComplexImageRecaptchaTask,
    )
    from .cutcaptcha import CutCaptchaTask
    from .cybersiara import AntiCyberSiAraTask
    from .datadome import DataDomeSolution, DataDomeTask
    from .friendly import FriendlyTask
    from .funcaptcha import FunCaptchaTask, FunCaptchaTaskProxyless
    from .geetest import (
        GeeTestOperationSolution,
        GeeTestOperationTask,
        GeeTestSolution,
        GeeTestTask,
        GeeTestTaskProxyless,
        GeeTestV4Solution,
        GeeTestV4Task,
    )
    from .hcaptcha import HCaptchaSolution, HCaptchaTask, HCaptchaTaskProxyless
    from .hunt import HuntMetaTokenTask, HuntTask, HuntWidgetTask
    from .image import (
        ImageToTextBatchSolution,
        ImageToTextBatchTask,
        ImageToTextSolution,
        ImageToTextTask,
    )
    from .imperva import ImpervaTask
    from .keycaptcha import KeyCaptchaTask
    from .lemin import LeminSolution, LeminTask
    from .mtcaptcha import MTCaptchaTask
    from .prosopo import ProsopoTask
    from .recaptcha import (
        NoCaptchaTask,
        NoCaptchaTaskProxyless,
        RecaptchaSolution,
        RecaptchaV2EnterpriseTask,
        RecaptchaV2EnterpriseTaskProxyless,
        RecaptchaV2Task,
        RecaptchaV2TaskProxyless,
        RecaptchaV3EnterpriseM1Task,
        RecaptchaV3EnterpriseTask,
        RecaptchaV3M1Task,
        RecaptchaV3Task,
        RecaptchaV3TaskProxyless,
    )
    from .recognition import (
        BaiduTask,
        Betpunch3x3RotateTask,
        BillsAudioTask,
        Bls3x3Task,
        ComplexImageRecognitionTask,
        DliTask,
        MathSumTask,
        OoclRotateDoubleNewTask,
        OoclRotateNewTask,
        PortugalTextFindIconTask,
        SheinTask,
    )
    from .temu import TemuImageTask, TemuTask
    from .tendi import TenDISolution, TenDITask
    from .text_question import TextCaptchaTask
    from .tspd import TspdTask
    from .turnstile import (
        ClearanceSolution,
        TurnstileChallengeCookieTask,
        TurnstileChallengeTokenTask,
        TurnstileSolution,
        TurnstileTask,
        TurnstileTaskProxyless,
        TurnstileWaitingRoomTask,
    )
    from .vk import VKCaptchaImageSolution, VKCaptchaImageTask, VKCaptchaTask
    from .yandex import (
        PazlCaptchaSolution,
        PazlCaptchaTask,
        SmartCaptchaTask,
        YandexSmartCaptchaSolution,
        YandexSmartCaptchaTask,
        YandexSmartCaptchaTaskProxyless,
    )
    from .yidun import YidunEnterpriseTask, YidunTask

__all__ = [
    "AlibabaCookiesSolution",
    "AlibabaCookiesTask",
    "AlibabaPunishTask",
    "AlibabaSolution",
    "AlibabaTask",
    "AltchaSolution",
    "AltchaTask",
    "AmazonChallengeTask",
    "AmazonInvisibleTask",
    "AmazonSolution",
    "AmazonTask",
    "AmazonTaskProxyless",
    "AntiBotCookieSolution",
    "AntiBotCookieTask",
    "AntiBotdeflectorTask",
    "AntiCyberSiAraTask",
    "AntiGateSolution",
    "AntiGateTask",
    "AtbCaptchaTask",
    "AudioTask",
    "AwsWafClassificationSolution",
    "AwsWafClassificationTask",
    "BaiduTask",
    "BasiliskSolution",
    "BasiliskTask",
    "Betpunch3x3RotateTask",
    "BillsAudioTask",
    "BinanceTask",
    "Bls3x3Task",
    "BoundingBoxSolution",
    "BoundingBoxTask",
    "Box",
    "CaptchaFoxTask",
    "CapySolution",
    "CapyTask",
    "CastleSolution",
    "CastleTask",
    "ClearanceSolution",
    "ClickSolution",
    "ComplexImageFunCaptchaTask",
    "ComplexImageHCaptchaTask",
    "ComplexImageRecaptchaTask",
    "ComplexImageRecognitionTask",
    "CookiesSolution",
    "CoordinatesSolution",
    "CoordinatesTask",
    "CutCaptchaTask",
    "DataDomeSolution",
    "DataDomeTask",
    "DliTask",
    "DragAndDropSolution",
    "DragAndDropTask",
    "DrawAroundSolution",
    "DrawAroundTask",
    "FriendlyTask",
    "FunCaptchaTask",
    "FunCaptchaTaskProxyless",
    "GeeTestOperationSolution",
    "GeeTestOperationTask",
    "GeeTestSolution",
    "GeeTestTask",
    "GeeTestTaskProxyless",
    "GeeTestV4Solution",
    "GeeTestV4Task",
    "GridSolution",
    "GridTask",
    "HCaptchaSolution",
    "HCaptchaTask",
    "HCaptchaTaskProxyless",
    "HuntMetaTokenTask",
    "HuntTask",
    "HuntWidgetTask",
    "ImageAnswerSolution",
    "ImageToCoordinatesSolution",
    "ImageToCoordinatesTask",
    "ImageToTextBatchSolution",
    "ImageToTextBatchTask",
    "ImageToTextSolution",
    "ImageToTextTask",
    "ImpervaTask",
    "KeyCaptchaTask",
    "LeminSolution",
    "LeminTask",
    "MTCaptchaTask",
    "MathSumTask",
    "NoCaptchaTask",
    "NoCaptchaTaskProxyless",
    "NumbersSolution",
    "OoclRotateDoubleNewTask",
    "OoclRotateNewTask",
    "PazlCaptchaSolution",
    "PazlCaptchaTask",
    "PlainTextSolution",
    "Point",
    "PointsSolution",
    "PortugalTextFindIconTask",
    "ProsopoTask",
    "Proxy",
    "ProxyType",
    "PuzzleAnswer",
    "PuzzleSolution",
    "RawSolution",
    "RawTask",
    "RecaptchaSolution",
    "RecaptchaV2ClassificationSolution",
    "RecaptchaV2ClassificationTask",
    "RecaptchaV2EnterpriseTask",
    "RecaptchaV2EnterpriseTaskProxyless",
    "RecaptchaV2Task",
    "RecaptchaV2TaskProxyless",
    "RecaptchaV3EnterpriseM1Task",
    "RecaptchaV3EnterpriseTask",
    "RecaptchaV3M1Task",
    "RecaptchaV3Task",
    "RecaptchaV3TaskProxyless",
    "RotateSolution",
    "RotateTask",
    "SheinTask",
    "SmartCaptchaTask",
    "Solution",
    "Task",
    "TemuImageTask",
    "TemuTask",
    "TenDISolution",
    "TenDITask",
    "TextCaptchaTask",
    "TextSolution",
    "TokenSolution",
    "TspdTask",
    "TurnstileChallengeCookieTask",
    "TurnstileChallengeTokenTask",
    "TurnstileSolution",
    "TurnstileTask",
    "TurnstileTaskProxyless",
    "TurnstileWaitingRoomTask",
    "VKCaptchaImageSolution",
    "VKCaptchaImageTask",
    "VKCaptchaTask",
    "VisionEngineSolution",
    "VisionEngineTask",
    "YandexSmartCaptchaSolution",
    "YandexSmartCaptchaTask",
    "YandexSmartCaptchaTaskProxyless",
    "YidunEnterpriseTask",
    "YidunTask",
]


def __getattr__(name: str) -> Any:
    try:
        value = load_name(name)
    except KeyError:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}") from None
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
