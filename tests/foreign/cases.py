"""What to ask of each SDK, and the task that asks the same of this library.

`aliases` are documented other names: the SDK's key by ours. `ignored` are keys that the service
does not document, or that say nothing.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any

import attrs

from captcha_async import tasks
from captcha_async.services import ANTI_CAPTCHA, CAPMONSTER, CAPSOLVER, TWO_CAPTCHA, Service
from captcha_async.tasks import Proxy, Task

__all__ = ["CASES", "Case"]

URL = "https://example.com/login"
UA = "Mozilla/5.0"
FILE = b"GIF89a" + bytes(range(144))
TEXT = base64.b64encode(FILE).decode()
PROXY = Proxy("http", "203.0.113.9", 8080, "user", "pass")
PROXY_FIELDS: dict[str, Any] = {
    "proxyType": "http",
    "proxyAddress": "203.0.113.9",
    "proxyPort": 8080,
    "proxyLogin": "user",
    "proxyPassword": "pass",
}


@attrs.frozen
class Case:
    """One call of an SDK, and our task."""

    sdk: str
    call: Mapping[str, Any]
    task: Task[Any]
    service: Service = attrs.field(repr=False)
    aliases: Mapping[str, str] = attrs.field(factory=dict)
    ignored: frozenset[str] = frozenset()

    @property
    def name(self) -> str:
        """What the report calls it."""
        kind = self.call.get("class") or self.call.get("method") or self.call.get("type")
        return f"{self.sdk} {kind}"


def page(model: type[Any], **fields: Any) -> Any:
    """A task with a page and a key."""
    return model(website_url=URL, website_key="key", **fields)


# -- CapMonster -----------------------------------------------------------------------------------


# The client capitalises these two; the documentation does not.
CAPITALS = {"capMonsterModule": "CapMonsterModule", "case": "Case"}


def cm(kind: str, task: Task[Any], *, proxy: bool = False, **fields: Any) -> Case:
    """A request class of capmonstercloudclient."""
    call = {"class": kind, "fields": fields, "proxy": PROXY_FIELDS if proxy else None}
    return Case("capmonstercloudclient", call, task, CAPMONSTER, CAPITALS)


SITE: dict[str, Any] = {"websiteUrl": URL, "websiteKey": "key"}
PAGE64 = base64.b64encode(b"<html></html>").decode()
HTML = b"<html></html>"

CAPMONSTER_CASES = [
    cm(
        "ImageToTextRequest",
        tasks.ImageToTextTask(
            FILE, cap_monster_module="yandex", recognizing_threshold=80, case=True, numeric=1
        ),
        image_bytes=TEXT,
        module_name="yandex",
        threshold=80,
        case=True,
        numeric=1,
    ),
    cm(
        "RecaptchaV2Request",
        page(
            tasks.RecaptchaV2Task,
            recaptcha_data_s_value="s",
            user_agent=UA,
            cookies={"a": "b"},
            is_invisible=True,
            proxy=PROXY,
        ),
        proxy=True,
        **SITE,
        dataSValue="s",
        userAgent=UA,
        cookies="a=b",
        isInvisible=True,
    ),
    cm(
        "RecaptchaV2EnterpriseRequest",
        page(tasks.RecaptchaV2EnterpriseTask, page_action="login", api_domain="recaptcha.net"),
        **SITE,
        pageAction="login",
        apiDomain="recaptcha.net",
    ),
    cm(
        "RecaptchaV3ProxylessRequest",
        page(tasks.RecaptchaV3TaskProxyless, min_score=0.7, page_action="login"),
        **SITE,
        minScore=0.7,
        pageAction="login",
    ),
    cm(
        "RecaptchaV3EnterpriseRequest",
        page(tasks.RecaptchaV3EnterpriseTask, min_score=0.7, page_action="login"),
        **SITE,
        minScore=0.7,
        pageAction="login",
    ),
    cm(
        "HcaptchaRequest",
        page(tasks.HCaptchaTask, is_invisible=True, data="rq", user_agent=UA),
        **SITE,
        is_invisible=True,
        data="rq",
        user_agent=UA,
    ),
    cm(
        "FuncaptchaRequest",
        tasks.FunCaptchaTask(
            website_url=URL, website_public_key="key", data={"blob": "x"}, proxy=PROXY
        ),
        proxy=True,
        websiteUrl=URL,
        websitePublicKey="key",
        data='{"blob":"x"}',
    ),
    cm(
        "GeetestRequest",
        tasks.GeeTestTask(website_url=URL, gt="gt", challenge="ch", version=3),
        websiteUrl=URL,
        gt="gt",
        challenge="ch",
        version=3,
    ),
    cm(
        "GeetestRequest",
        tasks.GeeTestV4Task(website_url=URL, gt="gt", init_parameters={"riskType": "slide"}),
        websiteUrl=URL,
        gt="gt",
        version=4,
        initParameters={"riskType": "slide"},
    ),
    cm(
        "TurnstileRequest",
        page(tasks.TurnstileTask, page_action="login", data="d"),
        websiteURL=URL,
        websiteKey="key",
        pageAction="login",
        data="d",
    ),
    cm(
        "TurnstileRequest",
        page(
            tasks.TurnstileChallengeTokenTask,
            page_action="managed",
            data="d",
            page_data="p",
            user_agent=UA,
        ),
        websiteURL=URL,
        websiteKey="key",
        pageAction="managed",
        data="d",
        pageData="p",
        userAgent=UA,
        cloudflareTaskType="token",
    ),
    cm(
        "TurnstileRequest",
        page(
            tasks.TurnstileChallengeCookieTask,
            html_page_base64=HTML,
            user_agent=UA,
            proxy=PROXY,
        ),
        proxy=True,
        websiteURL=URL,
        websiteKey="key",
        htmlPageBase64=PAGE64,
        userAgent=UA,
        cloudflareTaskType="cf_clearance",
    ),
    cm(
        "AmazonWafRequest",
        page(tasks.AmazonTask, captcha_script=f"{URL}/jsapi.js", cookie_solution=True),
        **SITE,
        captchaScript=f"{URL}/jsapi.js",
        cookieSolution=True,
    ),
    cm(
        "AmazonWafRequest",
        page(
            tasks.AmazonChallengeTask,
            challenge_script=f"{URL}/challenge.js",
            captcha_script=f"{URL}/captcha.js",
            context="ctx",
            iv="iv",
        ),
        **SITE,
        challengeScript=f"{URL}/challenge.js",
        captchaScript=f"{URL}/captcha.js",
        context="ctx",
        iv="iv",
    ),
    cm("ProsopoTaskRequest", page(tasks.ProsopoTask), **SITE),
    cm("BinanceTaskRequest", page(tasks.BinanceTask, validate_id="v"), **SITE, validateId="v"),
    cm("MTCaptchaRequest", page(tasks.MTCaptchaTask, page_action="act"), **SITE, pageAction="act"),
    cm("YidunRequest", page(tasks.YidunTask, user_agent=UA), **SITE, userAgent=UA),
    cm(
        "DataDomeCustomTaskRequest",
        tasks.DataDomeTask(
            website_url=URL,
            captcha_url=f"{URL}/captcha",
            datadome_cookie="datadome=x",
            user_agent=UA,
            proxy=PROXY,
        ),
        proxy=True,
        websiteUrl=URL,
        userAgent=UA,
        metadata={"captchaUrl": f"{URL}/captcha", "datadomeCookie": "datadome=x"},
    ),
    cm(
        "TenDiCustomTaskRequest",
        page(tasks.TenDITask, captcha_url=f"{URL}/t.js"),
        **SITE,
        metadata={"captchaUrl": f"{URL}/t.js"},
    ),
    cm("BasiliskCustomTaskRequest", page(tasks.BasiliskTask), **SITE),
    cm(
        "ImpervaCustomTaskRequest",
        tasks.ImpervaTask(
            website_url=URL,
            incapsula_script_url="_Incapsula_Resource?x",
            incapsula_cookies={"a": "b"},
            proxy=PROXY,
        ),
        proxy=True,
        websiteUrl=URL,
        metadata={"incapsulaScriptUrl": "_Incapsula_Resource?x", "incapsulaCookies": "a=b"},
    ),
    cm(
        "AltchaCustomTaskRequest",
        tasks.AltchaTask(
            website_url=URL,
            website_key="",
            challenge="c",
            iterations=5,
            salt="s",
            signature="g",
        ),
        websiteUrl=URL,
        websiteKey="",
        metadata={"challenge": "c", "iterations": "5", "salt": "s", "signature": "g"},
    ),
    cm(
        "FriendlyCustomTaskRequest",
        page(tasks.FriendlyTask, api_get_lib=f"{URL}/site.min.js"),
        **SITE,
        metadata={"apiGetLib": f"{URL}/site.min.js"},
    ),
    cm(
        "CastleCustomTaskRequest",
        page(tasks.CastleTask, w_url=f"{URL}/cw.js", sw_url=f"{URL}/csw.js", count=2),
        **SITE,
        metadata={"wUrl": f"{URL}/cw.js", "swUrl": f"{URL}/csw.js", "count": 2},
    ),
    cm(
        "TspdCustomTaskRequest",
        tasks.TspdTask(
            website_url=URL,
            tspd_cookie={"a": "b"},
            html_page_base64=HTML,
            user_agent=UA,
            proxy=PROXY,
        ),
        proxy=True,
        websiteUrl=URL,
        userAgent=UA,
        metadata={"tspdCookie": "a=b", "htmlPageBase64": PAGE64},
    ),
    cm(
        "HuntCustomTaskRequest",
        tasks.HuntTask(website_url=URL, api_get_lib=f"{URL}/api.js", proxy=PROXY),
        proxy=True,
        websiteUrl=URL,
        metadata={"apiGetLib": f"{URL}/api.js"},
    ),
    cm(
        "AlibabaCustomTaskRequest",
        tasks.AlibabaTask(website_url=URL, scene_id="s", prefix="p"),
        websiteUrl=URL,
        metadata={"sceneId": "s", "prefix": "p"},
    ),
    cm(
        "TemuCustomTaskRequest",
        tasks.TemuTask(website_url=URL, cookie={"a": "b"}),
        websiteUrl=URL,
        metadata={"cookie": "a=b"},
    ),
    cm(
        "RecaptchaComplexImageTaskRequest",
        tasks.ComplexImageRecaptchaTask(
            images_base64=[FILE], grid="3x3", task="cars", task_definition="/m/0k4j"
        ),
        imagesBase64=[TEXT],
        metadata={"Grid": "3x3", "Task": "cars", "TaskDefinition": "/m/0k4j"},
    ),
    cm(
        "RecognitionComplexImageTaskRequest",
        tasks.Bls3x3Task(images_base64=[FILE] * 9, task_argument="123"),
        imagesBase64=[TEXT] * 9,
        metadata={"Task": "bls_3x3", "TaskArgument": "123"},
    ),
]


# -- anti-captcha ---------------------------------------------------------------------------------

# Undocumented or without meaning: an old parameter, and flags that are 0 or False.
OLD = frozenset({"websiteSToken"})


def ac(
    kind: str,
    task: Task[Any],
    *,
    proxy: bool = False,
    body: str | None = None,
    aliases: Mapping[str, str] | None = None,
    ignored: frozenset[str] = OLD,
    **fields: Any,
) -> Case:
    """A task class of anticaptchaofficial."""
    if proxy:
        fields |= {f"proxy_{key[5:].lower()}": value for key, value in PROXY_FIELDS.items()}
    call: dict[str, Any] = {"class": kind, "fields": fields}
    if body is not None:
        call["body"] = body
    return Case("anticaptchaofficial", call, task, ANTI_CAPTCHA, aliases or {}, ignored)


WHERE: dict[str, Any] = {"website_url": URL, "website_key": "key"}

ANTI_CAPTCHA_CASES = [
    ac(
        "imagecaptcha",
        tasks.ImageToTextTask(
            FILE, phrase=True, numeric=1, min_length=2, comment="red", language_pool="en"
        ),
        body=TEXT,
        phrase=True,
        numeric=1,
        minLength=2,
        comment="red",
    ),
    ac(
        "imagetocoordinates",
        tasks.ImageToCoordinatesTask(FILE, comment="cars", mode="rectangles"),
        body=TEXT,
        comment="cars",
        solve_mode="rectangles",
    ),
    ac(
        "recaptchaV2Proxyless",
        page(tasks.RecaptchaV2Task, recaptcha_data_s_value="s", is_invisible=True),
        **WHERE,
        recaptcha_data_s="s",
        is_invisible=1,
    ),
    ac(
        "recaptchaV2Proxyon",
        page(tasks.RecaptchaV2Task, user_agent=UA, cookies={"a": "b"}, proxy=PROXY),
        proxy=True,
        **WHERE,
        user_agent=UA,
        cookies="a=b",
    ),
    ac(
        "recaptchaV2EnterpriseProxyless",
        page(tasks.RecaptchaV2EnterpriseTask, enterprise_payload={"s": "x"}),
        **WHERE,
        recaptcha_enterprise_payload={"s": "x"},
    ),
    ac(
        "recaptchaV3Proxyless",
        page(tasks.RecaptchaV3TaskProxyless, min_score=0.7, page_action="login"),
        **WHERE,
        min_score=0.7,
        page_action="login",
    ),
    ac(
        "recaptchaV3EnterpriseProxyless",
        page(tasks.RecaptchaV3EnterpriseTask, min_score=0.9, page_action="login"),
        **WHERE,
        min_score=0.9,
        page_action="login",
    ),
    ac(
        "hCaptchaProxyon",
        page(
            tasks.HCaptchaTask,
            data="rq",
            is_invisible=True,
            user_agent=UA,
            proxy=PROXY,
        ),
        proxy=True,
        **WHERE,
        recaptcha_enterprise_payload={"rqdata": "rq"},
        is_invisible=1,
        user_agent=UA,
    ),
    ac(
        "funcaptchaProxyon",
        tasks.FunCaptchaTask(
            website_url=URL,
            website_public_key="key",
            data={"blob": "x"},
            user_agent=UA,
            proxy=PROXY,
        ),
        proxy=True,
        **WHERE,
        data_blob='{"blob":"x"}',
        user_agent=UA,
    ),
    ac(
        "geetestProxyless",
        tasks.GeeTestTask(website_url=URL, gt="gt", challenge="ch", version=3),
        website_url=URL,
        gt="gt",
        challenge="ch",
    ),
    ac(
        "geetestProxyless",
        tasks.GeeTestV4Task(website_url=URL, gt="gt", init_parameters={"riskType": "slide"}),
        website_url=URL,
        gt="gt",
        version=4,
        init_parameters={"riskType": "slide"},
    ),
    ac(
        "turnstileProxyless",
        page(tasks.TurnstileTask, page_action="login", data="c"),
        **WHERE,
        action="login",
        cdata="c",
    ),
    ac(
        "turnstileProxyon",
        page(
            tasks.TurnstileChallengeTokenTask,
            page_action="managed",
            data="c",
            page_data="p",
            proxy=PROXY,
        ),
        proxy=True,
        **WHERE,
        action="managed",
        cdata="c",
        chlpagedata="p",
    ),
    ac(
        "amazonProxyless",
        page(tasks.AmazonTask, captcha_script=f"{URL}/jsapi.js"),
        **WHERE,
        waf_type="widget",
        jsapi_script=f"{URL}/jsapi.js",
        # The Python SDK alone spells it so.
        aliases={"wafType": "waf_type"},
    ),
    ac(
        "amazonProxyless",
        page(
            tasks.AmazonChallengeTask,
            iv="iv",
            context="ctx",
            captcha_script=f"{URL}/captcha.js",
            challenge_script=f"{URL}/challenge.js",
        ),
        **WHERE,
        iv="iv",
        context="ctx",
        captcha_script=f"{URL}/captcha.js",
        challenge_script=f"{URL}/challenge.js",
        # `default`, which other SDKs do not send.
        ignored=frozenset({"waf_type"}),
    ),
    ac(
        "altchaProxyless",
        tasks.AltchaTask(website_url=URL, challenge_url=f"{URL}/challenge"),
        website_url=URL,
        challenge_url=f"{URL}/challenge",
    ),
    ac("friendlyCaptchaProxyless", page(tasks.FriendlyTask), **WHERE),
    ac("prosopoProxyless", page(tasks.ProsopoTask), **WHERE),
    ac(
        "antigateTask",
        tasks.AntiGateTask(
            website_url=URL,
            template_name="Sign-in",
            variables={"a": "b"},
            domains_of_interest=["example.com"],
            proxy=PROXY,
        ),
        proxy=True,
        website_url=URL,
        template_name="Sign-in",
        variables={"a": "b"},
        domains_of_interest=["example.com"],
    ),
    ac(
        "antibotcookieTask",
        tasks.AntiBotCookieTask(website_url=URL, proxy=PROXY),
        proxy=True,
        website_url=URL,
    ),
]


# -- 2captcha -------------------------------------------------------------------------------------

# Its Python client speaks the older interface; these are that one's names, by ours.
V1 = {
    "body": "body",
    "case": "regsense",
    "cookies": "cookies",
    "comment": "textinstructions",
    "imgInstructions": "imginstructions",
    "minLength": "min_len",
    "maxLength": "max_len",
    "rows": "recaptcharows",
    "columns": "recaptchacols",
    "canNoAnswer": "can_no_answer",
    "previousId": "previousID",
    "websiteURL": "pageurl",
    "websiteKey": "sitekey",
    "userAgent": "userAgent",
    "isInvisible": "invisible",
    "apiDomain": "domain",
    "minScore": "min_score",
    "recaptchaDataSValue": "data-s",
    "validateId": "validate_id",
    "apiGetLib": "api_get_lib",
    "sceneId": "scene_id",
    "proxyType": "proxytype",
    "initParameters.captcha_id": "captcha_id",
    "languagePool": "lang",
}
# What tells the older interface which captcha it is, and the account.
V1_ONLY = frozenset(
    [
        "method",
        "key",
        "json",
        "soft_id",
        "softId",
        "recaptcha",
        "coordinatescaptcha",
        "canvas",
        "enterprise",
    ]
)
URI = {"type": "HTTP", "uri": "user:pass@203.0.113.9:8080"}


# Their version is told by the method or the type.
VERSIONED = ("recaptcha", "geetest_v4")


def two(
    method: str, task: Task[Any], aliases: Mapping[str, str] | None = None, **fields: Any
) -> Case:
    """A method of 2captcha-python."""
    call = {"method": method, "fields": fields}
    ignored = V1_ONLY | {"version"} if method in VERSIONED else V1_ONLY
    return Case("2captcha-python", call, task, TWO_CAPTCHA, V1 | dict(aliases or {}), ignored)


TWO_CAPTCHA_CASES = [
    two(
        "normal",
        tasks.ImageToTextTask(
            FILE, phrase=True, case=True, numeric=4, min_length=2, max_length=6, comment="red"
        ),
        file=TEXT,
        phrase=1,
        caseSensitive=1,
        numeric=4,
        minLen=2,
        maxLen=6,
        hintText="red",
    ),
    two("audio", tasks.AudioTask(FILE, lang="en"), file=TEXT, lang="en"),
    two(
        "text",
        tasks.TextCaptchaTask("one plus one?"),
        {"comment": "textcaptcha"},
        text="one plus one?",
    ),
    two(
        "grid",
        tasks.GridTask(FILE, rows=3, columns=4, comment="cars", can_no_answer=True),
        file=TEXT,
        rows=3,
        cols=4,
        hintText="cars",
        canSkip=1,
    ),
    two("coordinates", tasks.CoordinatesTask(FILE, comment="cars"), file=TEXT, hintText="cars"),
    two("canvas", tasks.DrawAroundTask(FILE, comment="cars"), file=TEXT, hintText="cars"),
    two("rotate", tasks.RotateTask(FILE, angle=40), files=TEXT, angle=40),
    two(
        "drag_and_drop",
        tasks.DragAndDropTask(background=FILE, images=[FILE, FILE], comment="move"),
        {"background": "body"},
        body=TEXT,
        images=[TEXT, TEXT],
        hintText="move",
    ),
    two(
        "temu",
        tasks.TemuImageTask(image=FILE, parts=[FILE, FILE, FILE]),
        {"image": "body", "parts": "part1"},
        body=TEXT,
        part1=TEXT,
        part2=TEXT,
        part3=TEXT,
    ),
    two(
        "vkimage",
        tasks.VKCaptchaImageTask(image=FILE, steps=[5, 19]),
        {"image": "body"},
        files=TEXT,
        steps="[5, 19]",
    ),
    two(
        "vkcaptcha",
        tasks.VKCaptchaTask(redirect_uri=URL, user_agent=UA, proxy=PROXY),
        {"redirectUri": "redirect_uri", "userAgent": "useragent"},
        redirect_uri=URL,
        userAgent=UA,
        proxy=URI,
    ),
    two(
        "recaptcha",
        page(
            tasks.RecaptchaV2Task,
            is_invisible=True,
            recaptcha_data_s_value="s",
            api_domain="recaptcha.net",
            proxy=PROXY,
        ),
        {"websiteKey": "googlekey"},
        sitekey="key",
        url=URL,
        invisible=1,
        datas="s",
        domain="recaptcha.net",
        proxy=URI,
    ),
    two(
        "recaptcha",
        page(tasks.RecaptchaV3TaskProxyless, min_score=0.7, page_action="login"),
        {"websiteKey": "googlekey", "pageAction": "action"},
        sitekey="key",
        url=URL,
        version="v3",
        score=0.7,
        action="login",
    ),
    two(
        "turnstile",
        page(tasks.TurnstileChallengeTokenTask, page_action="managed", data="d", page_data="p"),
        sitekey="key",
        url=URL,
        action="managed",
        data="d",
        pagedata="p",
    ),
    two(
        "funcaptcha",
        tasks.FunCaptchaTask(
            website_url=URL,
            website_public_key="key",
            funcaptcha_api_js_subdomain="client-api.arkoselabs.com",
        ),
        {"websitePublicKey": "publickey", "funcaptchaApiJSSubdomain": "surl"},
        sitekey="key",
        url=URL,
        surl="client-api.arkoselabs.com",
    ),
    two(
        "geetest",
        tasks.GeeTestTask(
            website_url=URL,
            gt="gt",
            challenge="ch",
            geetest_api_server_subdomain="api.geetest.com",
        ),
        {"geetestApiServerSubdomain": "api_server"},
        gt="gt",
        challenge="ch",
        url=URL,
        apiServer="api.geetest.com",
    ),
    two(
        "geetest_v4",
        tasks.GeeTestV4Task(website_url=URL, gt="cid", init_parameters={"riskType": "slide"}),
        captcha_id="cid",
        url=URL,
        risk_type="slide",
    ),
    two(
        "amazon_waf",
        page(tasks.AmazonChallengeTask, iv="iv", context="ctx", challenge_script=f"{URL}/c.js"),
        {"challengeScript": "challenge_script"},
        sitekey="key",
        iv="iv",
        context="ctx",
        url=URL,
        challenge_script=f"{URL}/c.js",
    ),
    two("mtcaptcha", page(tasks.MTCaptchaTask), sitekey="key", url=URL),
    two(
        "friendly_captcha",
        page(tasks.FriendlyTask, version="v2", module_script=f"{URL}/m.js"),
        {"moduleScript": "module_script"},
        sitekey="key",
        url=URL,
        version="v2",
        module_script=f"{URL}/m.js",
    ),
    two(
        "tencent",
        tasks.TenDITask(website_url=URL, website_key="189", captcha_url=f"{URL}/t.js"),
        {"appId": "app_id", "captchaScript": "captcha_script"},
        app_id="189",
        url=URL,
        captcha_script=f"{URL}/t.js",
    ),
    two(
        "cutcaptcha",
        tasks.CutCaptchaTask(website_url=URL, misery_key="m", api_key="a"),
        {"miseryKey": "misery_key", "apiKey": "api_key"},
        misery_key="m",
        apikey="a",
        url=URL,
    ),
    two("capy", page(tasks.CapyTask), {"websiteKey": "captchakey"}, sitekey="key", url=URL),
    two(
        "keycaptcha",
        tasks.KeyCaptchaTask(
            website_url=URL,
            s_s_c_user_id=10,
            s_s_c_session_id="s",
            s_s_c_web_server_sign="w",
            s_s_c_web_server_sign2="w2",
        ),
        s_s_c_user_id=10,
        s_s_c_session_id="s",
        s_s_c_web_server_sign="w",
        s_s_c_web_server_sign2="w2",
        url=URL,
    ),
    two(
        "lemin",
        tasks.LeminTask(website_url=URL, captcha_id="CROPPED_1", div_id="lemin"),
        {"captchaId": "captcha_id", "divId": "div_id"},
        captcha_id="CROPPED_1",
        div_id="lemin",
        url=URL,
    ),
    two(
        "atb_captcha",
        tasks.AtbCaptchaTask(website_url=URL, app_id="a", api_server="https://cap.example"),
        {"appId": "app_id", "apiServer": "api_server"},
        app_id="a",
        api_server="https://cap.example",
        url=URL,
    ),
    two(
        "cybersiara",
        tasks.AntiCyberSiAraTask(website_url=URL, slide_master_url_id="m", user_agent=UA),
        {"SlideMasterUrlId": "master_url_id"},
        master_url_id="m",
        pageurl=URL,
        userAgent=UA,
    ),
    two(
        "captchafox",
        page(tasks.CaptchaFoxTask, user_agent=UA, proxy=PROXY),
        {"userAgent": "useragent"},
        sitekey="key",
        pageurl=URL,
        userAgent=UA,
        proxy=URI,
    ),
    two(
        "datadome",
        tasks.DataDomeTask(
            website_url=URL, captcha_url=f"{URL}/captcha", user_agent=UA, proxy=PROXY
        ),
        {"captchaUrl": "captcha_url"},
        captcha_url=f"{URL}/captcha",
        pageurl=URL,
        userAgent=UA,
        proxy=URI,
    ),
    two("prosopo", page(tasks.ProsopoTask), sitekey="key", pageurl=URL),
    two("yandex_smart", page(tasks.YandexSmartCaptchaTask), sitekey="key", url=URL),
    two(
        "altcha",
        tasks.AltchaTask(website_url=URL, challenge_url=f"{URL}/challenge"),
        {"challengeURL": "challenge_url"},
        pageurl=URL,
        challenge_url=f"{URL}/challenge",
    ),
    two(
        "binance",
        page(tasks.BinanceTask, validate_id="v"),
        pageurl=URL,
        sitekey="key",
        validate_id="v",
    ),
    two("yidun", page(tasks.YidunTask), sitekey="key", pageurl=URL),
    two(
        "hunt",
        tasks.HuntTask(website_url=URL, api_get_lib=f"{URL}/api.js", proxy=PROXY),
        pageurl=URL,
        api_get_lib=f"{URL}/api.js",
        proxy=URI,
    ),
    two(
        "alibaba",
        tasks.AlibabaTask(website_url=URL, scene_id="s", prefix="p"),
        pageurl=URL,
        scene_id="s",
        prefix="p",
    ),
    two(
        "tspd",
        tasks.TspdTask(website_url=URL, tspd_cookie={"a": "b"}, html_page_base64=HTML, proxy=PROXY),
        {"tspdCookie": "tspd_cookie", "htmlPageBase64": "html_page_base64"},
        pageurl=URL,
        tspd_cookie="a=b",
        html_page_base64=PAGE64,
        proxy=URI,
    ),
    two("basilisk", page(tasks.BasiliskTask), pageurl=URL, sitekey="key"),
    two(
        "imperva",
        tasks.ImpervaTask(
            website_url=URL,
            incapsula_script_url="_Incapsula_Resource?x",
            incapsula_cookies={"a": "b"},
            proxy=PROXY,
        ),
        {"incapsulaScriptUrl": "incapsula_script_url", "incapsulaCookies": "incapsula_cookies"},
        pageurl=URL,
        incapsula_script_url="_Incapsula_Resource?x",
        incapsula_cookies="a=b",
        proxy=URI,
    ),
]


# -- capsolver ------------------------------------------------------------------------------------


def cs(kind: str, task: Task[Any], **fields: Any) -> Case:
    """A type of python3-capsolver."""
    call = {"type": kind, "fields": fields}
    return Case("python3-capsolver", call, task, CAPSOLVER)


KEYED: dict[str, Any] = {"websiteURL": URL, "websiteKey": "key"}

CAPSOLVER_CASES = [
    cs(
        "ImageToTextTask",
        tasks.ImageToTextTask(FILE, cap_monster_module="common", website_url=URL),
        body=TEXT,
        module="common",
        websiteURL=URL,
    ),
    cs(
        "VisionEngine",
        tasks.VisionEngineTask(module="slider_1", image=FILE, image_background=FILE),
        module="slider_1",
        image=TEXT,
        imageBackground=TEXT,
    ),
    cs(
        "ReCaptchaV2Classification",
        tasks.RecaptchaV2ClassificationTask(image=FILE, question="/m/04_sv"),
        image=TEXT,
        question="/m/04_sv",
    ),
    cs(
        "AwsWafClassification",
        tasks.AwsWafClassificationTask(images=[FILE], question="aws:toycarcity:carcity"),
        images=[TEXT],
        question="aws:toycarcity:carcity",
    ),
    cs(
        "ReCaptchaV2TaskProxyLess",
        page(tasks.RecaptchaV2Task, is_session=True, cookies={"a": "b"}),
        **KEYED,
        isSession=True,
        cookies=[{"name": "a", "value": "b"}],
    ),
    cs(
        "ReCaptchaV2EnterpriseTask",
        page(tasks.RecaptchaV2EnterpriseTask, enterprise_payload={"s": "x"}, proxy=PROXY),
        **KEYED,
        **PROXY_FIELDS,
        enterprisePayload={"s": "x"},
    ),
    cs(
        "ReCaptchaV3TaskProxyLess",
        page(tasks.RecaptchaV3TaskProxyless, page_action="login"),
        **KEYED,
        pageAction="login",
    ),
    cs("ReCaptchaV3Task", page(tasks.RecaptchaV3Task, proxy=PROXY), **KEYED, **PROXY_FIELDS),
    cs("ReCaptchaV3EnterpriseTaskProxyLess", page(tasks.RecaptchaV3EnterpriseTask), **KEYED),
    cs(
        "GeeTestTaskProxyLess",
        tasks.GeeTestV4Task(website_url=URL, gt="cid"),
        websiteURL=URL,
        captchaId="cid",
    ),
    cs("MtCaptchaTaskProxyLess", page(tasks.MTCaptchaTask), **KEYED),
    cs(
        "DatadomeSliderTask",
        tasks.DataDomeTask(captcha_url=f"{URL}/captcha", user_agent=UA, proxy=PROXY),
        captchaUrl=f"{URL}/captcha",
        userAgent=UA,
        **PROXY_FIELDS,
    ),
    cs(
        "AntiTurnstileTaskProxyLess",
        page(tasks.TurnstileTask, page_action="login", data="d"),
        **KEYED,
        metadata={"action": "login", "cdata": "d"},
    ),
    cs(
        "AntiCloudflareTask",
        tasks.TurnstileChallengeCookieTask(website_url=URL, user_agent=UA, proxy=PROXY),
        websiteURL=URL,
        userAgent=UA,
        **PROXY_FIELDS,
    ),
    cs("FriendlyCaptchaTaskProxyless", page(tasks.FriendlyTask), **KEYED),
    cs("YandexCaptchaTaskProxyLess", page(tasks.YandexSmartCaptchaTask), **KEYED),
    cs(
        "AntiAwsWafTaskProxyLess",
        tasks.AmazonInvisibleTask(website_url=URL, challenge_script=f"{URL}/challenge.js"),
        websiteURL=URL,
        awsChallengeJS=f"{URL}/challenge.js",
    ),
]

CASES = [*CAPMONSTER_CASES, *ANTI_CAPTCHA_CASES, *TWO_CAPTCHA_CASES, *CAPSOLVER_CASES]
