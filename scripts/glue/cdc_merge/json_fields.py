"""Reading JSON that somebody else may have written: each field is checked where it enters, and a wrong one named."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

from .change_number import parse_change_number

T = TypeVar("T")


class Fields:
    """The fields of a JSON object; raises ValueError naming the first that is not what was asked for."""

    def __init__(self, value: Any, path: str = "") -> None:
        if not isinstance(value, dict):
            raise ValueError(f"{path or 'it'} is no object")
        self._value: Mapping[str, Any] = value
        self._path = path

    def text(self, name: str) -> str:
        return self._of(name, str)

    def whole(self, name: str) -> int:
        value = self._of(name, int)
        if isinstance(value, bool):
            raise self._wrong(name)
        return value

    def flag(self, name: str) -> bool:
        return self._of(name, bool)

    def number(self, name: str) -> int:
        """A change's number."""
        return parse_change_number(self.text(name))

    def one_of(self, name: str, *values: str) -> str:
        value = self.text(name)
        if value not in values:
            raise self._wrong(name)
        return value

    def texts(self, name: str) -> list[str]:
        values = self._of(name, list)
        if not all(isinstance(value, str) for value in values):
            raise self._wrong(name)
        return list(values)

    def wholes(self, name: str) -> list[int]:
        values = self._of(name, list)
        if not all(isinstance(value, int) and not isinstance(value, bool) for value in values):
            raise self._wrong(name)
        return list(values)

    def nested(self, name: str) -> Fields:
        return Fields(self._of(name, dict), self._at(name))

    def objects(self, name: str) -> list[Fields]:
        return [Fields(value, f"{self._at(name)}[{index}]") for index, value in enumerate(self._of(name, list))]

    def lists(self, name: str) -> list[list[Any]]:
        values = self._of(name, list)
        if not all(isinstance(value, list) for value in values):
            raise self._wrong(name)
        return values

    def has(self, name: str) -> bool:
        """False also where an optional field is not there."""
        return name in self._value

    def is_null(self, name: str) -> bool:
        """A field that must be there, and may be null."""
        if name not in self._value:
            raise self._wrong(name)
        return self._value[name] is None

    def expect(self, name: str, value: object) -> None:
        if self._value.get(name) != value or isinstance(self._value.get(name), bool):
            raise self._wrong(name)

    def _of(self, name: str, kind: type[T]) -> T:
        value = self._value.get(name)
        if not isinstance(value, kind):
            raise self._wrong(name)
        return value

    def _at(self, name: str) -> str:
        return f"{self._path}.{name}" if self._path else name

    def _wrong(self, name: str) -> ValueError:
        return ValueError(f"{self._at(name)} is missing or wrong")
