"""HTML in one place: pages, cards and tables are jinja2 templates in templates/, which escape whatever they show."""

from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup


@cache
def _environment() -> Environment:
    return Environment(
        loader=FileSystemLoader(Path(__file__).with_name("templates"), encoding="utf-8"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def render(template: str, **values: Any) -> Markup:
    """The HTML that a template gives for these values; texts among them are escaped, Markup is taken as it is."""
    return Markup(_environment().get_template(template).render(**values))
