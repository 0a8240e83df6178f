"""The five services: where they are, what they allow, and how long they take.

Facts are from the services' own documentation of March to October 2026 unless a comment says
otherwise. A mirror or a self-hosted service is `CAPMONSTER.evolve(base_url="https://…")`.
"""

from __future__ import annotations

from ._anti_captcha_types import ANTI_CAPTCHA_TYPES
from ._capmonster_types import CAPTCHA69_TYPES
from ._capsolver_types import CAPSOLVER_TYPES
from ._error_codes import NUMERIC_CODES
from ._service import METHODS, POLLING, SERVICES, PollTimes, ReportMethod, Service
from ._two_captcha_types import TWO_CAPTCHA_TYPES

__all__ = ["ANTI_CAPTCHA", "CAPMONSTER", "CAPSOLVER", "CAPTCHA69", "TWO_CAPTCHA"]

_IMAGE_REPORT = ReportMethod("/reportIncorrectImageCaptcha")
_TOKEN_REPORT = ReportMethod("/reportIncorrectTokenCaptcha")

CAPMONSTER = Service(
    name="capmonster",
    base_url="https://api.capmonster.cloud",
    # "50 KB": whether raw or base64 is not stated, so only what is over in any reading is refused.
    max_image_bytes=50 * 1024,
    forbidden_in_credentials="%",
    reports_incorrect={
        "image": _IMAGE_REPORT,
        "recaptcha": _TOKEN_REPORT,
        "token": _TOKEN_REPORT,
    },
    # A GeeTest v3 task that comes with a used challenge.
    charged_codes=frozenset({"ERROR_TOKEN_EXPIRED"}),
    # On another host than the API; known from the official MCP server.
    user_agent_url="https://capmonster.cloud/api/useragent/actual",
)
"""CapMonster Cloud."""

# Only createTask and getTaskResult of captcha69 are documented where we could read it. Its protocol
# is CapMonster's in everything seen, so balance and reports are taken to be so too.
CAPTCHA69 = Service(
    name="captcha69",
    base_url="https://captcha69.com",
    min_poll_gap=3.0,
    dialects=CAPTCHA69_TYPES,
    reports_incorrect=CAPMONSTER.reports_incorrect,
)
"""captcha69 ("Max1"); its keys look like `max1_…`."""

# Its official SDKs wait 60 s for images and v3, 600 s for these, 300 s for the rest; they poll
# after 3 s. Their interval of a second is kept only as far as our caps allow.
_LONG = PollTimes(first=3.0, interval=5.0, timeout=600.0)
_SHORT = PollTimes(first=3.0, interval=2.0, timeout=60.0)
_MEDIUM = PollTimes(first=3.0, interval=3.0, timeout=300.0)

# No minimum gap is documented; its SDK polls every second, we stay at two.
ANTI_CAPTCHA = Service(
    name="anti-captcha",
    base_url="https://api.anti-captcha.com",
    result_retention=60.0,
    polling={
        "image": _SHORT,
        "recaptcha_v3": _SHORT,
        "token": _MEDIUM,
        "recaptcha": _MEDIUM,
        "geetest": _LONG,
        "funcaptcha": _LONG,
        "antigate": _LONG,
    },
    max_image_bytes=500_000,
    # "No host names, no local networks."
    proxy_types=frozenset({"http", "socks4", "socks5"}),
    proxy_host_names=False,
    dialects=ANTI_CAPTCHA_TYPES,
    methods={
        **METHODS,
        "push_variable": "/pushAntiGateVariable",
        "queue_statistics": "/getQueueStats",
        "spending_statistics": "/getSpendingStats",
    },
    reports_incorrect={
        "image": ReportMethod(
            "/reportIncorrectImageCaptcha",
            window=60.0,
            refunds=True,
            note="Only of images solved in the English pool; moderators look at each report.",
        ),
        "recaptcha": ReportMethod(
            "/reportIncorrectRecaptcha",
            window=60.0,
            note="Ignored for accounts with fewer than 100 reCAPTCHAs a day.",
        ),
        "hcaptcha": ReportMethod("/reportIncorrectHcaptcha", window=60.0),
    },
    reports_correct={"recaptcha": ReportMethod("/reportCorrectRecaptcha", window=60.0)},
    charged_codes=frozenset({"ERROR_CAPTCHA_UNSOLVABLE"}),
    currency="USD",
    numeric_codes=NUMERIC_CODES,
)
"""anti-captcha.com."""

# The window is from its own library for the older API; at most 40 % of the recent answers.
_WINDOW = 900.0
# Its own library waits 600 s for reCAPTCHA and 120 s for the rest. The docs ask for a first poll
# after 5 s, and after 10 s or more for reCAPTCHA.
_RECAPTCHA = PollTimes(first=10.0, interval=5.0, timeout=600.0)
_PEOPLE = PollTimes(first=5.0, interval=5.0, timeout=180.0)

TWO_CAPTCHA = Service(
    name="2captcha",
    base_url="https://api.2captcha.com",
    min_poll_gap=5.0,
    polling={
        "image": PollTimes(first=5.0, interval=5.0, timeout=120.0),
        "token": _PEOPLE,
        "recaptcha": _RECAPTCHA,
        "recaptcha_v3": _RECAPTCHA,
    },
    max_image_bytes=100 * 1024,
    image_formats=frozenset({"JPEG", "PNG", "GIF"}),
    dialects=TWO_CAPTCHA_TYPES,
    reports_incorrect={"any": ReportMethod("/reportIncorrect", window=_WINDOW)},
    reports_correct={"any": ReportMethod("/reportCorrect", window=_WINDOW)},
    currency="USD",
    numeric_codes=NUMERIC_CODES,
)
"""2captcha, API v2."""

# The service ends a task itself after 120 s; the rest is for hearing of it.
_CAPSOLVER = PollTimes(first=1.0, interval=3.0, timeout=150.0)

CAPSOLVER = Service(
    name="capsolver",
    base_url="https://api.capsolver.com",
    min_poll_gap=3.0,
    ban_window=1800.0,
    polling={"token": _CAPSOLVER, "image": POLLING["image"]},
    dialects=CAPSOLVER_TYPES,
    reports_incorrect={"any": ReportMethod("/feedbackTask", {"result": {"invalid": True}})},
    reports_correct={"any": ReportMethod("/feedbackTask", {"result": {"invalid": False}})},
    currency="USD",
    soft_id_key="appId",
)
"""capsolver.com."""

SERVICES.update(
    (service.name, service)
    for service in (CAPMONSTER, CAPTCHA69, ANTI_CAPTCHA, TWO_CAPTCHA, CAPSOLVER)
)
