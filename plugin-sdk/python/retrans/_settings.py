"""Settings: declared as attributes of the plugin, described by a JSON schema, and read from JSON."""

from __future__ import annotations

import inspect
import json
from collections.abc import Callable
from enum import Enum
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from types import NoneType, UnionType
from typing import Any, ClassVar, Final, Literal, Union, get_args, get_origin, get_type_hints

from ._codec import IPAddress, canonical
from ._duration import PATTERN, Duration, format_duration, parse_duration
from ._networks import Networks, parse_network

Schema = dict[str, Any]


class SettingError(ValueError):
    """A setting that is not valid. The message begins with its name."""


class _Missing:
    """The default of a setting that must be given."""


MISSING: Final = _Missing()


class Setting:
    """What is declared of a setting."""

    __slots__ = ("bounds", "default", "help", "key", "type")

    def __init__(self, default: object, help: str, bounds: Schema) -> None:
        self.key = ""
        self.type: SettingType = TEXT
        self.default = default
        self.help = help
        self.bounds = bounds

    def schema(self) -> Schema:
        schema = dict(self.type.schema)
        if not self.type.is_text_of_number:
            schema.update(self.bounds)
        if self.help:
            schema["description"] = self.help
        if self.default is not MISSING and self.default is not None:
            schema["default"] = self.type.write(self.default)
        return schema

    def read(self, value: object) -> object:
        if value is None and self.default is None:
            return None
        try:
            read = self.type.read(value)
            self._check(read)
        except ValueError as error:
            raise SettingError(f"{self.key}: {error}") from None
        return read

    def _check(self, value: Any) -> None:
        # The host has checked most of them by the schema; a native test has no host.
        for keyword, bound in self.bounds.items():
            is_length = keyword.endswith("Length")
            size = len(value) if is_length else value
            is_least = keyword.startswith("min")
            if size < bound if is_least else size > bound:
                limit = f"{bound} characters" if is_length else self.type.write(bound)
                raise ValueError(f"expected at {'least' if is_least else 'most'} {limit}, not {self.type.write(value)}")


def setting(
    default: Any = MISSING,
    help: str = "",
    *,
    min: float | None = None,
    max: float | None = None,
    min_length: int | None = None,
    max_length: int | None = None,
) -> Any:
    """Declares a setting: its default, what users read about it, and the least and greatest value.

    Without a default, the setting must be given. The type is that of the annotation: ``int``, ``float``, ``bool``,
    ``str``, ``Literal["a", "b"]``, an enumeration of texts, ``Duration``, ``IPAddress``, ``Network``, ``Networks``,
    ``list[str]``; or one of these ``| None`` with the default ``None``.
    """
    numbers = {"minimum": min, "maximum": max}
    lengths = {"minLength": min_length, "maxLength": max_length}
    bounds = {keyword: bound for keyword, bound in (numbers | lengths).items() if bound is not None}
    return Setting(default, help, bounds)


class SettingType:
    """A type of settings: its schema, and how a value is read from and written to JSON."""

    __slots__ = ("bounds", "is_text_of_number", "read", "schema", "write")

    def __init__(
        self,
        schema: Schema,
        read: Callable[[Any], Any],
        write: Callable[[Any], Any] = lambda value: value,
        bounds: tuple[str, ...] = (),
    ) -> None:
        self.schema = schema
        self.read = read
        self.write = write
        # Keywords of the limits that fit it.
        self.bounds = bounds
        # A number that JSON has as text: the schema cannot limit it.
        self.is_text_of_number = schema is _DURATION


def _expect(*types: type, what: str) -> Callable[[Any], Any]:
    def read(value: object) -> object:
        if not isinstance(value, types) or (isinstance(value, bool) and bool not in types):
            raise ValueError(f"expected {what}, not {json.dumps(value)}")
        return value

    return read


_text = _expect(str, what="text")


def _read_float(value: object) -> float:
    return float(_expect(int, float, what="a number")(value))


def _read_address(value: object) -> IPAddress:
    return canonical(ip_address(_text(value)))


def _read_many(value: object) -> list[str]:
    many = [value] if isinstance(value, str) else value
    if not isinstance(many, list) or not all(isinstance(one, str) for one in many):
        raise ValueError(f"expected text or a list of texts, not {json.dumps(value)}")
    return many


_STRING: Schema = {"type": "string"}
_ONE_OR_MANY: Schema = {"anyOf": [_STRING, {"type": "array", "items": _STRING}]}
_DURATION = Schema(type="string", pattern=PATTERN, examples=["10s", "250ms", "1m30s"])
_NETWORK = Schema(type="string", examples=["10.0.0.0/8", "2001:db8::/32"])
_NETWORKS: Schema = {"anyOf": [_NETWORK, {"type": "array", "items": _NETWORK}]}

_NUMBERS = ("minimum", "maximum")
_LENGTHS = ("minLength", "maxLength")
TEXT = SettingType(_STRING, _text, bounds=_LENGTHS)
_TYPES: dict[object, SettingType] = {
    str: TEXT,
    int: SettingType({"type": "integer"}, _expect(int, what="a whole number"), bounds=_NUMBERS),
    float: SettingType({"type": "number"}, _read_float, bounds=_NUMBERS),
    bool: SettingType({"type": "boolean"}, _expect(bool, what="true or false")),
    Duration: SettingType(_DURATION, lambda value: parse_duration(_text(value)), format_duration, _NUMBERS),
    IPv4Address | IPv6Address: SettingType({"type": "string", "format": "ip"}, _read_address, str),
    IPv4Network | IPv6Network: SettingType(_NETWORK, lambda value: parse_network(_text(value)), str),
    Networks: SettingType(
        _NETWORKS, lambda value: Networks(_read_many(value)), lambda value: [str(one) for one in value]
    ),
    list[str]: SettingType(_ONE_OR_MANY, _read_many, list),
}


def _choice(words: tuple[str, ...], read: Callable[[str], Any], write: Callable[[Any], Any]) -> SettingType:
    def check(value: object) -> object:
        if value not in words:
            raise ValueError(f"expected one of {', '.join(words)}, not {json.dumps(value)}")
        return read(str(value))

    return SettingType({"type": "string", "enum": list(words)}, check, write)


def _type(hint: Any, where: str) -> SettingType:
    if isinstance(hint, type) and issubclass(hint, Enum):
        return _choice(tuple(str(member.value) for member in hint), hint, lambda member: member.value)
    if get_origin(hint) is Literal:
        return _choice(get_args(hint), str, str)
    if get_origin(hint) in (Union, UnionType) and NoneType in get_args(hint):
        some = [one for one in get_args(hint) if one is not NoneType]
        return _type(Union[tuple(some)], where)  # noqa: UP007
    found = _TYPES.get(hint)
    if found is None:
        raise TypeError(f"{where}: a setting cannot have the type {hint!r}; see retrans.setting")
    return found


def declared(cls: type, reserved: type) -> dict[str, Setting]:
    """The settings of a class: its annotated attributes, those of its bases first."""
    found: dict[str, Setting] = {}
    hints = get_type_hints(cls, include_extras=True)
    for base in reversed(cls.__mro__):
        if base in (object, reserved):
            continue
        for key in inspect.get_annotations(base):
            hint = hints[key]
            if hint is ClassVar or get_origin(hint) is ClassVar or key.startswith("_"):
                continue
            where = f"{cls.__name__}.{key}"
            if hasattr(reserved, key):
                raise TypeError(f"{where}: a plugin has something of this name; choose another one for the setting")
            value = base.__dict__.get(key, MISSING)
            one = value if isinstance(value, Setting) else Setting(value, "", {})
            one.key = key
            one.type = _type(hint, where)
            unfit = [keyword for keyword in one.bounds if keyword not in one.type.bounds]
            if unfit:
                raise TypeError(f"{where}: a setting of this type has no {unfit[0]}")
            found[key] = one
    return found


def schema_of(settings: dict[str, Setting]) -> str:
    """The JSON schema of an object with these settings."""
    properties = {key: one.schema() for key, one in settings.items()}
    schema: Schema = {"type": "object", "properties": properties, "additionalProperties": False}
    required = [key for key, one in settings.items() if one.default is MISSING]
    if required:
        schema["required"] = required
    return json.dumps(schema, separators=(",", ":"), ensure_ascii=False)


def read_settings(settings: dict[str, Setting], text: str) -> dict[str, object]:
    """The values of a JSON object that the host passes."""
    given = json.loads(text)
    if not isinstance(given, dict):
        raise SettingError(f"expected an object with settings, not {text}")
    for key in given:
        if key not in settings:
            known = ", ".join(settings) or "none"
            raise SettingError(f"{key}: there is no such setting; there are: {known}")
    values = {}
    for key, one in settings.items():
        if key in given:
            values[key] = one.read(given[key])
        elif one.default is MISSING:
            raise SettingError(f"{key}: it must be set")
    return values
