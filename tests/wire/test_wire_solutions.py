"""Solutions: read from wherever they stand, and never lost, whatever a service sends."""

from __future__ import annotations

from types import MappingProxyType
from typing import Any

import attrs
import hypothesis
import pytest
from hypothesis import strategies as st
from task_strategies import json_values

from captcha_async import tasks
from captcha_async.errors import UnreadableSolution
from captcha_async.tasks import RawSolution, Task
from captcha_async.tasks._families import all_models
from captcha_async.tasks._model import solution_type
from captcha_async.wire import _codecs, load_solution

few = hypothesis.settings(max_examples=8)
every_model = pytest.mark.parametrize("model", all_models(), ids=lambda model: model.__name__)


@pytest.mark.parametrize(
    ("model", "answer", "expected"),
    [
        ("RecaptchaV2Task", {"gRecaptchaResponse": "t"}, {"token": "t", "user_agent": None}),
        ("RecaptchaV2Task", {"token": "t", "gRecaptchaResponse": None}, {"token": "t"}),
        ("TurnstileTask", {"TOKEN": "t", "useragent": "UA"}, {"token": "t", "user_agent": "UA"}),
        ("HuntTask", {"data": {"token": "t"}}, {"token": "t"}),
        (
            "BasiliskTask",
            {"data": {"captcha_response": "t"}, "headers": {"user-agent": "UA"}},
            {"token": "t", "user_agent": "UA"},
        ),
        ("AmazonTask", {"cookies": {"aws-waf-token": "t"}}, {"token": "t"}),
        (
            "AmazonTask",
            {"captcha_voucher": "v", "existing_token": "t"},
            {"token": "t", "captcha_voucher": "v"},
        ),
        ("AmazonTask", {"cookie": "aws-waf-token=t"}, {"token": "t"}),
        ("DataDomeTask", {"cookie": "datadome=t; Path=/"}, {"cookies": {"datadome": "t"}}),
        ("DataDomeTask", {"cookie": "datadome=t; Path=/"}, {"datadome": "t"}),
        (
            "TspdTask",
            {"Domains": {"a.example": {"Cookies": {"x": "1"}}, "b.example": {"cookies": {"y": 2}}}},
            {"cookies": {"x": "1", "y": "2"}},
        ),
        (
            "ImpervaTask",
            {"domains": {"https://example.com": {"cookies": {"___utmvc": "v; Max-Age=1; Path=/"}}}},
            {"cookies": {"___utmvc": "v"}},
        ),
        ("TurnstileChallengeCookieTask", {"cf_clearance": "c"}, {"cf_clearance": "c"}),
        ("TenDITask", {"ticket": "t", "randstr": "r", "ret": 0}, {"ticket": "t", "randstr": "r"}),
        ("SheinTask", {"answer": [{"X": 1, "Y": 2.5}]}, {"answer": ((1, 2.5),)}),
        ("BillsAudioTask", {"answer": [6, 8, 4]}, {"answer": "684"}),
        ("DliTask", {"answer": "1"}, {"answer": "1"}),
        ("Bls3x3Task", {"answer": [1, 0, True]}, {"answer": (True, False, True)}),
        ("ComplexImageHCaptchaTask", {"answer": [False, True]}, {"answer": (False, True)}),
        ("ComplexImageHCaptchaTask", {"answer": [{"x": 1, "y": 2}]}, {"answer": ((1, 2),)}),
        ("ComplexImageRecognitionTask", {"answer": [True]}, {"answer": (True,)}),
        ("ComplexImageRecognitionTask", {"answer": [2, 3.5]}, {"answer": (2, 3.5)}),
        ("ComplexImageRecognitionTask", {"answer": "text"}, {"answer": "text"}),
        ("ComplexImageRecognitionTask", {"answer": []}, {"answer": ()}),
        ("ImageToTextTask", {"text": 42}, {"text": "42"}),
    ],
)
def test_answers_are_read_from_where_they_stand(model: str, answer: Any, expected: Any) -> None:
    """Flat or nested, in any letter case, under the services' different names."""
    solution = load_solution(model, answer)
    for name, value in expected.items():
        found = getattr(solution, name)
        if name == "answer" and found and isinstance(found[0], tasks.Point):
            found = tuple(attrs.astuple(point) for point in found)
        assert found == value


def test_a_token_inside_of_json_text_is_taken_apart() -> None:
    """Alibaba's answer is JSON text: it is kept to be submitted, and its values are at hand."""
    text = '{"sceneId":"s","data":"d"}'
    solution = load_solution(tasks.AlibabaTask, {"data": {"tokens": text}})
    assert isinstance(solution, tasks.AlibabaSolution)
    assert solution.token == text
    assert solution.tokens == {"sceneId": "s", "data": "d"}


def test_no_repr_shows_a_token() -> None:
    """Only what is no secret is printed: the user agent, a text, the shape of the rest."""
    answer = {"gRecaptchaResponse": "s3cret", "userAgent": "UA", "cookies": {"a": "s3cret"}}
    shown = repr(load_solution("RecaptchaV2Task", answer))
    assert "s3cret" not in shown
    assert "user_agent='UA'" in shown
    assert "<hidden str 6>" in shown
    assert "cookies" not in repr(load_solution("RecaptchaV2Task", {"token": "t"}))


def test_unknown_keys_stay_in_raw() -> None:
    """A key that came after this release is not lost."""
    answer = {"gRecaptchaResponse": "t", "new": {"a": 1}}
    assert load_solution("RecaptchaV2Task", answer).raw["new"] == {"a": 1}


def test_an_optional_key_of_odd_form_does_not_spoil_the_answer() -> None:
    """The token was paid for: what cannot be read beside it stays in `raw`."""
    solution = load_solution("RecaptchaV2Task", {"gRecaptchaResponse": "t", "cookies": ["a"]})
    assert isinstance(solution, tasks.RecaptchaSolution)
    assert (solution.token, solution.cookies) == ("t", None)
    assert solution.raw["cookies"] == ["a"]


@pytest.mark.parametrize(
    ("model", "answer"),
    [
        ("SheinTask", {"answer": [1, 2]}),
        ("SheinTask", {"answer": [{"X": "a", "Y": 2}]}),
        ("OoclRotateNewTask", {"answer": ["a"]}),
        ("Bls3x3Task", {"answer": [2]}),
        ("CastleTask", {"data": {"tokens": [1]}}),
        ("AlibabaTask", {"data": {"tokens": "[1]"}}),
        ("TspdTask", {"domains": {"a.example": {"cookies": {"x": [1]}}}}),
    ],
)
def test_a_required_value_of_another_kind_is_no_answer(model: str, answer: Any) -> None:
    """What a field promises is checked, and the service's object is in the error."""
    with pytest.raises(UnreadableSolution) as caught:
        load_solution(model, answer)
    assert caught.value.raw is answer


@pytest.mark.parametrize("answer", [{}, {"text": "x"}, {"gRecaptchaResponse": ["t"]}, [], None])
def test_an_answer_of_another_form_is_kept_in_the_error(answer: Any) -> None:
    """A solution that arrived is never thrown away, and its token is in no message."""
    with pytest.raises(UnreadableSolution) as caught:
        load_solution("RecaptchaV2Task", answer)
    assert caught.value.raw is answer


def test_the_answer_to_an_unknown_type_is_raw() -> None:
    """Unknown names, and names of several variants, lead to the service's own object."""
    for name in ("NewGateTask", "CustomTask", "ComplexImageTask"):
        solution = load_solution(name, {"a": 1})
        assert isinstance(solution, RawSolution)
        assert solution.raw == {"a": 1}


@every_model
@few
@hypothesis.given(answer=st.dictionaries(st.text(), json_values()), data=st.data())
def test_any_json_is_an_answer_or_kept_in_the_error(
    model: type[Task[Any]], answer: dict[str, Any], data: st.DataObject
) -> None:
    """No answer makes the reader crash, also where documented keys hold something else."""
    for field in attrs.fields(solution_type(model)):  # type: ignore[arg-type]
        if field.name != "raw" and data.draw(st.booleans()):
            answer[field.metadata["wire"].path[0]] = data.draw(json_values())
    found: Any
    try:
        found = load_solution(model, answer)
    except UnreadableSolution as error:
        found = error
    assert found.raw is answer


ODD: list[Any] = [
    *([], {}, "", "text", ["a"], None, 7, True, 1e999, float("nan"), {"a": None}, [[[]]]),
    {"a": {"cookies": 7}},
]
WHOLE: dict[str, dict[str, Any]] = {
    "RecaptchaV2Task": {"gRecaptchaResponse": "t", "userAgent": "UA", "cookies": {"a": "b"}},
    "HCaptchaTask": {"token": "t", "userAgent": "UA", "respKey": "E0_e"},
    "AmazonTask": {"existing_token": "t", "captcha_voucher": "v", "cookies": {"a": "b"}},
    "AltchaTask": {"token": "t", "number": 3},
    "CastleTask": {"data": {"tokens": ["t"]}, "domains": {"a": {"cookies": {"__cuid": "c"}}}},
    "TurnstileChallengeCookieTask": {"cf_clearance": "c", "userAgent": "UA"},
    "TenDITask": {"data": {"ticket": "t", "randstr": "r"}, "headers": {"User-Agent": "UA"}},
    "SheinTask": {"answer": [{"x": 1, "y": 2}], "metadata": {"AnswerType": "Coordinate"}},
    "GeeTestTask": {"challenge": "c", "validate": "v", "seccode": "s"},
    "DataDomeTask": {
        "domains": {"a": {"cookies": {"datadome": "d"}, "localStorage": {"k": 1}}},
        "url": "https://a/",
        "headers": {"User-Agent": "UA"},
        "fingerprint": {"f": 1},
        "data": {"d": 1},
    },
}


@pytest.mark.parametrize("model", WHOLE)
@pytest.mark.parametrize("odd", ODD, ids=repr)
def test_one_odd_optional_field_costs_itself_and_nothing_else(model: str, odd: Any) -> None:
    """Whatever stands in one optional place, all the other fields are read as they are without."""
    whole = load_solution(model, WHOLE[model])
    fields = attrs.fields_dict(type(whole))  # type: ignore[arg-type]
    firsts = {
        name: {path[0].lower() for path in (wire.path, *wire.aliases)}
        for name, field in fields.items()
        if (wire := field.metadata.get("wire"))
    }
    needed = {
        first
        for name, starts in firsts.items()
        if fields[name].default is attrs.NOTHING
        for first in starts
    }
    for place in {first for starts in firsts.values() for first in starts} - needed:
        others = {key: value for key, value in WHOLE[model].items() if key.lower() != place}
        solution = load_solution(model, {**others, place: odd})
        for name, starts in firsts.items():
            if place not in starts:
                assert getattr(solution, name) == getattr(whole, name), (place, name)


@every_model
@pytest.mark.parametrize("blank", ["", "  ", None, {}, []], ids=repr)
def test_an_answer_with_nothing_in_it_is_unreadable(model: type[Task[Any]], blank: Any) -> None:
    """A paid answer whose fields are all empty is no answer, and the error has it."""
    fields = attrs.fields(solution_type(model))  # type: ignore[arg-type]
    wires = [field.metadata["wire"] for field in fields if field.name != "raw"]
    answer = {wire.path[0]: blank for wire in wires}
    lists = [field.name for field in fields if field.name != "raw" and field.metadata["wire"].empty]
    if blank == [] and lists:
        solution = load_solution(model, answer)
        assert [getattr(solution, name) for name in lists] == [()] * len(lists)
        return
    with pytest.raises(UnreadableSolution) as caught:
        load_solution(model, answer)
    assert caught.value.raw is answer


@pytest.mark.parametrize(
    ("model", "answer"),
    [
        ("RecaptchaV2Task", {"gRecaptchaResponse": "", "userAgent": "UA"}),
        ("TurnstileTask", {"token": " \n", "userAgent": "UA"}),
        ("GeeTestTask", {"challenge": "", "validate": "", "seccode": ""}),
        ("ImageToTextTask", {"text": ""}),
        ("AntiGateTask", {"token": "", "cookies": {}}),
        ("DataDomeTask", {"domains": {"a.example": {"cookies": {}}}}),
        ("CastleTask", {"data": {"tokens": [""]}}),
        ("YandexSmartCaptchaTaskProxyless", {"unknown": "x"}),
    ],
)
def test_an_empty_token_is_no_answer(model: str, answer: Any) -> None:
    """Whatever else stands beside it."""
    with pytest.raises(UnreadableSolution) as caught:
        load_solution(model, answer)
    assert caught.value.raw is answer


def test_an_empty_place_gives_way_to_the_next() -> None:
    """A service that fills the one of two places is understood."""
    solution = load_solution("RecaptchaV2Task", {"gRecaptchaResponse": "", "token": "t"})
    assert isinstance(solution, tasks.RecaptchaSolution)
    assert solution.token == "t"


@pytest.mark.parametrize("answer", [["t"], 7, "t", True, 1.5, [{"token": "t"}]], ids=repr)
@every_model
def test_an_answer_that_is_no_object_is_kept(model: type[Task[Any]], answer: Any) -> None:
    """A list, a number, a bare text: what the model can read is typed, the rest is in the error."""
    try:
        kept = load_solution(model, answer).raw
    except UnreadableSolution as error:
        kept = {"": error.raw}
    assert any(value is answer for value in kept.values())


def test_texts_alone_are_read_as_cattrs_reads_them() -> None:
    """The short way for them is no other reading; what is no text goes by cattrs."""
    compared = set()
    for kind in {solution_type(model) for model in all_models()}:
        codec = _codecs.solution_codec(kind)
        names = codec._texts - codec._decoded
        if not {place.name for place in codec._required} <= names:
            continue
        values: dict[str, Any] = {"raw": {"any": "thing"}, **dict.fromkeys(names, "text")}
        answer = kind(**values)
        assert codec._structure(values, kind) == answer
        for name in names:
            assert codec._structure({**values, name: 5}, kind) == attrs.evolve(
                answer, **{name: "5"}
            )
        compared.add(kind.__name__)
    assert {"RecaptchaSolution", "ImageToTextSolution", "GeeTestSolution"} <= compared


@every_model
@few
@hypothesis.given(data=st.data())
def test_an_answer_of_texts_is_read_as_any_other(
    model: type[Task[Any]], data: st.DataObject
) -> None:
    """It takes a short way, on which it must mean the same; a mapping of another type goes the
    long one."""
    fields = attrs.fields(solution_type(model))  # type: ignore[arg-type]
    wires = [field.metadata["wire"] for field in fields if field.name != "raw"]
    heads = [path[0] for wire in wires for path in (wire.path, *wire.aliases)]
    keys = st.sampled_from([*heads, *map(str.upper, heads), "new", "raw"])
    texts = st.sampled_from(["text", "7", " ", ""]) | st.integers(0, 1) | st.none()
    answer = data.draw(st.dictionaries(keys, texts, max_size=4))
    found: list[Any] = []
    for each in (answer, MappingProxyType(answer)):
        try:
            solution = load_solution(model, each)
            found.append([getattr(solution, field.name) for field in fields])
        except UnreadableSolution as error:
            found.append(str(error))
    assert found[0] == found[1]


def test_most_answers_take_the_short_way() -> None:
    """What the services send for a token, with what they add of their own."""
    codec = _codecs.solution_codec(tasks.RecaptchaSolution)
    for answer in ({"gRecaptchaResponse": "t"}, {"token": "t", "session": "s", "userAgent": "UA"}):
        assert codec._read_plain(answer) == codec.load(answer)
    assert codec._read_plain({"gRecaptchaResponse": "t", "token": "u"}) is None
