"""Models ⇄ the JSON objects of the protocol. No I/O: mappings in, mappings out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cache
from typing import Any

from ..errors import invalid
from ..services import Service
from ..services._type_names import TypeName
from ..tasks._families import all_models, find_model
from ..tasks._model import RawSolution, RawTask, Solution, Task, TaskSpec, solution_type
from ._codecs import solution_codec, task_codec
from ._paths import look_up, put, take

__all__ = ["dump_task", "load_solution", "load_task"]


def dump_task(task: Task[Any], service: Service | None = None) -> dict[str, Any]:
    """Return the task object of createTask.

    Args:
        task: the task.
        service: whose names to use; CapMonster's without it.
    """
    if isinstance(task, RawTask):
        return {"type": task.type, **task.fields}
    codec = task_codec(type(task))
    named = service and service.type_names.get(type(task).__name__)
    if not named:
        return codec.dump(task)
    fixed = task.spec.fixed if named.fixed is None else named.fixed
    proxied = getattr(task, "proxy", None) is not None
    return codec.dump_as(task, named.of(proxied=proxied), fixed, named.keys)


def load_task(
    body: Mapping[str, Any], service: Service | None = None, *, lenient: bool = False
) -> Task[Any]:
    """Read a task object; keys may be the wire's, in any letter case, or the models' own names.

    A type that the library has no model of becomes a `RawTask`.

    Args:
        body: the task object.
        service: whose names it uses; CapMonster's without it.
        lenient: pass over keys that the type does not have, as the services do.

    Raises:
        InvalidArgument: a key is missing, unknown or has a wrong value.
    """
    if not isinstance(body, Mapping) or not all(isinstance(key, str) for key in body):
        raise invalid("task", body, "a JSON object", show=False)
    name = body.get("type")
    if not isinstance(name, str) or not name:
        raise invalid("type", name, "the name of a task type")
    fitting = [] if service is None else _fitting_at(service, name, body)
    fitting = fitting or [
        (model, body, len(model.spec.fixed))
        for model in _models_of(name)
        if _matches(body, model.spec.fixed)
    ]
    if not fitting:
        return RawTask(name, {key: value for key, value in body.items() if key != "type"})
    model, body, _ = _best(fitting)
    return task_codec(model).load(body, lenient=lenient)


def load_solution(task_type: str | type[Task[Any]], answer: Mapping[str, Any]) -> Solution:
    """Read a solution object as the answer to a task type.

    Args:
        task_type: a task model or its name, such as `RecaptchaV2Task`; the answer to a type that
            the library does not know is a `RawSolution`.
        answer: the service's `solution` object.

    Raises:
        UnreadableSolution: a documented key is missing; the answer is in its `raw`.
    """
    model = _find_model(task_type) if isinstance(task_type, str) else task_type
    kind = RawSolution if model is None else solution_type(model)
    return solution_codec(kind).load(answer)


def model_name(task: Task[Any]) -> str:
    """Return the name under which `load_solution` knows the type of *task*."""
    return task.type if isinstance(task, RawTask) else type(task).__name__


def spec_of(name: str) -> TaskSpec:
    """Return what is known of the task type that `model_name` called *name*."""
    model = _find_model(name)
    return RawTask.spec if model is None else model.spec


# -- finding the model ----------------------------------------------------------------------------

Model = type[Task[Any]]
Candidate = tuple[Model, Mapping[str, Any], int]
"""A model, the task object in CapMonster's words, and how many fixed keys speak for the model."""


@cache
def _models_of(wire_type: str) -> tuple[Model, ...]:
    """The variants of a wire type, the most narrowly described first."""
    models = [model for model in all_models() if model.spec.type == wire_type]
    return tuple(sorted(models, key=_breadth))


def _breadth(model: Model) -> tuple[bool, int]:
    return model.spec.historic, -len(model.spec.fixed)


@cache
def _find_model(name: str) -> Model | None:
    found = find_model(name)
    if found is None:
        models = _models_of(name)
        found = models[0] if len(models) == 1 else None
    return found


def _fitting_at(service: Service, name: str, body: Mapping[str, Any]) -> list[Candidate]:
    """The models that *service* calls by this name, each with the body in CapMonster's words."""
    fitting: list[Candidate] = []
    for model in _models_named(service, name):
        named = service.type_names[model.__name__]
        fixed = model.spec.fixed if named.fixed is None else named.fixed
        if _matches(body, fixed):
            speaking = len(fixed) if named.fixed is None else 0
            fitting.append((model, _restore(body, named, fixed), speaking))
    return fitting


def _models_named(service: Service, name: str) -> Iterable[Model]:
    models = [
        model
        for model in all_models()
        if (named := service.type_names.get(model.__name__)) and name in named.names
    ]
    return sorted(models, key=_breadth)


def _restore(body: Mapping[str, Any], named: TypeName, fixed: Mapping[str, Any]) -> dict[str, Any]:
    # Objects are copied too: the caller's stay as they are.
    restored = {
        key: dict(item) if isinstance(item, Mapping) else item for key, item in body.items()
    }
    for key in fixed:
        take(restored, key)
    for ours, theirs in named.keys.items():
        value = take(restored, theirs)
        if value is not None:
            put(restored, ours, value)
    return restored


def _matches(body: Mapping[str, Any], fixed: Mapping[str, Any]) -> bool:
    return all(_same(look_up(body, key.split(".")), value) for key, value in fixed.items())


def _same(found: Any, fixed: Any) -> bool:
    return bool(found == fixed) or str(found).lower() == str(fixed).lower()


def _best(fitting: list[Candidate]) -> Candidate:
    """The variant with the most fixed keys; among such, the one whose fields fit best."""
    most = max(fixed for _, _, fixed in fitting)
    narrow = [candidate for candidate in fitting if candidate[2] == most]
    return narrow[0] if len(narrow) == 1 else min(narrow, key=_misfit)


def _misfit(candidate: Candidate) -> int:
    model, body, _ = candidate
    return task_codec(model).misfit(body)
