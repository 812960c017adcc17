"""Comparing texts by their words: case, spacing and punctuation do not count."""

import functools
import re


@functools.lru_cache(maxsize=100_000)
def spaced_words(text: str) -> str:
    """The words of a text in lower case, with one space before and after each.

    >>> spaced_words("It is PARIS, of course.")
    ' it is paris of course '
    """
    words = re.findall(r"\w+", text.casefold())
    return f" {' '.join(words)} "


def contains_words(text: str, wanted: str) -> bool:
    """Whether the words of `wanted` occur in `text`, whole and in this order.

    >>> contains_words("It held olive-oil.", "olive oil"), contains_words("party", "art")
    (True, False)
    """
    return spaced_words(wanted) in spaced_words(text)
