"""HTML pages that need nothing else: templates and the style that they share."""

from functools import cache
from importlib.resources import files

from jinja2 import Environment, StrictUndefined, Template
from markupsafe import Markup


def render_page(template: str, styles: tuple[str, ...] = ("page.css",), /, **values: object) -> str:
    """Return a page of this package, without scripts and without anything to load; values are escaped."""
    return _load(template).render(style=_style(styles), **values).lstrip()


@cache
def _load(template: str) -> Template:
    text = files("strandline.reporting").joinpath(template).read_text()
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    return environment.from_string(text)


@cache
def _style(names: tuple[str, ...]) -> Markup:
    texts = (files("strandline.reporting").joinpath(name).read_text() for name in names)
    return Markup("".join(texts))  # noqa: S704 - our own files
