"""Text that a terminal can be given, and lists in messages."""

import logging

import pytest

from crossdiff.cli import _PrintableFormatter
from crossdiff.cli.printing import print_text
from crossdiff.wording import counted, listed, one_line, printable


@pytest.mark.parametrize(
    ("text", "shown"),
    [("a\x1b[31mb", r"a\x1b[31mb"), ("caf\udce9", r"caf\xe9"), ("\u202eb.mp4", r"\u202eb.mp4"), ("a\rb", r"a\x0db"),
     ("\x9b2J", r"\x9b2J"), ("a\nb\tc", "a\nb\tc"), ("naïve 歩く 🏃", "naïve 歩く 🏃")],
)  # fmt: skip
def test_names_can_do_nothing_to_a_terminal(text, shown):
    assert printable(text) == shown
    assert printable(text).encode()


def test_a_name_cannot_feign_another_line():
    assert one_line("a\nb") == r"a\nb"
    assert listed({"a\nb: fine": "no frame", "c": "empty"}) == "\n  a\\nb: fine: no frame\n  c: empty"
    lines = listed({f"v{n}": "empty" for n in range(5000)}).splitlines()
    assert lines[1:3] == ["  v0: empty", "  v1: empty"] and lines[20:] == ["  v19: empty", "  ... and 4980 more"]
    assert counted(1, "file") == "1 file" and counted(0, "file") == "0 files"


def test_logs_and_commands_print_printable_text(capsys):
    record = logging.LogRecord("x", logging.WARNING, "", 0, "%s: damaged", ("a\x1b]0;b\udcff.mp4",), None)
    assert _PrintableFormatter("%(message)s").format(record) == r"a\x1b]0;b\xff.mp4: damaged"
    print_text("a\x1b[2J\udcff")
    assert capsys.readouterr().out == "a\\x1b[2J\\xff\n"
