"""A page is complete in itself, and shows what it was given as it was given."""

from collections.abc import Sequence
from html.parser import HTMLParser
from typing import Any

import pytest

from components.html_page import Bar, Cell, render_page

EVIL = '<script>alert("x")</script> & <b>'


class Page(HTMLParser):
    """The elements of a page, with their attributes and the text directly in them."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.elements: list[dict[str, Any]] = []
        self.open: list[dict[str, Any]] = []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        element = {"tag": tag, "text": "", **dict(attrs)}
        self.elements.append(element)
        if tag != "meta":
            self.open.append(element)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop()["tag"] == tag, "elements are closed in the order they were opened"

    def handle_data(self, data: str) -> None:
        if self.open:
            self.open[-1]["text"] += data

    def texts(self, tag: str) -> list[str]:
        return [element["text"] for element in self.elements if element["tag"] == tag]

    def classes(self, tag: str) -> list[str | None]:
        return [element.get("class") for element in self.elements if element["tag"] == tag]


def page(
    rows: Sequence[Sequence[Cell]] = (("a", "1"),), columns: Sequence[str] = ("x", "y"), problems: Sequence[str] = ()
) -> Page:
    made = Page(render_page("A title", {"model": "bert", "digest": "sha256:00"}, columns, rows, problems))
    assert made.open == [], "every element is closed"
    return made


def test_facts_columns_and_cells_stand_in_their_order() -> None:
    made = page([("a", "1"), ("b", "2")])
    assert made.texts("title") == made.texts("h1") == ["A title"]
    assert list(zip(made.texts("dt"), made.texts("dd"), strict=True)) == [("model", "bert"), ("digest", "sha256:00")]
    assert made.texts("th") == ["x", "y"]
    assert made.texts("td") == ["a", "1", "b", "2"]


def test_text_is_never_taken_for_html() -> None:
    html = render_page(EVIL, {EVIL: EVIL}, [EVIL, "bar"], [[EVIL, Bar(0.5, EVIL)]], [EVIL])
    made = Page(html)
    for tag in ("title", "h1", "dt", "dd", "li", "span"):
        assert made.texts(tag) == [EVIL], tag
    assert made.texts("th")[0] == made.texts("td")[0] == EVIL
    assert made.texts("script") == made.texts("b") == []


def test_the_page_needs_nothing_else_and_runs_nothing() -> None:
    html = render_page("A title", {}, ["x"], [["a"]], ["b"])
    for reference in ("<script", "<link", "<img", "src=", "href=", "url(", "@import", "http"):
        assert reference not in html


def test_the_page_follows_the_light_or_dark_scheme_of_the_reader() -> None:
    html = render_page("A title", {}, ["x"], [["a"]])
    assert "color-scheme: light dark" in html
    assert "@media (prefers-color-scheme: dark)" in html


def test_columns_of_numbers_are_right_aligned_with_their_headers() -> None:
    rows = [["12 b", "1,234", "12.5%", "-1e-07", "0", ""], ["3", "5", "0%", "2.5", "−1", "7"]]
    made = page(rows, columns=list("uvwxyz"))
    number = [None, "number", "number", "number", "number", None]
    assert made.classes("th") == number
    assert made.classes("td") == number * 2


def test_a_bar_is_as_long_as_its_share() -> None:
    made = page([(Bar(0, "none"), Bar(0.375, "some")), (Bar(1.0, "all"), Bar(1 / 3, "a third"))])
    bars = [element for element in made.elements if element["tag"] == "span"]
    assert [(bar["text"], bar["style"]) for bar in bars] == [
        ("none", "background-size: 0.0% 100%"),
        ("some", "background-size: 37.5% 100%"),
        ("all", "background-size: 100.0% 100%"),
        ("a third", "background-size: 33.3% 100%"),
    ]


@pytest.mark.parametrize("share", [-0.01, 1.01, float("nan")])
def test_a_share_outside_of_0_to_1_is_refused(share: float) -> None:
    with pytest.raises(ValueError, match="from 0 to 1; given"):
        Bar(share, "")


def test_problems_are_listed_and_without_any_there_is_no_list() -> None:
    assert page(problems=["one", "two\nlines"]).texts("li") == ["one", "two\nlines"]
    assert page().texts("ul") == page().texts("li") == []


def test_a_table_may_have_no_rows() -> None:
    made = page([])
    assert made.texts("th") == ["x", "y"]
    assert made.texts("td") == []


@pytest.mark.parametrize("row", [["a"], ["a", "b", "c"]])
def test_a_row_that_does_not_fit_the_columns_is_refused(row: list[str]) -> None:
    with pytest.raises(ValueError, match=f"a row has {len(row)} cells, but there are 2 columns"):
        page([row])
