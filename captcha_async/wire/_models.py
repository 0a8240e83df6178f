"""Models ⇄ the JSON objects of the protocol. No I/O: mappings in, mappings out."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

from ..errors import UnreadableSolution, invalid
from ..services import Service
from ..services._checks import check_required
from ..services._dialect import own_dialect
from ..tasks._families import all_models, find_model
from ..tasks._model import RawSolution, RawTask, Solution, Task, TaskSpec, solution_type
from ._codecs import SolutionCodec, solution_codec
from ._paths import look_up
from ._task_codec import TaskCodec, dump_raw, task_codec

__all__ = ["dump_request", "dump_task", "load_solution", "load_task"]


def dump_task(task: Task[Any], service: Service | None = None) -> dict[str, Any]:
    """Return the task object of createTask.

    Fields that the service does not have are left out; `service.check` tells of them.

    Args:
        task: the task.
        service: whose names to use; without it the models' own, which are CapMonster's.
    """
    if isinstance(task, RawTask):
        return dump_raw(task)
    return _codec(type(task), service).dump(task)


def dump_request(task: Task[Any], service: Service) -> dict[str, Any]:
    """Return createTask's body without the key: the task object, and what stands beside it."""
    if isinstance(task, RawTask):
        return {"task": dump_raw(task)}
    codec = _codec(type(task), service)
    body: dict[str, Any] = {"task": codec.dump(task)}
    return body | codec.dump_beside(task) if codec.beside else body


def load_task(
    body: Mapping[str, Any], service: Service | None = None, *, lenient: bool = False
) -> Task[Any]:
    """Read a task object; keys may be the wire's, in any letter case, or the models' own names.

    A type that the library has no model of becomes a `RawTask`.

    Args:
        body: the task object.
        service: whose names it uses; without it the models' own, which are CapMonster's.
        lenient: pass over keys that the type does not have, as the services do.

    Raises:
        InvalidArgument: a key is missing, which the model or the service requires, is unknown or
            has a wrong value.
    """
    if not isinstance(body, Mapping) or not all(isinstance(key, str) for key in body):
        raise invalid("task", body, "a JSON object", show=False)
    name = body.get("type")
    if not isinstance(name, str) or not name:
        raise invalid("type", name, "the name of a task type")
    codec = find_codec(body, service)
    if codec is None:
        return RawTask(name, {key: value for key, value in body.items() if key != "type"})
    task = codec.load(body, lenient=lenient)
    dialect = None if service is None else service.dialect(codec.model)
    if service is not None and dialect is not None:
        check_required(task, dialect, service.name)
    return task


def load_solution(task_type: str | type[Task[Any]], answer: Any) -> Solution:
    """Read a solution object as the answer to a task type.

    Args:
        task_type: a task model or its name, such as `RecaptchaV2Task`; the answer to a type that
            the library does not know is a `RawSolution`.
        answer: the service's `solution`: an object, or a text, a number or a list where the
            service answers with just that.

    Raises:
        UnreadableSolution: a documented key is missing; the answer is in its `raw`.
    """
    named: Any = task_type
    codec = _solution_codec(named)
    try:
        return codec.load(answer if type(answer) is dict else _as_object(answer))
    except UnreadableSolution as error:
        error.raw = answer
        raise


@cache
def _solution_codec(task_type: Any) -> SolutionCodec:
    """The codec of the answers to a task type."""
    model = _find_model(task_type) if isinstance(task_type, str) else task_type
    return solution_codec(RawSolution if model is None else solution_type(model))


def _as_object(answer: Any) -> Mapping[str, Any]:
    """Put an answer that is no object under the keys where the models look for one."""
    if isinstance(answer, Mapping):
        return answer
    if answer is None:
        return {}
    plain = isinstance(answer, str | int | float) and not isinstance(answer, bool)
    return {"text": answer, "token": answer} if plain else {"answer": answer}


def model_name(task: Task[Any]) -> str:
    """Return the name under which `load_solution` knows the type of *task*."""
    return task.type if isinstance(task, RawTask) else type(task).__name__


def spec_of(name: str) -> TaskSpec:
    """Return what is known of the task type that `model_name` called *name*."""
    model = _find_model(name)
    return RawTask.spec if model is None else model.spec


# -- finding the model ----------------------------------------------------------------------------

Model = type[Task[Any]]


def _codec(model: Model, service: Service | None) -> TaskCodec:
    dialect = None if service is None else service.dialect(model)
    return task_codec(model, own_dialect(model) if dialect is None else dialect)


def find_codec(
    body: Mapping[str, Any], service: Service | None = None, *, own: bool = True
) -> TaskCodec | None:
    """Return the codec that fits a task object best, or None for a type that is not known.

    At a service its own names go first; with *own* the models' names are known too.
    """
    name = str(body.get("type"))
    groups = [] if service is None else [[*map(_at(service), _models_at(service, name))]]
    if own:
        groups.append([_codec(model, None) for model in _models_of(name)])
    for codecs in groups:
        fitting = [codec for codec in codecs if _matches(body, codec.fixed)]
        if fitting:
            return _best(fitting, body)
    return None


def has_other_kind(body: Mapping[str, Any], codec: TaskCodec, service: Service) -> bool:
    """Whether a key that tells variants apart says something that no variant has."""
    models = _models_at(service, str(body.get("type")))
    telling = {key for model in models for key in _codec(model, service).fixed}
    known = {*codec.fixed, *codec.kinds()}
    return any(isinstance(look_up(body, key.split(".")), str) for key in telling - known)


def _at(service: Service) -> Any:
    return lambda model: _codec(model, service)


@cache
def _models_of(wire_type: str) -> tuple[Model, ...]:
    """The variants of a wire type, the most narrowly described first."""
    models = [model for model in all_models() if model.spec.type == wire_type]
    return tuple(sorted(models, key=lambda model: _breadth(model, wire_type)))


def _breadth(model: Model, wire_type: str) -> tuple[bool, bool, int]:
    return model.spec.historic, model.__name__ != wire_type, -len(model.spec.fixed)


@cache
def _find_model(name: str) -> Model | None:
    found = find_model(name)
    if found is None:
        models = _models_of(name)
        found = models[0] if len(models) == 1 else None
    return found


def _models_at(service: Service, name: str) -> list[Model]:
    """The models that *service* calls by this name."""
    models = [
        model
        for model in all_models()
        if (dialect := service.dialects.get(model.__name__)) and name in dialect.names
    ]
    return sorted(models, key=lambda model: _breadth(model, name))


def _matches(body: Mapping[str, Any], fixed: Mapping[str, Any]) -> bool:
    return all(_same(look_up(body, key.split(".")), value) for key, value in fixed.items())


def _same(found: Any, fixed: Any) -> bool:
    return bool(found == fixed) or str(found).lower() == str(fixed).lower()


def _best(fitting: list[TaskCodec], body: Mapping[str, Any]) -> TaskCodec:
    """The one with the most of the model's own fixed keys, then the one whose fields fit best."""
    if len(fitting) == 1:
        return fitting[0]

    def order(codec: TaskCodec) -> tuple[int, int]:
        return codec.misfit(body), -len(codec.fixed)

    most = max(_speaking(codec) for codec in fitting)
    narrow = [codec for codec in fitting if _speaking(codec) == most]
    return narrow[0] if len(narrow) == 1 else min(narrow, key=order)


def _speaking(codec: TaskCodec) -> int:
    return len(codec.fixed) if codec.fixed is codec.model.spec.fixed else 0
