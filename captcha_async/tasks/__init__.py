"""Every task type that the library knows, by captcha family, each beside its solution."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ._families import load_name
from ._model import RawSolution, RawTask, Solution, Task
from ._proxy import Proxy, ProxyType

if TYPE_CHECKING:
    from ._puzzle import (
        GridSolution,
        ImageAnswerSolution,
        NumbersSolution,
        Point,
        PointsSolution,
        PuzzleAnswer,
        PuzzleSolution,
        TextSolution,
    )
    from ._solutions import CookiesSolution, TokenSolution
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
    from .basilisk import BasiliskSolution, BasiliskTask
    from .binance import BinanceTask
    from .castle import CastleSolution, CastleTask
    from .complex_image import (
        ComplexImageFunCaptchaTask,
        ComplexImageHCaptchaTask,
        ComplexImageRecaptchaTask,
    )
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
    from .image import ImageToTextSolution, ImageToTextTask
    from .imperva import ImpervaTask
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
        RecaptchaV3EnterpriseTask,
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
    from .temu import TemuTask
    from .tendi import TenDISolution, TenDITask
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
    from .yandex import YandexSmartCaptchaSolution, YandexSmartCaptchaTaskProxyless
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
    "BaiduTask",
    "BasiliskSolution",
    "BasiliskTask",
    "Betpunch3x3RotateTask",
    "BillsAudioTask",
    "BinanceTask",
    "Bls3x3Task",
    "CastleSolution",
    "CastleTask",
    "ClearanceSolution",
    "ComplexImageFunCaptchaTask",
    "ComplexImageHCaptchaTask",
    "ComplexImageRecaptchaTask",
    "ComplexImageRecognitionTask",
    "CookiesSolution",
    "DataDomeSolution",
    "DataDomeTask",
    "DliTask",
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
    "HCaptchaSolution",
    "HCaptchaTask",
    "HCaptchaTaskProxyless",
    "HuntMetaTokenTask",
    "HuntTask",
    "HuntWidgetTask",
    "ImageAnswerSolution",
    "ImageToTextSolution",
    "ImageToTextTask",
    "ImpervaTask",
    "MTCaptchaTask",
    "MathSumTask",
    "NoCaptchaTask",
    "NoCaptchaTaskProxyless",
    "NumbersSolution",
    "OoclRotateDoubleNewTask",
    "OoclRotateNewTask",
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
    "RecaptchaV2EnterpriseTask",
    "RecaptchaV2EnterpriseTaskProxyless",
    "RecaptchaV2Task",
    "RecaptchaV2TaskProxyless",
    "RecaptchaV3EnterpriseTask",
    "RecaptchaV3TaskProxyless",
    "SheinTask",
    "Solution",
    "Task",
    "TemuTask",
    "TenDISolution",
    "TenDITask",
    "TextSolution",
    "TokenSolution",
    "TspdTask",
    "TurnstileChallengeCookieTask",
    "TurnstileChallengeTokenTask",
    "TurnstileSolution",
    "TurnstileTask",
    "TurnstileTaskProxyless",
    "TurnstileWaitingRoomTask",
    "YandexSmartCaptchaSolution",
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
