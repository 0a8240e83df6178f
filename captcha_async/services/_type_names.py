"""What the services call CapMonster's task types, as data."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import attrs

__all__ = ["ANTI_CAPTCHA_TYPES", "CAPSOLVER_TYPES", "TWO_CAPTCHA_TYPES", "TypeName"]


@attrs.frozen
class TypeName:
    """What a service calls a task type."""

    proxied: str | None
    """Its name with a proxy of yours; None if the service takes none for it."""
    proxyless: str | None
    """Its name without a proxy; None if the service wants one."""
    keys: Mapping[str, str] = attrs.field(factory=dict)
    """Wire keys that differ from CapMonster's, by CapMonster's (dotted where nested)."""
    fixed: Mapping[str, Any] | None = None
    """Keys with one value, by dotted path; None for the same as at CapMonster."""

    @property
    def names(self) -> tuple[str, ...]:
        """The one or two names."""
        return tuple(name for name in (self.proxied, self.proxyless) if name)

    def of(self, *, proxied: bool) -> str:
        """Return the name for a task with or without a proxy; the other one if there is but one."""
        return (self.proxied if proxied else self.proxyless) or self.names[0]


def _pair(
    name: str,
    suffix: str = "Proxyless",
    *,
    keys: Mapping[str, str] | None = None,
    fixed: Mapping[str, Any] | None = None,
) -> TypeName:
    return TypeName(name, name + suffix, keys or {}, fixed)


def _same_pairs(*models: str, suffix: str = "Proxyless") -> dict[str, TypeName]:
    """Types with CapMonster's name, and another one without a proxy; old proxyless models too."""
    names = {model: _pair(model, suffix) for model in models}
    old = {f"{model}Proxyless": TypeName(None, model + suffix) for model in models}
    return names | {model: name for model, name in old.items() if model in _OLD}


_OLD = {
    "RecaptchaV2TaskProxyless",
    "RecaptchaV2EnterpriseTaskProxyless",
    "HCaptchaTaskProxyless",
    "GeeTestTaskProxyless",
    "FunCaptchaTaskProxyless",
}


def _raised(*keys: str) -> dict[str, str]:
    """Keys that stand in `metadata` at CapMonster and in the task itself elsewhere."""
    return {f"metadata.{key}": key for key in keys}


_V3 = TypeName(None, "RecaptchaV3TaskProxyless")
_V3_ENTERPRISE = TypeName(None, "RecaptchaV3TaskProxyless", fixed={"isEnterprise": True})
_AMAZON = _pair("AmazonTask")
_FRIENDLY = _pair("FriendlyCaptchaTask", fixed={})

# Types whose fields are other ones there are left out: altcha (`challengeURL`, `challengeJSON`),
# the images that are clicked (`GridTask`, `VisionEngine`…), Temu. A `RawTask` sends them.
ANTI_CAPTCHA_TYPES: Mapping[str, TypeName] = {
    "ImageToTextTask": TypeName(None, "ImageToTextTask"),
    **_same_pairs(
        "RecaptchaV2Task",
        "RecaptchaV2EnterpriseTask",
        "HCaptchaTask",
        "GeeTestTask",
        "FunCaptchaTask",
        "ProsopoTask",
    ),
    "RecaptchaV3TaskProxyless": _V3,
    "RecaptchaV3EnterpriseTask": _V3_ENTERPRISE,
    "GeeTestV4Task": _pair("GeeTestTask"),
    "TurnstileTask": _pair("TurnstileTask", keys={"pageAction": "action", "data": "cData"}),
    "TurnstileTaskProxyless": TypeName(
        None, "TurnstileTaskProxyless", {"pageAction": "action", "data": "cData"}
    ),
    "TurnstileChallengeTokenTask": _pair(
        "TurnstileTask",
        keys={"pageAction": "action", "data": "cData", "pageData": "chlPageData"},
        fixed={},
    ),
    "AmazonChallengeTask": _AMAZON,
    "AmazonInvisibleTask": _AMAZON,
    "FriendlyTask": _FRIENDLY,
}
"""anti-captcha's names, by model."""

TWO_CAPTCHA_TYPES: Mapping[str, TypeName] = {
    "ImageToTextTask": TypeName(None, "ImageToTextTask"),
    **_same_pairs(
        "RecaptchaV2Task",
        "RecaptchaV2EnterpriseTask",
        "HCaptchaTask",
        "GeeTestTask",
        "FunCaptchaTask",
        "BinanceTask",
        "ProsopoTask",
        "YidunTask",
    ),
    "RecaptchaV3TaskProxyless": _V3,
    "RecaptchaV3EnterpriseTask": _V3_ENTERPRISE,
    "GeeTestV4Task": _pair("GeeTestTask", keys={"gt": "initParameters.captcha_id"}),
    "TurnstileTask": _pair("TurnstileTask", keys={"pageAction": "action"}),
    "TurnstileTaskProxyless": TypeName(None, "TurnstileTaskProxyless", {"pageAction": "action"}),
    "TurnstileChallengeTokenTask": _pair(
        "TurnstileTask", keys={"pageAction": "action", "pageData": "pagedata"}, fixed={}
    ),
    "AmazonChallengeTask": _AMAZON,
    "AmazonInvisibleTask": _AMAZON,
    "YidunEnterpriseTask": _pair("YidunTask"),
    "MTCaptchaTask": _pair("MtCaptchaTask"),
    "DataDomeTask": TypeName(
        "DataDomeSliderTask",
        None,
        _raised("captchaUrl", "datadomeCookie", "datadomeVersion", "htmlPageBase64"),
        {},
    ),
    "TenDITask": _pair(
        "TencentTask", keys={"websiteKey": "appId", **_raised("captchaUrl")}, fixed={}
    ),
    "BasiliskTask": _pair("BasiliskTask", fixed={}),
    "ImpervaTask": TypeName(
        "IncapsulaTask",
        None,
        _raised("incapsulaScriptUrl", "incapsulaCookies", "reese84UrlEndpoint"),
        {},
    ),
    "TspdTask": TypeName(
        "tspdtask",
        None,
        {"metadata.tspdCookie": "tspdcookie", "metadata.htmlPageBase64": "htmlPageBase64"},
        {},
    ),
    "AlibabaTask": _pair(
        "AlibabaTask",
        keys={
            **_raised("sceneId", "prefix", "userId", "userUserId", "verifyType", "region"),
            "metadata.UserCertifyId": "userCertifyId",
            **_raised("apiGetLib"),
        },
        fixed={},
    ),
    "FriendlyTask": _FRIENDLY,
    "YandexSmartCaptchaTaskProxyless": TypeName(None, "YandexSmartCaptchaTaskProxyless"),
}
"""2captcha's names, by model; most are known from its client libraries."""

CAPSOLVER_TYPES: Mapping[str, TypeName] = {
    "ImageToTextTask": TypeName(None, "ImageToTextTask", {"capMonsterModule": "module"}),
    "RecaptchaV2Task": _pair("ReCaptchaV2Task", "ProxyLess"),
    "RecaptchaV2TaskProxyless": TypeName(None, "ReCaptchaV2TaskProxyLess"),
    "RecaptchaV2EnterpriseTask": _pair("ReCaptchaV2EnterpriseTask", "ProxyLess"),
    "RecaptchaV2EnterpriseTaskProxyless": TypeName(None, "ReCaptchaV2EnterpriseTaskProxyLess"),
    "RecaptchaV3TaskProxyless": TypeName(None, "ReCaptchaV3TaskProxyLess"),
    "RecaptchaV3EnterpriseTask": TypeName(None, "ReCaptchaV3EnterpriseTaskProxyLess"),
    **_same_pairs("HCaptchaTask", "GeeTestTask", "FunCaptchaTask", suffix="ProxyLess"),
    "GeeTestV4Task": _pair("GeeTestTask", "ProxyLess", keys={"gt": "captchaId"}, fixed={}),
    "TurnstileTask": TypeName(
        None,
        "AntiTurnstileTaskProxyLess",
        {"pageAction": "metadata.action", "data": "metadata.cdata"},
    ),
    "TurnstileTaskProxyless": TypeName(
        None,
        "AntiTurnstileTaskProxyLess",
        {"pageAction": "metadata.action", "data": "metadata.cdata"},
    ),
    "TurnstileChallengeCookieTask": TypeName("AntiCloudflareTask", None, fixed={}),
    "AmazonChallengeTask": _pair(
        "AntiAwsWafTask",
        "ProxyLess",
        keys={
            "websiteKey": "awsKey",
            "iv": "awsIv",
            "context": "awsContext",
            "challengeScript": "awsChallengeJS",
        },
    ),
    "MTCaptchaTask": _pair("MtCaptchaTask", "ProxyLess"),
    "DataDomeTask": TypeName("DatadomeSliderTask", None, _raised("captchaUrl"), {}),
}
"""capsolver's names, by model."""
