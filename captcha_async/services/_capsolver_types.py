"""capsolver's task types. Sources: its documentation of 2026-09 and its SDKs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ._dialect import TypeDialect, lone, pair

__all__ = ["CAPSOLVER_TYPES"]

PAGE = "website_url website_key"
V2 = f"{PAGE} page_action recaptcha_data_s_value is_invisible is_session api_domain cookies@pairs"
V2_ENTERPRISE = (
    f"{PAGE} page_action enterprise_payload recaptcha_data_s_value is_invisible is_session "
    "api_domain cookies@pairs"
)
V3 = f"{PAGE} page_action min_score enterprise_payload is_session api_domain cookies@pairs"
TURNSTILE = f"{PAGE} page_action=metadata.action data=metadata.cdata"
GEETEST = "website_url gt challenge geetest_api_server_subdomain"
DATADOME = "website_url captcha_url=captchaUrl user_agent! html_page_base64=html@html"
TOKEN = {"token": "<400>"}
RECAPTCHA = {"userAgent": "Mozilla/5.0", "expireTime": 1671615324290, "gRecaptchaResponse": "<500>"}
COOKIE = {"cookie": "<120>"}
GONE = "capsolver's documentation has it no more"


def _pair(name: str, fields: str = "*", **facts: Any) -> TypeDialect:
    """With a capital L."""
    return pair(name, fields, "ProxyLess", **facts)


CAPSOLVER_TYPES: Mapping[str, TypeDialect] = {
    "AmazonChallengeTask": _pair(
        "AntiAwsWafTask",
        "website_url website_key=awsKey iv=awsIv context=awsContext "
        "challenge_script=awsChallengeJS existing_token=awsExistingToken",
        hints="cookie_solution captcha_script",
        answer=COOKIE,
    ),
    "AmazonInvisibleTask": _pair(
        "AntiAwsWafTask",
        "website_url challenge_script=awsChallengeJS existing_token=awsExistingToken",
        fixed={},
        hints="cookie_solution website_key captcha_script",
        answer=COOKIE,
    ),
    "AmazonTask": _pair(
        "AntiAwsWafTask",
        "website_url website_key=awsApiKey captcha_script=awsApiJs problem_url=awsProblemUrl "
        "existing_token=awsExistingToken",
        hints="cookie_solution user_agent",
        answer=COOKIE,
    ),
    "AntiBotdeflectorTask": lone("AntiBotdeflectorTaskProxyLess", answer=TOKEN),
    "AwsWafClassificationTask": lone(
        "AwsWafClassification", at_once=True, answer={"objects": [0, 4, 7]}
    ),
    "DataDomeTask": TypeDialect(
        "DatadomeSliderTask",
        None,
        DATADOME,
        fixed={},
        hints="datadome_cookie datadome_version domains",
        answer={"cookie": "datadome=<120>"},
    ),
    # With a small l.
    "FriendlyTask": lone(
        "FriendlyCaptchaTaskProxyless",
        PAGE,
        fixed={},
        hints="api_get_lib user_agent",
        answer=TOKEN,
    ),
    "FunCaptchaTask": _pair("FunCaptchaTask", withdrawn=GONE),
    "FunCaptchaTaskProxyless": lone("FunCaptchaTaskProxyLess", withdrawn=GONE),
    "GeeTestTask": lone(
        "GeeTestTaskProxyLess",
        GEETEST,
        hints="geetest_get_lib user_agent version",
        answer={"challenge": "<34>", "validate": "<32>"},
    ),
    "GeeTestTaskProxyless": lone(
        "GeeTestTaskProxyLess",
        GEETEST,
        hints="geetest_get_lib user_agent version",
        answer={"challenge": "<34>", "validate": "<32>"},
    ),
    "GeeTestV4Task": lone(
        "GeeTestTaskProxyLess",
        "website_url gt=captchaId init_parameters geetest_api_server_subdomain",
        fixed={},
        hints="geetest_get_lib user_agent",
        moved={"initParameters.riskType": "riskType"},
        answer={
            "captcha_id": "<32>",
            "lot_number": "<32>",
            "pass_token": "<64>",
            "gen_time": "1693924478",
            "captcha_output": "<300>",
            "risk_type": "slide",
        },
    ),
    "HCaptchaTask": _pair("HCaptchaTask", withdrawn=GONE),
    "HCaptchaTaskProxyless": lone("HCaptchaTaskProxyLess", withdrawn=GONE),
    "ImageToTextBatchTask": lone("ImageToTextTask", at_once=True, answer={"answers": ["<6>"]}),
    "ImageToTextTask": lone(
        "ImageToTextTask",
        "body website_url cap_monster_module=module score case",
        hints="recognizing_threshold language_pool",
        defaults={"cap_monster_module": "common"},
        at_once=True,
        answer={"text": "<8>", "confidence": 0.9585},
    ),
    "MTCaptchaTask": _pair("MtCaptchaTask", PAGE, hints="page_action is_invisible user_agent"),
    "RecaptchaV2ClassificationTask": lone(
        "ReCaptchaV2Classification",
        at_once=True,
        answer={"type": "multi", "objects": [3, 4, 5], "size": 4},
    ),
    "RecaptchaV2EnterpriseTask": _pair(
        "ReCaptchaV2EnterpriseTask", V2_ENTERPRISE, hints="nocache user_agent", answer=RECAPTCHA
    ),
    "RecaptchaV2EnterpriseTaskProxyless": lone(
        "ReCaptchaV2EnterpriseTaskProxyLess",
        V2_ENTERPRISE,
        hints="nocache user_agent",
        answer=RECAPTCHA,
    ),
    "RecaptchaV2Task": _pair("ReCaptchaV2Task", V2, hints="nocache user_agent", answer=RECAPTCHA),
    "RecaptchaV2TaskProxyless": lone(
        "ReCaptchaV2TaskProxyLess", V2, hints="nocache user_agent", answer=RECAPTCHA
    ),
    "RecaptchaV3EnterpriseM1Task": _pair("ReCaptchaV3EnterpriseM1Task", V3, answer=RECAPTCHA),
    "RecaptchaV3EnterpriseTask": _pair("ReCaptchaV3EnterpriseTask", V3, answer=RECAPTCHA),
    "RecaptchaV3M1Task": _pair("ReCaptchaV3M1Task", V3, answer=RECAPTCHA),
    "RecaptchaV3Task": _pair("ReCaptchaV3Task", V3, hints="nocache", answer=RECAPTCHA),
    "RecaptchaV3TaskProxyless": lone(
        "ReCaptchaV3TaskProxyLess", V3, hints="nocache", answer=RECAPTCHA
    ),
    "TurnstileChallengeCookieTask": TypeDialect(
        "AntiCloudflareTask",
        None,
        "website_url user_agent html_page_base64=html@html",
        fixed={},
        hints="website_key",
        answer={
            "cookies": {"cf_clearance": "<43>"},
            "token": "<43>",
            "userAgent": "Mozilla/5.0",
        },
    ),
    "TurnstileTask": lone(
        "AntiTurnstileTaskProxyLess",
        TURNSTILE,
        hints="user_agent",
        answer={"token": "<400>", "type": "turnstile", "userAgent": "Mozilla/5.0"},
    ),
    "TurnstileTaskProxyless": lone(
        "AntiTurnstileTaskProxyLess",
        TURNSTILE,
        hints="user_agent",
        answer={"token": "<400>", "type": "turnstile", "userAgent": "Mozilla/5.0"},
    ),
    "VisionEngineTask": lone("VisionEngine", at_once=True, answer={"distance": 213.5}),
    "YandexSmartCaptchaTask": lone(
        "YandexCaptchaTaskProxyLess", PAGE, hints="user_agent cookies", answer=TOKEN
    ),
}
"""capsolver's types, by model."""
