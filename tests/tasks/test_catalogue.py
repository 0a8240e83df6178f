"""The models against the table of documented facts (`data/tasks.toml`), in both directions."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import attrs
import pytest
from facts import rows as rows_of_facts

from captcha_async import tasks
from captcha_async.errors import InvalidArgument
from captcha_async.services import ANTI_CAPTCHA, CAPMONSTER, CAPSOLVER, SERVICES, TWO_CAPTCHA
from captcha_async.services._dialect import uses_of
from captcha_async.services._service import POLLING
from captcha_async.tasks import RawTask, Task
from captcha_async.tasks._families import FAMILIES, all_models, find_model
from captcha_async.tasks._model import solution_type
from captcha_async.wire import dump_task, load_solution, load_task

DATA = Path(__file__).parents[1] / "data" / "tasks.toml"
TABLE: list[dict[str, Any]] = tomllib.loads(DATA.read_text(encoding="utf-8"))["task"]
Model = type[Task[Any]]

# Keys of the proxy, which the models have as one field.
PROXY_KEYS = ("proxyType", "proxyAddress", "proxyPort", "proxyLogin", "proxyPassword")


def rows() -> Iterator[Any]:
    """Every type and variant as (its row, the variant's row or the type's again)."""
    for row in TABLE:
        yield pytest.param(row, row, id=row["id"])
        for variant in row.get("variant", []):
            yield pytest.param(row, variant, id=f"{row['id']}-{variant['id']}")


def examples() -> Iterator[Any]:
    """Every example body with its row."""
    for row in TABLE:
        for part in [row, *row.get("variant", [])]:
            for key in ("example_task_json", "example_task_with_proxy_json"):
                if key in part:
                    name = f"{row['id']}-{part.get('id')}{'-proxy' if 'proxy' in key else ''}"
                    yield pytest.param(row, part, json.loads(part[key]), id=name)


def model_of(part: dict[str, Any]) -> Model:
    """The model of a type's or variant's example."""
    return type(load_task(json.loads(part["example_task_json"])))


def models_of(row: dict[str, Any]) -> set[Model]:
    """The models of a type with all its variants."""
    return {model_of(part) for part in [row, *row.get("variant", [])]}


def wire_keys(model: Model) -> dict[str, bool]:
    """The model's keys at CapMonster in lower case, each with whether it is required there."""
    uses = uses_of(model, CAPMONSTER.dialects[model.__name__])
    keys = {use.key.lower(): use.required for use in uses.values()}
    return keys | {key.lower(): True for key in model.spec.fixed}


def path_of(field: dict[str, Any]) -> str:
    """The dotted wire key of a field in the table."""
    return f"{field['at']}.{field['name']}".removeprefix("task.")


def without(body: dict[str, Any], path: str) -> dict[str, Any]:
    """A copy of *body* that lacks what stands under a dotted path."""
    copy: dict[str, Any] = json.loads(json.dumps(body))
    *outer, last = path.split(".")
    inner = copy
    for name in outer:
        inner = inner[name]
    del inner[last]
    return copy


# -- from the table to the models -----------------------------------------------------------------


@pytest.mark.parametrize(("row", "part", "body"), [*examples()])
def test_example_bodies_pass_through_unchanged(
    row: dict[str, Any], part: dict[str, Any], body: dict[str, Any]
) -> None:
    """A documented body is read by a model, and written as the same JSON."""
    task = load_task(body)
    assert not isinstance(task, RawTask)
    assert dump_task(task) == body


@pytest.mark.parametrize(("row", "part", "body"), [*examples()])
def test_keys_are_read_in_any_letter_case(
    row: dict[str, Any], part: dict[str, Any], body: dict[str, Any]
) -> None:
    """Documents and SDKs disagree on letter case; what is written is the documented spelling."""

    loud = {key if key == "type" else key.upper(): value for key, value in body.items()}
    if "METADATA" in loud:
        loud["METADATA"] = {key.upper(): value for key, value in loud["METADATA"].items()}
    assert load_task(loud) == load_task(body)


@pytest.mark.parametrize(("row", "part"), [*rows()])
def test_example_solutions_are_read(row: dict[str, Any], part: dict[str, Any]) -> None:
    """A documented solution fills typed fields; the service's own object stays in `raw`."""
    for key in ("example_solution_json", "example_solution_alt_json"):
        if key in part:
            answer = json.loads(part[key])
            solution = load_solution(model_of(part), answer)
            assert solution.raw is answer
            fields = [field.name for field in attrs.fields(type(solution)) if field.name != "raw"]  # type: ignore[arg-type]
            assert any(getattr(solution, name) is not None for name in fields)


@pytest.mark.parametrize("row", TABLE, ids=lambda row: row["id"])
def test_every_documented_field_has_its_place(row: dict[str, Any]) -> None:
    """No field of the table is missing in the models of its type."""
    keys = {key for model in models_of(row) for key in wire_keys(model)}
    for field in row["field"]:
        assert path_of(field).lower() in keys


@pytest.mark.parametrize("row", TABLE, ids=lambda row: row["id"])
def test_every_field_is_documented(row: dict[str, Any]) -> None:
    """No model has a field that the table of its type does not have."""
    documented = {path_of(field).lower() for field in row["field"]} | {"class"}
    newer = [each.facts for each in rows_of_facts() if each.service is CAPMONSTER]
    documented |= {
        path_of(field).lower()
        for each in newer
        if each["id"] == row["id"]
        for field in each["field"]
    }
    for model in models_of(row):
        assert set(wire_keys(model)) <= documented


@pytest.mark.parametrize("row", TABLE, ids=lambda row: row["id"])
def test_every_place_of_a_solution_is_read(row: dict[str, Any]) -> None:
    """What the table says of an answer is a field of some solution model of the type."""
    places = set()
    for model in models_of(row):
        for field in attrs.fields(solution_type(model)):  # type: ignore[arg-type]
            wire = field.metadata.get("wire")
            places |= {".".join(path) for path in (wire.path, *wire.aliases)} if wire else set()
    for entry in row["solution"]:
        path = re.sub("<[a-z]+>", "*", entry["path"])
        assert {path, path.partition(".")[0]} & places


@pytest.mark.parametrize(("row", "part"), [*rows()])
def test_each_required_field_is_required(row: dict[str, Any], part: dict[str, Any]) -> None:
    """Without a required field there is an error that names it."""
    body = json.loads(part["example_task_json"])
    always = [path_of(field) for field in row["field"] if field["required"] is True]
    for path in {*always, *part.get("requires", [])}:
        if path in model_of(part).spec.fixed:
            continue
        try:
            lacking = without(body, path)
        except KeyError:
            # The sample spells it in another letter case.
            lacking = without(body, path.replace("URL", "Url"))
        if row["id"] == "hunt" and path in ("metadata.data", "metadata.widgetUrl"):
            # Without it this is a documented body of the plainest variant.
            assert type(load_task(lacking, CAPMONSTER)) is tasks.HuntTask
            continue
        with pytest.raises(InvalidArgument) as caught:
            load_task(lacking, CAPMONSTER)
        name = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", path.rpartition(".")[2]).lower()
        about_proxy = path.startswith("proxy") and caught.value.field.startswith("proxy")
        assert about_proxy or name in caught.value.field


@pytest.mark.parametrize(("row", "part"), [*rows()])
def test_excluded_fields_are_refused(row: dict[str, Any], part: dict[str, Any]) -> None:
    """A variant cannot have the fields whose absence tells it apart."""
    model = model_of(part)
    for path in part.get("forbids", []):
        assert path.lower() not in wire_keys(model)


@pytest.mark.parametrize(("row", "part"), [*rows()])
def test_optional_fields_may_be_left_out(row: dict[str, Any], part: dict[str, Any]) -> None:
    """What the table does not require, the model does not require either."""
    documented = {path_of(field).lower(): field["required"] for field in row["field"]}
    needed = {path.lower() for path in part.get("requires", [])}
    for key, required in wire_keys(model_of(part)).items():
        if required and key != "class" and key not in needed:
            assert documented[key] in (True, "conditional")


@pytest.mark.parametrize(("row", "part"), [*rows()])
def test_proxies_are_as_documented(row: dict[str, Any], part: dict[str, Any]) -> None:
    """Optional, required or refused, as the page of the type says."""
    documented = part.get("proxy", row["proxy"])
    uses = {"not_allowed": "refused", "conditional": "optional"}
    if "GeeTestTaskProxyless" in part["example_task_json"]:
        documented = "not_allowed"
    model = model_of(part)
    dialect = CAPMONSTER.dialects[model.__name__]
    use = "required" if dialect.proxyless is None else "optional"
    assert (use if dialect.proxied else "refused") == uses.get(documented, documented)


@pytest.mark.parametrize("row", TABLE, ids=lambda row: row["id"])
def test_historic_names_stay_available(row: dict[str, Any]) -> None:
    """A name that left the documents has a model of its own, marked as historic."""
    for alias in row.get("alias", []):
        model = find_model(alias["name"])
        assert model is not None
        assert model.spec.historic
        assert model.spec.type == alias["name"]
    if row["docs_status"].startswith("historic"):
        assert all(model.spec.historic for model in models_of(row))


@pytest.mark.parametrize("row", TABLE, ids=lambda row: row["id"])
def test_nocache_is_wherever_documented(row: dict[str, Any]) -> None:
    """The option to get a fresh token is a field of the types that document it."""
    if row["nocache_documented"]:
        assert all("nocache" in wire_keys(model) for model in models_of(row))


@pytest.mark.parametrize("row", TABLE, ids=lambda row: row["id"])
def test_polling_starts_as_in_the_official_sdk(row: dict[str, Any]) -> None:
    """The first delay is the SDK's; we poll no more often, and give up no earlier."""
    sdk = row.get("polling", {}).get("sdk_python")
    for model in models_of(row) if sdk else ():
        if model.spec.family != "waiting_room":
            times = POLLING.get(model.spec.family, POLLING["token"])
            assert times.first == sdk["first_delay_s"]
            assert times.interval == max(sdk["interval_s"], 2.0)
            assert times.timeout >= sdk["timeout_s"]


# -- from the models to the table -----------------------------------------------------------------


def test_no_model_is_without_a_row() -> None:
    """Every model is a documented type, variant or historic name of some service."""
    known = {model for row in rows_of_facts() for model in row.models()}
    known |= {find_model(alias["name"]) for row in TABLE for alias in row.get("alias", [])}  # type: ignore[misc]
    assert set(all_models()) == known


@pytest.mark.parametrize("model", all_models(), ids=lambda model: model.__name__)
def test_python_names_are_the_wire_names_in_snake_case(model: Model) -> None:
    """A field's name follows from the documented key, with no exception to learn."""
    for field in attrs.fields(model):  # type: ignore[arg-type]
        path = field.metadata["wire"].path
        if path:
            words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", path[-1])
            assert field.name == words.lower()


@pytest.mark.parametrize("model", all_models(), ids=lambda model: model.__name__)
def test_models_say_what_they_are(model: Model) -> None:
    """Every model and its solution have a docstring, which names the source of the facts."""
    assert "Source" in (model.__doc__ or "")
    assert solution_type(model).__doc__


def test_the_families_list_what_their_modules_have() -> None:
    """The list that makes the import lazy is the modules' own."""
    for module, names in FAMILIES.items():
        listed = set(__import__(f"captcha_async.tasks.{module}", fromlist=["*"]).__all__)
        assert set(names) <= listed
        assert not {name for name in listed - set(names) if name[0].isupper()}
    assert {name for names in FAMILIES.values() for name in names} <= set(tasks.__all__)


# -- services -------------------------------------------------------------------------------------

ELSEWHERE = {"anti-captcha": ANTI_CAPTCHA, "2captcha": TWO_CAPTCHA, "capsolver": CAPSOLVER}


def test_a_type_that_a_service_lacks_is_refused_before_any_request() -> None:
    """The error says which services take it."""
    task = tasks.CastleTask(
        website_url="https://example.com",
        website_key="pk_1",
        w_url="https://example.com/cw.js",
        sw_url="https://example.com/csw.js",
    )
    for service in ELSEWHERE.values():
        with pytest.raises(InvalidArgument, match="capmonster, captcha69 take this one") as caught:
            service.check(task)
        assert caught.value.field == "task"
    for name in ("capmonster", "captcha69"):
        SERVICES[name].check(task)


@pytest.mark.parametrize("service", SERVICES.values(), ids=SERVICES)
def test_a_raw_task_goes_anywhere(service: Any) -> None:
    """What the library does not know, it does not refuse."""
    service.check(RawTask("AntiGateTask", {"templateName": "x"}))


@pytest.mark.parametrize("service", SERVICES.values(), ids=SERVICES)
def test_dialects_are_of_models_and_of_their_fields(service: Any) -> None:
    """No entry is for a model or a field that is not there, and none forgets a required one."""
    for name, dialect in service.dialects.items():
        model = find_model(name)
        assert model is not None
        fields = attrs.fields_dict(model)  # type: ignore[arg-type]
        told = {*dialect.hints.split(), *dialect.values, *dialect.limits, *dialect.defaults}
        assert told <= set(fields)
        had = {*uses_of(model, dialect), *dialect.hints.split(), "proxy"}
        assert {key for key, each in fields.items() if each.default is attrs.NOTHING} <= had
