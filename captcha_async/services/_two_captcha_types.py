"""2captcha's task types. Source: its API v2 pages of mid 2026."""

from __future__ import annotations

from collections.abc import Mapping

from ._dialect import TypeDialect, lone, pair

__all__ = ["TWO_CAPTCHA_TYPES"]

KB = 1024
PAGE = "website_url website_key"
V2 = f"{PAGE} recaptcha_data_s_value is_invisible user_agent cookies api_domain"
V2_ENTERPRISE = f"{PAGE} enterprise_payload is_invisible user_agent cookies api_domain"
V3 = f"{PAGE} min_score! page_action is_enterprise api_domain"
V3_ENTERPRISE = f"{PAGE} min_score! page_action api_domain"
SCORES = {"min_score": (0.3, 0.7, 0.9)}
FUNCAPTCHA = "website_url website_public_key funcaptcha_api_js_subdomain data user_agent"
TURNSTILE = f"{PAGE} page_action=action data"
IMAGE = {"body": 600 * KB, "img_instructions": 100 * KB}
YIDUN = f"{PAGE} user_agent yidun_get_lib yidun_api_server_subdomain"
ALIBABA = (
    "website_url scene_id=sceneId prefix=prefix user_id=userId user_user_id=userUserId "
    "verify_type=verifyType region=region user_certify_id=userCertifyId api_get_lib=apiGetLib "
    "user_agent"
)
VOUCHER = {"captcha_voucher": "<400>", "existing_token": "<120>"}
TOKEN = {"token": "<400>"}
BOUND_TOKEN = {"token": "<400>", "userAgent": "Mozilla/5.0"}
RECAPTCHA = {"gRecaptchaResponse": "<500>", "token": "<500>"}
GONE = "hCaptcha is in none of 2captcha's pages any more"

TWO_CAPTCHA_TYPES: Mapping[str, TypeDialect] = {
    "AlibabaTask": pair("AlibabaTask", ALIBABA, fixed={}),
    "AltchaTask": pair(
        "AltchaTask",
        "website_url challenge_url challenge_json",
        fixed={},
        hints="website_key user_agent",
        either=("challenge_url|challenge_json",),
        answer=TOKEN,
    ),
    "AmazonChallengeTask": pair(
        "AmazonTask",
        f"{PAGE} iv context challenge_script captcha_script",
        hints="cookie_solution",
        answer=VOUCHER,
    ),
    "AmazonTask": pair(
        "AmazonTask",
        f"{PAGE} captcha_script=jsapiScript",
        hints="cookie_solution user_agent",
        answer=VOUCHER,
    ),
    "AntiCyberSiAraTask": pair("AntiCyberSiAraTask", answer=TOKEN),
    "AtbCaptchaTask": pair("AtbCaptchaTask", answer=TOKEN),
    "AudioTask": lone("AudioTask", limits={"body": 1024 * KB}, answer={"text": "<12>"}),
    "BasiliskTask": pair("BasiliskTask", f"{PAGE} user_agent", fixed={}),
    # With a small p.
    "BinanceTask": pair("BinanceTask", suffix="proxyless"),
    "BoundingBoxTask": lone(
        "BoundingBoxTask",
        "body comment img_instructions can_no_answer",
        hints="website_url",
        either=("comment|img_instructions",),
        limits=IMAGE,
        answer={"bounding_boxes": [{"xMin": 310, "xMax": 385, "yMin": 231, "yMax": 308}]},
    ),
    "CaptchaFoxTask": TypeDialect(
        "CaptchaFoxTask",
        None,
        answer=TOKEN,
        defaults={"api_server": "https://cdn.captchafox.com/"},
    ),
    "CapyTask": pair(
        "CapyTask",
        answer={
            "captchakey": "PUZZLE_<10>",
            "challengekey": "<32>",
            "answer": "0xax<8>",
            "respKey": "",
        },
    ),
    "CoordinatesTask": lone(
        "CoordinatesTask",
        "body comment img_instructions min_clicks max_clicks",
        hints="website_url",
        limits=IMAGE,
        defaults={"min_clicks": 1},
        answer={"coordinates": [{"x": 358, "y": 268}]},
    ),
    "CutCaptchaTask": pair("CutCaptchaTask", answer=TOKEN),
    "DataDomeTask": TypeDialect(
        "DataDomeSliderTask",
        None,
        "website_url! captcha_url=captchaUrl user_agent!",
        fixed={},
        hints="datadome_cookie datadome_version html_page_base64 domains",
        answer={"cookie": "datadome=<120>; Path=/; Secure; SameSite=Lax"},
    ),
    "DragAndDropTask": lone(
        "DragAndDropTask",
        answer={"coordinates": [{"x": 120, "y": 340}, None, {"x": 210, "y": 90}]},
    ),
    "DrawAroundTask": lone(
        "DrawAroundTask",
        either=("comment|img_instructions",),
        limits=IMAGE,
        answer={"canvas": [[{"x": 141, "y": 93}, {"x": 145, "y": 93}], [{"x": 350, "y": 263}]]},
    ),
    "FriendlyTask": pair(
        "FriendlyCaptchaTask",
        f"{PAGE} version module_script nomodule_script",
        fixed={},
        hints="api_get_lib user_agent",
        defaults={"version": "v1"},
        answer=TOKEN,
    ),
    "FunCaptchaTask": pair("FunCaptchaTask", FUNCAPTCHA, hints="nocache"),
    "FunCaptchaTaskProxyless": lone("FunCaptchaTaskProxyless", FUNCAPTCHA, hints="nocache"),
    "GeeTestTask": pair(
        "GeeTestTask",
        "website_url gt challenge geetest_api_server_subdomain user_agent version",
        hints="geetest_get_lib",
        defaults={"geetest_api_server_subdomain": "api.geetest.com", "version": 3},
    ),
    "GeeTestTaskProxyless": lone(
        "GeeTestTaskProxyless",
        "website_url gt challenge geetest_api_server_subdomain user_agent version",
        hints="geetest_get_lib",
    ),
    "GeeTestV4Task": pair(
        "GeeTestTask",
        "website_url gt=initParameters.captcha_id init_parameters user_agent",
        hints="geetest_get_lib geetest_api_server_subdomain",
        moved={"initParameters.riskType": "risk_type"},
    ),
    "GridTask": lone(
        "GridTask",
        either=("comment|img_instructions",),
        limits=IMAGE,
        defaults={"min_clicks": 1},
        answer={"click": [4, 8, 12, 16]},
    ),
    "HCaptchaTask": pair("HCaptchaTask", withdrawn=GONE),
    "HCaptchaTaskProxyless": lone("HCaptchaTaskProxyless", withdrawn=GONE),
    "HuntMetaTokenTask": TypeDialect(
        "HuntTask",
        None,
        "website_url api_get_lib=apiGetLib data=data user_agent",
        fixed={},
        answer=TOKEN,
    ),
    "HuntTask": TypeDialect(
        "HuntTask", None, "website_url api_get_lib=apiGetLib user_agent", fixed={}, answer=TOKEN
    ),
    "ImageToTextTask": lone(
        "ImageToTextTask",
        "body phrase case numeric math min_length max_length comment img_instructions "
        "language_pool=^languagePool",
        hints="cap_monster_module recognizing_threshold website_url",
        limits={"img_instructions": 100 * KB},
        defaults={"phrase": False, "case": False, "numeric": 0, "math": False},
    ),
    "ImpervaTask": TypeDialect(
        "IncapsulaTask",
        None,
        "website_url incapsula_script_url=incapsulaScriptUrl incapsula_cookies=incapsulaCookies "
        "user_agent reese84_url_endpoint=reese84UrlEndpoint",
        fixed={},
    ),
    "KeyCaptchaTask": pair("KeyCaptchaTask", answer={"token": "<32>|1"}),
    "LeminTask": pair(
        "LeminTask",
        defaults={"lemin_api_server_subdomain": "https://api.leminnow.com/"},
        answer={"answer": "0xax<40>", "challenge_id": "<32>"},
    ),
    "MTCaptchaTask": pair("MtCaptchaTask", PAGE, hints="page_action is_invisible user_agent"),
    "PazlCaptchaTask": lone("PazlCaptchaTask", answer="8"),
    "ProsopoTask": pair("ProsopoTask", PAGE, hints="user_agent"),
    "RecaptchaV2EnterpriseTask": pair(
        "RecaptchaV2EnterpriseTask", V2_ENTERPRISE, hints="nocache", answer=RECAPTCHA
    ),
    "RecaptchaV2EnterpriseTaskProxyless": lone(
        "RecaptchaV2EnterpriseTaskProxyless", V2_ENTERPRISE, hints="nocache", answer=RECAPTCHA
    ),
    "RecaptchaV2Task": pair("RecaptchaV2Task", V2, hints="nocache", answer=RECAPTCHA),
    "RecaptchaV2TaskProxyless": lone(
        "RecaptchaV2TaskProxyless", V2, hints="nocache", answer=RECAPTCHA
    ),
    "RecaptchaV3EnterpriseTask": lone(
        "RecaptchaV3TaskProxyless",
        V3_ENTERPRISE,
        fixed={"isEnterprise": True},
        values=SCORES,
        answer=RECAPTCHA,
    ),
    "RecaptchaV3Task": lone(
        "RecaptchaV3TaskProxyless", V3, hints="nocache", values=SCORES, answer=RECAPTCHA
    ),
    "RecaptchaV3TaskProxyless": lone(
        "RecaptchaV3TaskProxyless", V3, hints="nocache", values=SCORES, answer=RECAPTCHA
    ),
    "RotateTask": lone("RotateTask", limits=IMAGE, answer={"rotate": 180}),
    "SmartCaptchaTask": lone(
        "SmartCaptchaTask", answer={"coordinates": [{"x": 57, "y": 82}, {"x": 239, "y": 75}]}
    ),
    "TemuImageTask": lone(
        "TemuImageTask",
        answer={"coordinates": [{"x": 155, "y": 358}, {"x": 152, "y": 153}, {"x": 251, "y": 333}]},
    ),
    "TenDITask": pair(
        "TencentTask",
        "website_url website_key=appId captcha_url=captchaScript",
        fixed={},
        hints="user_agent",
        defaults={"captcha_url": "https://turing.captcha.qcloud.com/TCaptcha.js"},
    ),
    "TextCaptchaTask": lone(
        "TextCaptchaTask", "comment language_pool=^languagePool", answer={"text": "<6>"}
    ),
    "TspdTask": TypeDialect(
        "TspdTask",
        None,
        "website_url tspd_cookie=tspdCookie html_page_base64=htmlPageBase64 user_agent",
        fixed={},
    ),
    "TurnstileChallengeTokenTask": pair(
        "TurnstileTask",
        f"{TURNSTILE} page_data=pagedata",
        fixed={},
        hints="user_agent api_js_url",
        answer=BOUND_TOKEN,
    ),
    # The service chooses the browser and tells which.
    "TurnstileTask": pair("TurnstileTask", TURNSTILE, hints="user_agent", answer=BOUND_TOKEN),
    "TurnstileTaskProxyless": lone(
        "TurnstileTaskProxyless", TURNSTILE, hints="user_agent", answer=BOUND_TOKEN
    ),
    "VKCaptchaImageTask": lone(
        "VKCaptchaImageTask",
        answer={"best_step": 46, "preview": "<80>", "solution": [19, 14], "answer": "<80>"},
    ),
    "VKCaptchaTask": TypeDialect("VKCaptchaTask", None, answer=TOKEN),
    "YandexSmartCaptchaTask": pair("YandexSmartCaptchaTask", answer=TOKEN),
    "YidunEnterpriseTask": pair("YidunTask", f"{YIDUN} challenge hcg hct"),
    "YidunTask": pair("YidunTask", YIDUN),
}
"""2captcha's types, by model."""
