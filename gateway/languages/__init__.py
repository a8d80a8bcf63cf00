"""What people read at the station, on its screen and on its printed sheets: one language, one module.

A further language is one further module here, with a `VOCABULARY` that fills in `form.Vocabulary`: the configuration,
the screen and the sheets then have it. Imports nothing of the product.
"""

import importlib
import pkgutil
from functools import cache
from typing import Final

from gateway.languages.form import Vocabulary

LANGUAGES: Final[tuple[str, ...]] = tuple(
    sorted(one.name for one in pkgutil.iter_modules(__path__) if one.name != "form")
)
"""ISO 639-1 codes of the languages there are."""


@cache
def vocabulary(language: str) -> Vocabulary:
    """Return a language. Raises ValueError for one that is not there."""
    if language not in LANGUAGES:
        raise ValueError(f"no language {language!r}: there is {', '.join(LANGUAGES)}")
    found: Vocabulary = importlib.import_module(f"gateway.languages.{language}").VOCABULARY
    return found
