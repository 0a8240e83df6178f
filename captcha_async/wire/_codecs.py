"""JSON objects to solutions, one codec per model; `_task_codec` has the tasks.

The mapping itself is cattrs', told by the models' field declarations. cattrs is imported and its
functions are generated when an answer first needs them, so that importing the library and a first
solve stay cheap.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import cache, cached_property
from typing import TYPE_CHECKING, Any, cast

import attrs

from ..errors import UnreadableSolution
from ..tasks._fields import WireField
from ..tasks._model import Solution
from ._paths import look_up, lower
from ._values import is_empty

if TYPE_CHECKING:
    from cattrs import Converter

__all__ = ["SolutionCodec", "solution_codec"]


@cache
def _converter() -> Converter:
    from cattrs import Converter

    converter = Converter(detailed_validation=False)
    converter.register_structure_hook(str, _structure_text)
    return converter


def _structure_text(value: Any, _: object) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, int | float) and not isinstance(value, bool):
        return str(value)
    raise TypeError(f"expected text, got {type(value).__name__}")


# As a model's annotations may be written.
_TEXT: set[Any] = {"str", "str | None", str, str | None}


def _pass_on(value: Any, _: object) -> Any:
    return value


# -- solutions ------------------------------------------------------------------------------------


class SolutionCodec:
    """Reads the answers of one model."""

    def __init__(self, model: type[Solution]) -> None:
        self._model = model
        declared = attrs.fields(cast("type[attrs.AttrsInstance]", model))
        fields = [field for field in declared if field.name != "raw"]
        wires: dict[str, WireField] = {field.name: field.metadata["wire"] for field in fields}
        required = {field.name for field in fields if field.default is attrs.NOTHING}
        self._fields = [_Place(name, wire, name in required) for name, wire in wires.items()]
        self._required = [place for place in self._fields if place.required]
        self._needed = frozenset(required)
        self._texts = {field.name for field in fields if field.type in _TEXT}
        self._heads = {head for place in self._fields for head in place.heads}
        self._plain = self._plain_places()
        self._decoded = {"raw", *(name for name, wire in wires.items() if wire.decode is not None)}

    def load(self, answer: Mapping[str, Any]) -> Solution:
        """Read an answer; every key is looked for in any letter case.

        An optional field of an unknown form is left to `raw`, so that it costs nothing but itself.

        Raises:
            UnreadableSolution: a documented key is missing or of an unknown form, or nothing is in
                any of them.
        """
        plain = self._read_plain(answer) if type(answer) is dict else None
        if plain is not None:
            return plain
        items = answer.items() if isinstance(answer, Mapping) else ()
        keys = {lower(key): value for key, value in items}
        try:
            return self._read(answer, keys, self._fields)
        except _UNKNOWN_FORM:
            pass
        try:
            if self._required:
                self._read(answer, keys, self._required)
            return self._read(answer, keys, self._legible(answer, keys))
        except _UNKNOWN_FORM as error:
            problem = self._problem(keys, error)
        raise UnreadableSolution(
            f"An answer came that is no {self._model.__name__}: {problem}; "
            "it is kept in the error's `raw`.",
            raw=answer,
        )

    def _plain_places(self) -> dict[str, str]:
        """The fields that are read as they are, by the key that leads to them and to no other."""
        heads = [head for place in self._fields for head in place.heads]
        return {
            path[0]: place.name
            for place in self._fields
            if place.decode is None and place.name in self._texts
            for path in place.paths
            if len(path) == 1 and heads.count(path[0].lower()) == 1
        }

    def _read_plain(self, answer: dict[str, Any]) -> Solution | None:
        """Read an answer of texts alone under documented keys, as most are; None if it is none.

        There is nothing then to choose between: each text stands for a field, and each field has
        but one. What `_read` would make of it is the same.
        """
        values: dict[str, Any] = {}
        for key, value in answer.items():
            name = self._plain.get(key)
            if name is None:
                if lower(key) in self._heads:
                    return None
            elif name in values or type(value) is not str or not value.strip():
                return None
            else:
                values[name] = value
        if not values or not self._needed <= values.keys():
            return None
        return self._model(raw=answer, **values)

    def _legible(self, answer: Mapping[str, Any], keys: Mapping[str, Any]) -> list[_Place]:
        """The places that can be read; each optional one is tried beside the required ones."""
        found = list(self._required)
        for place in self._fields:
            if not place.required:
                with suppress(*_UNKNOWN_FORM):
                    self._read(answer, keys, [*self._required, place])
                    found.append(place)
        return found

    def _read(
        self, answer: Mapping[str, Any], keys: Mapping[str, Any], places: list[_Place]
    ) -> Solution:
        values: dict[str, Any] = {"raw": answer}
        for place in places:
            value = place.find(keys)
            if value is None:
                continue
            if place.decode is not None:
                value = place.decode(value)
                if place.lacks(value):
                    continue
            values[place.name] = value
        if len(values) == 1 and (self._fields or is_empty(answer)):
            raise ValueError("nothing is in it")
        if all(name in self._decoded or self._is_text(name, values[name]) for name in values):
            # Most answers are texts alone; for these cattrs, which is large, need not be loaded.
            return self._model(**values)
        found: Solution = self._structure(values, self._model)
        return found

    def _is_text(self, name: str, value: object) -> bool:
        return name in self._texts and isinstance(value, str)

    @cached_property
    def _structure(self) -> Callable[[Any, Any], Any]:
        """What makes an answer of values that are not all of the fields' types."""
        from cattrs.gen import make_dict_structure_fn, override

        read: dict[str, Any] = {name: override(struct_hook=_pass_on) for name in self._decoded}
        return make_dict_structure_fn(
            self._model, _converter(), _cattrs_detailed_validation=False, **read
        )

    def _problem(self, keys: Mapping[str, Any], error: Exception) -> str:
        missing = [place.name for place in self._required if place.find(keys) is None]
        if missing:
            return f"it has no {missing[0]}"
        if any(place.find(keys) is not None for place in self._fields):
            return f"a field has an unknown form ({type(error).__name__})"
        return "nothing is in it"


class _Place:
    """Where a field of a solution may stand."""

    __slots__ = ("_empty", "_paths", "decode", "heads", "name", "paths", "required")

    def __init__(self, name: str, wire: WireField, required: bool) -> None:
        self.name = name
        self.required = required
        self.decode = wire.decode
        self._empty = wire.empty
        self.paths = (wire.path, *wire.aliases)
        self._paths = [(path[0].lower(), path[1:]) for path in self.paths]
        self.heads = [head for head, _ in self._paths]

    def find(self, keys: Mapping[str, Any]) -> Any:
        """Return the value from an answer whose keys are in lower case, or None."""
        for first, rest in self._paths:
            value = keys.get(first)
            if value is not None and rest:
                value = look_up(value, rest)
            if not self.lacks(value):
                return value
        return None

    def lacks(self, value: Any) -> bool:
        """Tell whether a value holds nothing."""
        if value is None:
            return True
        if self._empty and isinstance(value, list | tuple):
            return False
        return is_empty(value)


_UNKNOWN_FORM = (
    ArithmeticError,
    AttributeError,
    LookupError,
    RecursionError,
    TypeError,
    ValueError,
)

_solution_codecs: dict[type[Solution], SolutionCodec] = {}


def solution_codec(model: type[Solution]) -> SolutionCodec:
    """Return the codec of a solution model."""
    codec = _solution_codecs.get(model)
    if codec is None:
        codec = _solution_codecs[model] = SolutionCodec(model)
    return codec
