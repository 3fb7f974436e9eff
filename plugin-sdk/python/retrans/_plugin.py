"""The class that plugins extend, and how a module exports one."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar, overload

from ._settings import MISSING, Setting, SettingError, declared

if TYPE_CHECKING:
    from ._event import Event
    from ._output import Output

KEEP = True
DROP = False


class Plugin:
    """A plugin: one object that processes every event of the stream in order.

    Annotated attributes are its settings. As in a dataclass, they are keyword arguments of the constructor, and
    ``__post_init__`` is called when they are set: it makes the state of the plugin, and may refuse a setting with a
    ``SettingError``.

    The host passes events in calls of 1 to 256, which must make no difference. An exception is a fault: the call has no
    effects, and a new object takes the place of this one.
    """

    # Raise it when saved states get another meaning.
    STATE_VERSION: ClassVar[int] = 1

    _settings: ClassVar[dict[str, Setting]] = {}

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        cls._settings = declared(cls, Plugin)

    def __init__(self, **settings: Any) -> None:
        for key, one in self._settings.items():
            if key in settings:
                value = settings.pop(key)
            elif one.default is MISSING:
                raise SettingError(f"{key}: it must be set")
            else:
                # A default that can change belongs to all objects.
                value = list(one.default) if isinstance(one.default, list) else one.default
            setattr(self, key, value)
        for key in settings:
            raise TypeError(f"{type(self).__name__}: there is no setting {key}")
        self.__post_init__()

    def __post_init__(self) -> None:
        """Called when the settings are set."""

    def on_event(self, event: Event, out: Output) -> bool:
        """Processes an event. Returns whether it goes on to the next plugin: ``KEEP`` or ``DROP``."""
        raise NotImplementedError(f"{type(self).__name__} has no method on_event")

    def on_lost(self, events: int, out: Output) -> None:
        """Called when this number of events was lost, before those that follow."""

    def on_tick(self, now: int, out: Output) -> None:
        """Called for every second of the stream, with the time since boot in nanoseconds."""

    def on_finish(self, now: int, out: Output) -> None:
        """Called once, at the end of the stream."""

    def save_state(self) -> Any:
        """The state to save: what JSON can say, or bytes. Called every second; has no effects."""
        raise NotImplementedError

    def restore_state(self, state: Any) -> None:
        """Takes a saved state, before any event. An exception refuses it."""
        raise NotImplementedError

    def migrate_state(self, version: int, state: Any) -> None:
        """Takes a state of another ``STATE_VERSION``."""
        raise ValueError(f"a state of version {version}; this plugin reads version {self.STATE_VERSION}")


_P = TypeVar("_P", bound=type[Plugin])


class Exported:
    """A plugin with what describes it."""

    def __init__(self, cls: type[Plugin], name: str | None, version: str | None, summary: str | None) -> None:
        self.cls = cls
        self.name = name
        self.version = version
        self.summary = summary if summary is not None else _first_paragraph(cls)

    def has(self, *methods: str) -> bool:
        """Does the plugin have one of these methods of its own?"""
        return any(getattr(self.cls, method) is not getattr(Plugin, method) for method in methods)

    def world(self) -> str:
        """The smallest world of the contract that has what the plugin exports."""
        if self.has("save_state") != self.has("restore_state"):
            raise TypeError(f"{self.cls.__name__}: save_state and restore_state need each other")
        if self.has("save_state"):
            return "stateful-plugin"
        return "ticking-plugin" if self.has("on_tick", "on_finish") else "plugin"


exported: Exported | None = None


@overload
def export(cls: _P) -> _P: ...


@overload
def export(
    *, name: str | None = None, version: str | None = None, summary: str | None = None
) -> Callable[[_P], _P]: ...


def export(
    cls: _P | None = None, *, name: str | None = None, version: str | None = None, summary: str | None = None
) -> _P | Callable[[_P], _P]:
    """Makes a class the plugin of its module: ``@export``.

    Name and version are those of ``pyproject.toml``, and the summary is the first paragraph of the class's
    documentation, unless they are given here.
    """

    def register(cls: _P) -> _P:
        global exported
        if not (isinstance(cls, type) and issubclass(cls, Plugin)):
            raise TypeError(f"{cls!r} is no subclass of retrans.Plugin")
        if exported is not None and (exported.cls.__module__, exported.cls.__qualname__) != (
            cls.__module__,
            cls.__qualname__,
        ):
            raise TypeError(f"{exported.cls.__name__} is exported already: a component is one plugin")
        if cls.on_event is Plugin.on_event:
            raise TypeError(f"{cls.__name__} has no method on_event")
        exported = Exported(cls, name, version, summary)
        return cls

    return register if cls is None else register(cls)


def _first_paragraph(cls: type[Plugin]) -> str | None:
    # Not that of a base class.
    text = inspect.cleandoc(cls.__doc__ or "")
    return " ".join(text.split("\n\n")[0].split()) or None
