"""What a request costs, and when training has paid for itself: arithmetic only.

The prices are what somebody charges you, so you give them.
"""

from math import inf

MILLION = 1_000_000


def check_prices(price_read: float | None, price_written: float | None) -> None:
    """Raise ValueError if only one of the two prices is given, or one is below 0."""
    if (price_read is None) != (price_written is None):
        raise ValueError("Give both prices, for a million tokens read and for a million written, or none.")
    if min(price_read or 0, price_written or 0) < 0:
        raise ValueError("A price is 0 or more.")


def price_per_request(read: float, written: float, price_read: float, price_written: float) -> float:
    """The price of a request that reads and writes these numbers of tokens; prices are per million tokens.

    >>> price_per_request(read=2000, written=100, price_read=1.0, price_written=4.0)
    0.0024
    """
    return (read * price_read + written * price_written) / MILLION


def requests_to_break_even(training: float, before: float, after: float) -> float:
    """After how many requests training has paid for itself; inf if it never does.

    `training` is its cost; `before` and `after` are the prices of one request without and with the tuned model.
    """
    return training / (before - after) if after < before else inf


def days_to_break_even(
    training: float, before: float, after: float, per_day: float, extra_per_day: float = 0.0
) -> float:
    """After how many days training has paid for itself, with `per_day` requests per day; inf if it never does.

    `extra_per_day` is the price of what only the tuned model needs, such as a machine of its own.
    """
    saved = per_day * (before - after) - extra_per_day
    return training / saved if saved > 0 else inf
