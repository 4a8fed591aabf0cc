"""Commands of a table, each imported when it is used, or when all of them are listed."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from importlib import import_module
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup

# Topic -> command -> "module:function" below `crossdiff.cli`.
CommandTable = Mapping[str, Mapping[str, str]]
_HELP_ALONE = "help_alone"


def help_alone(command: Callable[..., None]) -> Callable[..., None]:
    """Mark a command that shows its help when it is typed without arguments."""
    setattr(command, _HELP_ALONE, True)
    return command


def lazy_group(table: CommandTable, groups: Mapping[str, str]) -> type[TyperGroup]:
    """Class of a group with the commands of `table`, a panel of its help for each topic.

    groups: first word of commands of two words, such as `study sampling`, and the help of the group that holds them.
    """

    class LazyGroup(_Group):
        def __init__(self, **attributes: Any) -> None:
            super().__init__(**attributes | {"commands": _commands(table, groups)})

    return LazyGroup


def _without_flag_types(params: list[Any]) -> list[Any]:
    """The parameters, with nothing shown behind flags, which take no value."""
    for param in params:
        if getattr(param, "is_bool_flag", False):
            param.metavar = ""
    return params


class _Command(TyperCommand):
    def get_params(self, ctx: Any) -> list[Any]:
        return _without_flag_types(super().get_params(ctx))


class _Group(TyperGroup):
    def get_params(self, ctx: Any) -> list[Any]:
        return _without_flag_types(super().get_params(ctx))


class _LazyCommands(Mapping[str, Any]):
    """Commands by name; each is built when it is first looked up."""

    def __init__(self) -> None:
        self._builders: dict[str, Callable[[], Any]] = {}
        self._commands: dict[str, Any] = {}

    def add(self, name: str, build: Callable[[], Any]) -> None:
        self._builders[name] = build

    def __getitem__(self, name: str) -> Any:
        if name not in self._commands:
            self._commands[name] = self._builders[name]()
        return self._commands[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._builders)

    def __len__(self) -> int:
        return len(self._builders)


def _commands(table: CommandTable, groups: Mapping[str, str]) -> _LazyCommands:
    commands = _LazyCommands()
    inner = {name: _LazyCommands() for name in groups}
    for topic, targets in table.items():
        for name, target in targets.items():
            group, _, second = name.partition(" ")
            if second:
                inner[group].add(second, partial(_command, second, target))
                commands.add(group, partial(_group, group, inner[group], groups[group], topic))
            else:
                commands.add(name, partial(_command, name, target, topic))
    return commands


def _group(name: str, commands: Any, text: str, topic: str) -> TyperGroup:
    return _Group(name=name, commands=commands, help=text, no_args_is_help=True, rich_help_panel=topic)


def _command(name: str, target: str, topic: str | None = None) -> Any:
    module, _, function = target.partition(":")
    command = getattr(import_module(f"crossdiff.cli.{module}"), function)
    alone = typer.Typer(add_completion=False)
    shows_help = getattr(command, _HELP_ALONE, False)
    alone.command(name, cls=_Command, rich_help_panel=topic, no_args_is_help=shows_help)(command)
    return typer.main.get_command(alone)
