from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote

import pandas as pd
import pytest

from crossdiff.errors import InputError
from crossdiff.viewing.page import Cell, Column, Figure, Page, Section, Table, write_page

NASTY = "<script>alert(\"x\")</script> & 'more'"


class Reader(HTMLParser):
    """Tags with their attributes, and the text of the page without scripts and styles."""

    void = frozenset({"meta", "link", "img", "br"})

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.words = ""
        self.feed(html)
        assert self.open == [], "every tag is closed"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in self.void:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] not in ("script", "style"):
            self.words += data

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.tags if name == tag]


@pytest.fixture
def page(tmp_path: Path) -> Page:
    for name in ("a.mp4", "b c#.mp4", "strip.png"):
        (tmp_path / name).write_bytes(b"")
    table = pd.DataFrame({"name": ["one", NASTY], "FID": [0.123456, float("nan")], "steps": [100000, 3]})
    return Page(
        title=f"Demo {NASTY}",
        lead=NASTY,
        sections=[
            Section("Videos", f"First.\n\nSecond {NASTY}", [Figure("a.mp4", NASTY), Figure("b c#.mp4", "two")]),
            Section("Still", figures=[Figure("strip.png", "")]),
            Section("Numbers", table=table, facts=[("frames", "230"), (NASTY, NASTY)], code=f"crossdiff demo {NASTY}"),
            Section("Nothing"),
        ],
        footer=NASTY,
    )


@pytest.fixture
def html(page: Page, tmp_path: Path) -> str:
    return write_page(tmp_path / "index.html", page).read_text(encoding="utf-8")


def test_everything_from_outside_is_escaped(html: str) -> None:
    reader = Reader(html)
    assert "alert(" not in "".join(re.findall(r"<script>(.*?)</script>", html, re.DOTALL))
    assert len(reader.all("script")) == 1
    assert reader.words.count(NASTY) == 10
    assert reader.all("video")[0]["aria-label"] == NASTY


def test_nothing_comes_from_the_network(html: str) -> None:
    assert not re.search(r"https?:|//[a-z]|@import|url\(", re.sub(r"^// .*$", "", html, flags=re.MULTILINE))
    assert not any(attributes.get("src") for attributes in Reader(html).all("script"))


def test_references_are_relative_and_exist(html: str, tmp_path: Path) -> None:
    reader = Reader(html)
    sources = [unquote(a["src"] or "") for tag, a in reader.tags if tag in ("video", "img")]
    assert sources == ["a.mp4", "b c#.mp4", "strip.png"]
    assert all((tmp_path / source).is_file() for source in sources)
    for video in reader.all("video"):
        assert {"muted", "loop", "playsinline", "autoplay", "controls"} <= set(video)


def test_sections_are_labelled_and_pictures_described(html: str) -> None:
    reader = Reader(html)
    ids = {attributes["id"] for attributes in reader.all("h2")}
    assert len(ids) == 4
    assert {attributes["aria-labelledby"] for attributes in reader.all("section")} == ids
    assert reader.all("img")[0]["alt"] == "Still"
    assert len(reader.all("button")) == 1, "only a section of several videos can be restarted together"
    assert len(reader.all("p")) == 3  # the lead and two paragraphs


def test_table_cells() -> None:
    frame = pd.DataFrame({"x": [1.5, 12345.6], "n": [1, 20000], "ok": [True, None], "s": ["a", None]}, index=["p", "q"])
    table = Table.of(frame)
    assert [column.title for column in table.columns] == ["", "x", "n", "ok", "s"]
    assert [column.numeric for column in table.columns] == [False, True, True, False, False]
    assert [[cell.text for cell in row] for row in table.rows] == [
        ["p", "1.5", "1", "yes", "a"],
        ["q", "12,346", "20,000", "-", "-"],
    ]


def test_a_table_as_markdown() -> None:
    table = Table([Column("name", numeric=False), Column("FID", "↓")], [[Cell("a|b"), Cell("0.5", "0.1", best=True)]])
    assert table.to_markdown() == "| name | FID ↓ |\n| --- | ---: |\n| a\\|b | **0.5 ± 0.1** |\n"
    with pytest.raises(InputError, match="expected 2 cells in every row, got 1"):
        Table(table.columns, [[Cell("alone")]])


def test_a_page_as_markdown() -> None:
    sections = [
        Section("Still", "First.\n\nSecond.", [Figure("a b.png", "a strip")]),
        Section("Facts", facts=[("frames", "230"), ("*", "<x>")], code="crossdiff demo"),
    ]
    assert Page("Demo", "A clip.", sections, "The end.").to_markdown().split("\n\n") == [
        "# Demo", "A clip.", "## Still", "First.", "Second.", "![a strip](a%20b.png)",
        "## Facts", "- frames: 230\n- \\*: \\<x\\>", "```\ncrossdiff demo\n```", "The end.\n",
    ]  # fmt: skip


def test_bad_figures_are_refused(tmp_path: Path) -> None:
    for src in ("", "/etc/a.mp4", "../a.mp4", "https://example.org/a.mp4", "a\\b.mp4"):
        with pytest.raises(InputError, match="relative to the page"):
            Figure(src, "caption")
    with pytest.raises(InputError, match="must end in"):
        Figure("a.exe", "caption")
    with pytest.raises(InputError, match=r"none\.mp4"):
        write_page(tmp_path / "index.html", Page("t", sections=[Section("s", figures=[Figure("none.mp4", "c")])]))
    with pytest.raises(InputError, match=r"\.html"):
        write_page(tmp_path / "index.txt", Page("t"))


@pytest.mark.parametrize(
    ("figures", "pairs", "layout"),
    [
        (0, False, "one"),
        (1, True, "one"),
        (2, False, "many"),
        (3, False, "many"),
        (4, False, "pairs"),
        (6, True, "pairs"),
    ],
)
def test_four_figures_and_pairs_stand_in_rows_of_two(figures: int, pairs: bool, layout: str, tmp_path: Path) -> None:
    (tmp_path / "a.png").touch()
    section = Section("s", figures=[Figure("a.png", "")] * figures, pairs=pairs)
    assert section.layout == layout
    html = write_page(tmp_path / "index.html", Page("t", sections=[section])).read_text(encoding="utf-8")
    assert [a["class"] for a in Reader(html).all("div")[2:]] == ([f"figures {layout}"] if figures else [])
