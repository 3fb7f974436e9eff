"""What the enumerations of the record share: numbers with names, and numbers without one."""

from __future__ import annotations

from enum import IntEnum, IntFlag
from typing import Generic, Self, TypeVar

_N = TypeVar("_N", bound=int)


class Number(IntEnum):
    """A number with a name. ``str()`` gives the name as in the JSON form, and ``other(N)`` for a number without one."""

    # The name in the JSON form.
    text: str

    def __new__(cls, number: int, text: str = "") -> Self:
        member = int.__new__(cls, number)
        member._value_ = number
        member.text = text
        return member

    @classmethod
    def _missing_(cls, value: object) -> Self | None:
        """A number of a newer version."""
        if not isinstance(value, int):
            return None
        member = int.__new__(cls, value)
        member._value_ = value
        member._name_ = member.text = cls._unnamed(value)
        return member

    @staticmethod
    def _unnamed(number: int) -> str:
        return f"other({number})"

    @classmethod
    def named(cls, text: str) -> Self:
        """The member with this name of the JSON form."""
        for member in cls:
            if member.text == text:
                return member
        number = text.rstrip(")").partition("(")[2]
        if number.lstrip("-").isdigit() and text == cls._unnamed(int(number)):
            return cls(int(number))
        raise ValueError(f"{text!r} is no {cls.__name__}: expected one of {', '.join(one.text for one in cls)}")

    def __str__(self) -> str:
        return self.text

    def __format__(self, spec: str) -> str:
        return format(self.text, spec)


class Error(Number):
    """A return value. A number without a name is ``error(N)``."""

    @staticmethod
    def _unnamed(number: int) -> str:
        return f"error({number})"


class Flags(IntFlag):
    """Bits with names. ``str()`` gives the names, as in ``PSH|ACK``; bits without a name are left out."""

    def __str__(self) -> str:
        return "|".join(str(flag.name) for flag in type(self) if flag in self)

    def __format__(self, spec: str) -> str:
        return format(str(self), spec)


class ByNumber(dict[int, _N], Generic[_N]):
    """Members by number: quicker than the call of the class."""

    def __init__(self, cls: type[_N]) -> None:
        super().__init__()
        self._cls = cls

    def __missing__(self, number: int) -> _N:
        member = self[number] = self._cls(number)
        return member
