"""CapMonster Cloud's task types; captcha69 speaks the same but for the plain Turnstile widget.

The models' wire keys are CapMonster's, so that only what it lacks or requires has to be told.
Sources: CapMonster docs of March and August 2026, the official SDKs.
"""

from __future__ import annotations

from collections.abc import Mapping

from ._dialect import TypeDialect, lone

__all__ = ["CAPMONSTER_TYPES", "CAPTCHA69_TYPES"]

PAGE = "website_url website_key"
V2 = f"{PAGE} recaptcha_data_s_value user_agent cookies is_invisible nocache"
V2_ENTERPRISE = (
    f"{PAGE} page_action enterprise_payload api_domain user_agent cookies recaptcha_data_s_value "
    "nocache"
)
V3 = f"{PAGE} is_enterprise min_score page_action nocache"
HCAPTCHA = f"{PAGE} is_invisible data user_agent cookies fallback_to_actual_ua nocache"
AMAZON = "website_url cookie_solution website_key"
CLEARANCE = "website_url website_key! html_page_base64! user_agent!"
FUNCAPTCHA_NOTE = (
    "The official SDK of 2026-10 refuses a task without a proxy; the documentation shows one."
)


def same(name: str, fields: str = "*", **facts: object) -> TypeDialect:
    """A type with one name, with or without a proxy."""
    return TypeDialect(name, name, fields, **facts)  # type: ignore[arg-type]


def proxied(name: str, fields: str = "*") -> TypeDialect:
    """A type that wants a proxy."""
    return TypeDialect(name, None, fields)


CUSTOM = same("CustomTask")
CUSTOM_PROXIED = proxied("CustomTask")
COMPLEX_IMAGE = lone("ComplexImageTask")
YIDUN = same("YidunTask")

CAPMONSTER_TYPES: Mapping[str, TypeDialect] = {
    "AlibabaCookiesTask": CUSTOM,
    "AlibabaPunishTask": CUSTOM,
    "AlibabaTask": CUSTOM,
    "AltchaTask": same(
        "CustomTask",
        "website_url website_key! challenge! iterations! salt! signature! user_agent",
    ),
    "AmazonChallengeTask": same(
        "AmazonTask", f"{AMAZON} challenge_script! context iv captcha_script"
    ),
    "AmazonInvisibleTask": same("AmazonTask", f"{AMAZON} challenge_script captcha_script"),
    "AmazonTask": same("AmazonTask", f"{AMAZON} captcha_script user_agent"),
    "AmazonTaskProxyless": lone("AmazonTaskProxyless"),
    "BaiduTask": COMPLEX_IMAGE,
    "BasiliskTask": CUSTOM,
    "Betpunch3x3RotateTask": COMPLEX_IMAGE,
    "BillsAudioTask": COMPLEX_IMAGE,
    "BinanceTask": same("BinanceTask"),
    "Bls3x3Task": COMPLEX_IMAGE,
    "CastleTask": CUSTOM,
    "ComplexImageFunCaptchaTask": COMPLEX_IMAGE,
    "ComplexImageHCaptchaTask": COMPLEX_IMAGE,
    "ComplexImageRecaptchaTask": COMPLEX_IMAGE,
    "ComplexImageRecognitionTask": COMPLEX_IMAGE,
    "DataDomeTask": proxied(
        "CustomTask",
        "website_url! captcha_url datadome_cookie! datadome_version user_agent html_page_base64 "
        "domains",
    ),
    "DliTask": COMPLEX_IMAGE,
    "FriendlyTask": same("CustomTask", f"{PAGE} api_get_lib! user_agent"),
    "FunCaptchaTask": same("FunCaptchaTask", note=FUNCAPTCHA_NOTE),
    "FunCaptchaTaskProxyless": lone("FunCaptchaTaskProxyless", note=FUNCAPTCHA_NOTE),
    "GeeTestOperationTask": lone("GeeTestTaskProxyless"),
    # An allow-list of addresses is refused for GeeTest.
    "GeeTestTask": same("GeeTestTask", proxy_login=True),
    "GeeTestTaskProxyless": lone("GeeTestTaskProxyless"),
    "GeeTestV4Task": same("GeeTestTask", proxy_login=True),
    "HCaptchaTask": same("HCaptchaTask", HCAPTCHA),
    "HCaptchaTaskProxyless": lone("HCaptchaTaskProxyless", HCAPTCHA),
    "HuntMetaTokenTask": CUSTOM_PROXIED,
    "HuntTask": CUSTOM_PROXIED,
    "HuntWidgetTask": CUSTOM_PROXIED,
    "ImageToTextTask": lone(
        "ImageToTextTask",
        "body cap_monster_module recognizing_threshold case numeric math",
        hints="website_url language_pool",
        values={"numeric": (0, 1)},
        defaults={"recognizing_threshold": 0, "case": False, "numeric": 0, "math": False},
    ),
    "ImpervaTask": CUSTOM_PROXIED,
    "MTCaptchaTask": same("MTCaptchaTask"),
    "MathSumTask": COMPLEX_IMAGE,
    "NoCaptchaTask": same("NoCaptchaTask", V2),
    "NoCaptchaTaskProxyless": lone("NoCaptchaTaskProxyless", V2),
    "OoclRotateDoubleNewTask": COMPLEX_IMAGE,
    "OoclRotateNewTask": COMPLEX_IMAGE,
    "PortugalTextFindIconTask": COMPLEX_IMAGE,
    "ProsopoTask": same("ProsopoTask"),
    "RecaptchaV2EnterpriseTask": same("RecaptchaV2EnterpriseTask", V2_ENTERPRISE),
    "RecaptchaV2EnterpriseTaskProxyless": lone("RecaptchaV2EnterpriseTaskProxyless", V2_ENTERPRISE),
    "RecaptchaV2Task": same("RecaptchaV2Task", V2),
    "RecaptchaV2TaskProxyless": lone("RecaptchaV2TaskProxyless", V2),
    "RecaptchaV3EnterpriseTask": lone("RecaptchaV3EnterpriseTask", f"{PAGE} min_score page_action"),
    "RecaptchaV3Task": lone("RecaptchaV3TaskProxyless", V3),
    "RecaptchaV3TaskProxyless": lone("RecaptchaV3TaskProxyless", V3),
    "SheinTask": COMPLEX_IMAGE,
    "TemuTask": CUSTOM,
    "TenDITask": CUSTOM,
    "TspdTask": CUSTOM_PROXIED,
    "TurnstileChallengeCookieTask": proxied("TurnstileTask", CLEARANCE),
    "TurnstileChallengeTokenTask": same(
        "TurnstileTask", f"{PAGE} page_action user_agent! data page_data api_js_url"
    ),
    "TurnstileTask": same("TurnstileTask"),
    "TurnstileTaskProxyless": lone("TurnstileTaskProxyless"),
    "TurnstileWaitingRoomTask": proxied("TurnstileTask", CLEARANCE),
    "YandexSmartCaptchaTaskProxyless": lone("YandexSmartCaptchaTaskProxyless"),
    "YidunEnterpriseTask": YIDUN,
    "YidunTask": YIDUN,
}
"""CapMonster's types, by model."""

_WIDGET = f"{PAGE} page_action=action data user_agent"

# The owner's page has the plain widget under the proxyless name only, with `action`.
CAPTCHA69_TYPES: Mapping[str, TypeDialect] = {
    **CAPMONSTER_TYPES,
    "TurnstileTask": TypeDialect("TurnstileTask", "TurnstileTaskProxyless", _WIDGET),
    "TurnstileTaskProxyless": lone("TurnstileTaskProxyless", _WIDGET),
}
"""captcha69's types, by model; its list is not public, so CapMonster's are taken to work."""
