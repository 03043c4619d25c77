"""HTML and SVG as text: elements with their attributes, and tables; all text is escaped."""

from collections.abc import Mapping, Sequence
from html import escape


def text(value: object) -> str:
    """Return text that cannot be taken for markup."""
    return escape(str(value), quote=True)


def element(name: str, attributes: Mapping[str, object] | None = None, inside: str = "") -> str:
    """Return an element. `inside` is markup already; attributes are escaped, floats rounded."""
    pairs = "".join(
        f' {key}="{text(f"{value:.2f}" if isinstance(value, float) else value)}"'
        for key, value in (attributes or {}).items()
    )
    return f"<{name}{pairs}>{inside}</{name}>"


def image(source: str, description: str) -> str:
    """Return a picture; `source` is a data URI."""
    return f'<img src="{text(source)}" alt="{text(description)}">'


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a table of plain text, whose first column stands to the left."""
    head = "".join(element("th", None, text(cell)) for cell in header)
    lines = [
        element("tr", None, "".join(element("td", None, text(cell)) for cell in row))
        for row in rows
    ]
    inside = element("thead", None, element("tr", None, head))
    whole = element("table", None, inside + element("tbody", None, "".join(lines)))
    return element("div", {"class": "wide"}, whole)


def section(title: str, *parts: str) -> str:
    """Return a part of the page with its heading."""
    return element("section", None, element("h2", None, text(title)) + "".join(parts))


def bullets(sentences: Sequence[str]) -> str:
    """Return a list of sentences, nothing if there are none."""
    if not sentences:
        return ""
    return element("ul", None, "".join(element("li", None, text(one)) for one in sentences))
