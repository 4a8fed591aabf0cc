"""YAML that users write, read within limits: no file can take more memory or time than its size explains."""

from __future__ import annotations

from typing import Any

import yaml

_MAX_CHARACTERS = 2**20
_MAX_DEPTH = 50
_MAX_NODES = 100_000
_MERGE = "tag:yaml.org,2002:merge"


def parse_yaml(text: str) -> Any:
    """The value of a YAML document; None if it is empty.

    Raises ValueError with a reason of one line: for invalid YAML, a key that appears twice, nesting deeper than 50,
    aliases that expand to more than 100,000 values or contain themselves, and numbers of thousands of digits.
    """
    if len(text) > _MAX_CHARACTERS:
        raise ValueError(f"{len(text)} characters, at most {_MAX_CHARACTERS} are read")
    try:
        loader = _Loader(text)
        try:
            return loader.get_single_data()
        finally:
            loader.dispose()
    except Exception as error:  # the constructors of numbers and dates raise several kinds
        raise ValueError(" ".join(str(error).split()) or type(error).__name__) from None


class _Loader(yaml.SafeLoader):
    """A safe loader that counts values, with those of aliases, while it composes the document."""

    def __init__(self, stream: str) -> None:
        super().__init__(stream)
        self._depth = self._nodes = 0
        self._sizes: dict[int, int] = {}

    def compose_node(self, parent: Any, index: Any) -> Any:
        alias, mark, before = self.check_event(yaml.AliasEvent), self.peek_event().start_mark, self._nodes
        self._depth += 1
        if self._depth > _MAX_DEPTH:
            raise yaml.composer.ComposerError(None, None, f"nested deeper than {_MAX_DEPTH}", mark)
        node = super().compose_node(parent, index)
        self._depth -= 1
        if alias and id(node) not in self._sizes:
            raise yaml.composer.ComposerError(None, None, "an alias of a value that contains it", mark)
        self._nodes += self._sizes[id(node)] if alias else 1
        if self._nodes > _MAX_NODES:
            raise yaml.composer.ComposerError(None, None, f"aliases expand to more than {_MAX_NODES} values", mark)
        if not alias:
            self._sizes[id(node)] = self._nodes - before
        return node

    def compose_mapping_node(self, anchor: Any) -> Any:
        node = super().compose_mapping_node(anchor)
        names = set()
        for key, _ in node.value:
            if not isinstance(key, yaml.ScalarNode) or key.tag == _MERGE:
                continue
            if key.value in names:
                raise yaml.composer.ComposerError(None, None, f"the key {key.value!r} appears twice", key.start_mark)
            names.add(key.value)
        return node
