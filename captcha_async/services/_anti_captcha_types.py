"""anti-captcha's task types. Sources: its documentation and official SDKs of 2026."""

from __future__ import annotations

from collections.abc import Mapping

from ._dialect import TypeDialect, lone, pair

__all__ = ["ANTI_CAPTCHA_TYPES"]

PAGE = "website_url website_key"
V2 = f"{PAGE} recaptcha_data_s_value is_invisible user_agent cookies api_domain"
V2_ENTERPRISE = f"{PAGE} enterprise_payload api_domain is_invisible user_agent cookies"
V3 = f"{PAGE} min_score! page_action is_enterprise api_domain"
V3_ENTERPRISE = f"{PAGE} min_score! page_action api_domain"
# Its workers' queues are for these.
SCORES = {"min_score": (0.3, 0.7, 0.9)}
HCAPTCHA = (
    f"{PAGE} is_invisible is_enterprise enterprise_payload data=enterprisePayload.rqdata "
    "user_agent cookies"
)
FUNCAPTCHA = "website_url website_public_key funcaptcha_api_js_subdomain data user_agent+ cookies"
# A user agent of one's own is ignored, the docs say; an official SDK sends it.
TURNSTILE = f"{PAGE} page_action=action data=cData user_agent"
COORDINATES = "body comment website_url"
DATA = {
    "cookies": {"session": "<32>"},
    "localStorage": {},
    "fingerprint": {"self.navigator.userAgent": "Mozilla/5.0"},
    "url": "https://example.com/",
}
TOKEN = {"token": "<400>", "userAgent": "Mozilla/5.0"}

ANTI_CAPTCHA_TYPES: Mapping[str, TypeDialect] = {
    "AltchaTask": pair(
        "AltchaTask",
        "website_url challenge_url challenge_json user_agent",
        fixed={},
        hints="website_key",
        either=("challenge_url|challenge_json",),
        answer=TOKEN,
    ),
    "AmazonChallengeTask": pair(
        "AmazonTask",
        f"{PAGE} iv context captcha_script challenge_script",
        hints="cookie_solution",
        answer=TOKEN | {"domain": ".example.com"},
    ),
    "AmazonTask": pair(
        "AmazonTask",
        f"{PAGE} captcha_script=jsapiScript user_agent",
        fixed={"wafType": "widget"},
        hints="cookie_solution",
        answer=TOKEN | {"domain": ".example.com"},
    ),
    "AntiBotCookieTask": TypeDialect(
        "AntiBotCookieTask",
        None,
        proxy_type=False,
        answer=DATA | {"lastRequestHeaders": ["accept: */*"]},
    ),
    "AntiGateTask": TypeDialect(
        "AntiGateTask", "AntiGateTask", proxy_type=False, answer=DATA | {"domain": "example.com"}
    ),
    "BoundingBoxTask": lone(
        "ImageToCoordinatesTask",
        COORDINATES,
        fixed={"mode": "rectangles"},
        answer={"coordinates": [[17, 48, 54, 83]]},
    ),
    "CoordinatesTask": lone(
        "ImageToCoordinatesTask",
        COORDINATES,
        fixed={"mode": "points"},
        answer={"coordinates": [[17, 48]]},
    ),
    "FriendlyTask": pair(
        "FriendlyCaptchaTask", PAGE, fixed={}, hints="api_get_lib user_agent", answer=TOKEN
    ),
    "FunCaptchaTask": pair("FunCaptchaTask", FUNCAPTCHA, hints="nocache"),
    "FunCaptchaTaskProxyless": lone("FunCaptchaTaskProxyless", FUNCAPTCHA, hints="nocache"),
    "GeeTestTask": pair(
        "GeeTestTask",
        "website_url gt challenge geetest_api_server_subdomain geetest_get_lib version user_agent+",
    ),
    "GeeTestTaskProxyless": lone("GeeTestTaskProxyless"),
    "GeeTestV4Task": pair(
        "GeeTestTask",
        "website_url gt init_parameters geetest_api_server_subdomain user_agent+",
        hints="geetest_get_lib",
    ),
    "HCaptchaTask": pair("HCaptchaTask", HCAPTCHA, hints="nocache fallback_to_actual_ua"),
    "HCaptchaTaskProxyless": lone(
        "HCaptchaTaskProxyless", HCAPTCHA, hints="nocache fallback_to_actual_ua"
    ),
    "ImageToCoordinatesTask": lone(
        "ImageToCoordinatesTask", answer={"coordinates": [[17, 48], [76, 93]]}
    ),
    "ImageToTextTask": lone(
        "ImageToTextTask",
        "body phrase case numeric math min_length max_length comment website_url language_pool",
        hints="cap_monster_module recognizing_threshold",
        values={"numeric": (0, 1, 2), "language_pool": ("en", "rn")},
        defaults={"phrase": False, "numeric": 0, "math": False, "language_pool": "en"},
        answer={"text": "<6>", "url": "https://example.com/1.jpg"},
    ),
    "ProsopoTask": pair("ProsopoTask", PAGE, hints="user_agent", answer=TOKEN),
    "RecaptchaV2EnterpriseTask": pair("RecaptchaV2EnterpriseTask", V2_ENTERPRISE, hints="nocache"),
    "RecaptchaV2EnterpriseTaskProxyless": lone(
        "RecaptchaV2EnterpriseTaskProxyless", V2_ENTERPRISE, hints="nocache"
    ),
    "RecaptchaV2Task": pair("RecaptchaV2Task", V2, hints="nocache"),
    "RecaptchaV2TaskProxyless": lone("RecaptchaV2TaskProxyless", V2, hints="nocache"),
    "RecaptchaV3EnterpriseTask": lone(
        "RecaptchaV3TaskProxyless", V3_ENTERPRISE, fixed={"isEnterprise": True}, values=SCORES
    ),
    "RecaptchaV3Task": lone("RecaptchaV3TaskProxyless", V3, hints="nocache", values=SCORES),
    "RecaptchaV3TaskProxyless": lone(
        "RecaptchaV3TaskProxyless", V3, hints="nocache", values=SCORES
    ),
    "TurnstileChallengeTokenTask": pair(
        "TurnstileTask",
        f"{TURNSTILE} page_data=chlPageData",
        fixed={},
        hints="api_js_url",
    ),
    "TurnstileTask": pair("TurnstileTask", TURNSTILE),
    "TurnstileTaskProxyless": lone("TurnstileTaskProxyless", TURNSTILE),
}
"""anti-captcha's types, by model."""
