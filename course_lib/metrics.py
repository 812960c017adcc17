"""Metrics: how good predictions are.

A metric is any function of (true answers, predicted answers) that returns one number from 0 to 1 and is larger where
the predictions are better; scikit-learn's accuracy, F1 and the like are such functions.
"""

import functools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from .text import contains_words

Answers = Sequence[str] | np.ndarray  # one per held-out case
Metric = Callable[[Any, Any], float]  # from the true and the predicted answers


def answer_found(y_true: Answers, y_pred: Answers) -> float:
    """The share of predictions that contain the true answer, word for word, whatever else they say.

    Case and punctuation do not count. It is the usual accuracy of short-answer question answering, and it favours a
    model that answers in a whole sentence.
    """
    return float(np.mean([contains_words(answer, truth) for truth, answer in zip(y_true, y_pred, strict=True)]))


@functools.lru_cache(maxsize=100_000)
def _entities(text: str) -> frozenset[tuple[str, str]]:
    pairs = (part.partition("=") for part in text.split(";"))
    return frozenset((name.strip().casefold(), kind.strip().upper()) for name, sign, kind in pairs if sign)


def entity_f1(y_true: Answers, y_pred: Answers) -> float:
    """F1 of named entities, each written as in `Ada Lovelace = PER; London = LOC`.

    An entity counts if its kind and its whole name are right: Tjong Kim Sang and De Meulder 2003, CoNLL shared task.
    It counts once per sentence, so a model that repeats itself is judged by what it finds and not by its repeating.
    Precision and recall are over all sentences together; where there is nothing to find and nothing found, it is 1.
    """
    pairs = [(_entities(truth), _entities(answer)) for truth, answer in zip(y_true, y_pred, strict=True)]
    right = sum(len(truth & answer) for truth, answer in pairs)
    both = sum(len(truth) + len(answer) for truth, answer in pairs)
    return 2 * right / both if both else 1.0


def case_scores(metric: Metric, y_true: Answers, y_pred: Answers) -> np.ndarray:
    """The metric of every case alone, shape (cases,)."""
    return np.array([metric([truth], [answer]) for truth, answer in zip(y_true, y_pred, strict=True)], dtype=float)
