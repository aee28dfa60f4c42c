"""The gate from data to the screen: a name is shown as the letters it is."""

import re

import pandas as pd
import pytest

from pages.parts.figures import csv_bytes
from pages.parts.text import as_html, gene, literal, percent, plain

PAYLOADS = [
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "**bold** _it_ `code`",
    "[link](javascript:alert(1))",
    "![picture](http://evil.example/x.png)",
    "$\\frac{1}{2}$",
    ":red[loud] :material/home: :smile:",
    "# heading",
    "| a | b |",
    "http://evil.example and www.evil.example and me@evil.example",
    "&lt;b&gt; &amp;",
    "~~gone~~",
]
IDS = [str(number) for number in range(len(PAYLOADS))]


@pytest.mark.parametrize("payload", PAYLOADS, ids=IDS)
def test_markdown_signs_are_escaped(payload):
    """Every ASCII sign of a name stands behind a backslash, so that markdown reads none of them as its own."""
    unescaped = re.sub(r"\\[!-~]", "", literal(payload))
    assert not re.search(r"[!-/:-@\[-`{-~]", unescaped)


@pytest.mark.parametrize("payload", PAYLOADS, ids=IDS)
def test_the_letters_stay_the_same(payload):
    """Undoing the escapes gives the name back: nothing is lost, nothing is added that can be seen."""
    assert re.sub(r"\\([!-~])", r"\1", literal(payload)).replace("\u2060", "") == payload


@pytest.mark.parametrize("payload", PAYLOADS, ids=IDS)
def test_html_holds_no_tag_of_the_data(payload):
    """In HTML a name has no angle bracket and no quote of its own."""
    assert not set(as_html(payload)) & set("<>\"'")


def test_commands_found_after_escapes_are_broken_up():
    """Icons, colours and bare addresses are looked for in the finished text: a joiner that nobody sees splits them."""
    assert ":material" not in literal(":material/home:").replace("\\", "")
    assert "www.evil" not in literal("www.evil.example").replace("\\", "")


def test_a_name_is_one_short_visible_line():
    """Line breaks, control and direction-changing characters never reach the screen; long names are cut."""
    assert plain("a\n\u202eb\x00c") == "a b c"
    assert plain("x" * 1_000_000, longest=10) == "xxxxx…xxxx"


def test_a_gene_is_italic_and_escaped():
    """Gene symbols are set in italics, and stay letters."""
    assert gene("<b>Ttr") == "<i>&lt;b&gt;Ttr</i>"


@pytest.mark.parametrize(
    ("share", "shown"), [(0.1123, "11.2%"), (0.00526, "0.53%"), (0.0, "0%"), (1.0, "100%"), (float("nan"), "n/a")]
)
def test_shares_are_shown_as_percent(share, shown):
    """Three significant digits, and never a bare fraction."""
    assert percent(share) == shown


@pytest.mark.parametrize("sign", ["=", "+", "-", "@", "\t"])
def test_a_table_holds_no_formula(sign):
    """A spreadsheet runs cells that start like a formula; text that does gets an apostrophe, numbers do not."""
    saved = csv_bytes(pd.DataFrame({"gene": [f"{sign}cmd"], "loading": [-1.5]})).decode()
    assert f"'{sign}cmd" in saved
    assert ",-1.5" in saved
