"""What an approach costs, once and with every request, and when training has paid itself back.

The arithmetic knows no prices: they are what somebody charges you, so you put them in.
"""

import time
from collections.abc import Sequence
from math import inf

import numpy as np
import pandas as pd

from .approaches import Approach
from .prompts import encode_answer

MILLION = 1_000_000


def measure(approach: Approach, inputs: Sequence[str]) -> pd.Series:
    """What one request costs a fitted approach, asked one at a time as customers come.

    The medians over `inputs` of `read` and `written` (tokens) and `ms` (milliseconds from question to answer).
    """
    rows = []
    for text in inputs:
        (request,) = approach.requests([text])
        start = time.perf_counter()
        (answer,) = approach.predict([text])
        rows.append((len(request), len(encode_answer(approach._model, answer)), (time.perf_counter() - start) * 1000))
    return pd.Series(np.median(rows, axis=0), index=["read", "written", "ms"])


def per_request(read: float, written: float, price_read: float, price_written: float) -> float:
    """The price of a request from its tokens; both prices are for a million tokens."""
    return (read * price_read + written * price_written) / MILLION


def break_even(training: float, before: float, after: float) -> float:
    """After how many requests training has paid itself back: its cost over what a request saves; inf if it never does.

    `before` and `after` are the prices of a request without and with the tuned model.
    """
    return training / (before - after) if after < before else inf


def days_to_break_even(
    training: float, before: float, after: float, per_day: float, extra_per_day: float = 0.0
) -> float:
    """The same in days, at `per_day` requests; inf if it never pays.

    `extra_per_day` is the price of what only the tuned model needs, such as a machine of its own.
    """
    saved = per_day * (before - after) - extra_per_day
    return training / saved if saved > 0 else inf
