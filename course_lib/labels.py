"""What scikit-learn hands to an estimator, as texts: inputs, and labels with the words that the model uses for them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_consistent_length

from .tasks.prompt import Prompt


def as_texts(X: Any) -> list[str]:
    """Inputs (a list, an array or a column of texts) as a list of texts; raises ValueError if any is not a text."""
    if isinstance(X, str):
        raise ValueError("X is a single text. Give a list of texts: [text].")
    texts = list(X)
    for place, text in enumerate(texts):
        if not isinstance(text, str):
            raise ValueError(
                f"X[{place}] is of type {type(text).__name__}, and an approach reads texts. Give a list of texts, such "
                f"as one column of your table."
            )
    return [str(text) for text in texts]  # numpy has a text type of its own


@dataclass(frozen=True)
class Labels:
    """The classes that can be predicted, sorted as in scikit-learn's `classes_`, and the model's word for each."""

    classes: np.ndarray
    words: tuple[str, ...]

    def words_of(self, y: Sequence[Any]) -> list[str]:
        """The words for labels, each of which is one of the classes."""
        return [self.words[place] for place in np.searchsorted(self.classes, y)]


def labels_of_prompt(prompt: Prompt) -> Labels | None:
    """The choices of a prompt as labels; None where its answers are free text."""
    if not prompt.choices:
        return None
    words = tuple(sorted(prompt.choices))
    return Labels(np.array(words), words)


def read_labels(prompt: Prompt | None, X: Any, y: Any) -> Labels | None:
    """The labels of training data; None where the prompt says that the answers are free text.

    Without a prompt, every different value in `y` is a class. With a prompt, `y` holds its choices as texts, or, where
    scikit-learn has numbered them (`cross_val_predict` does), the index of each in their sorted order. Values that are
    not texts but read like choices (1 for "1") are classes as they are. Raises ValueError where `y` is none of these or
    may be two of them.
    """
    if y is None:  # scikit-learn's own words, by which its tools know this error
        raise ValueError("requires y to be passed, but the target y is None. Give y, one label or answer per text.")
    labels = np.asarray(list(y))
    check_consistent_length(X, labels)
    if prompt is None:
        check_classification_targets(labels)
        classes = np.unique(labels)
        return Labels(classes, tuple(map(str, classes.tolist())))
    named = labels_of_prompt(prompt)
    if named is None:
        return None
    distinct = np.unique(labels)
    unknown = sorted(set(map(str, distinct.tolist())) - set(named.words))
    are_places = labels.dtype.kind in "iu" and distinct.tolist() == list(range(len(named.words)))
    if are_places and not unknown and named.words != tuple(map(str, distinct.tolist())):  # as texts, "10" is before "2"
        raise ValueError(
            "y holds the numbers from 0 up, which may be the choices themselves or their places in sorted order, and "
            "these differ. Give each choice as many digits as the longest, such as 02 for 2."
        )
    if not unknown:
        return named if labels.dtype.kind in "UO" else Labels(distinct, tuple(map(str, distinct.tolist())))
    if are_places:
        return Labels(distinct, named.words)
    raise ValueError(
        f"y holds {unknown[0]!r}, which is none of the prompt's choices ({', '.join(prompt.choices or ())}). Correct "
        f"it, or add it to the choices."
    )


def as_answers(labels: Labels | None, y: Sequence[Any]) -> list[str]:
    """The training answers as the model is to write them."""
    return labels.words_of(list(y)) if labels else [str(answer) for answer in y]
