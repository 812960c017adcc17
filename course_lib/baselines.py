"""The opponents that every approach is compared with: none of them asks the language model anything."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.dummy import DummyClassifier
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import NearestNeighbors
from sklearn.pipeline import Pipeline, make_pipeline


def majority_class() -> DummyClassifier:
    """An unfitted classifier that always gives the most frequent training answer, whatever the input.

    An approach that does not beat it has learned nothing from the inputs.

    >>> majority_class().fit(["a", "b", "c"], ["yes", "no", "no"]).predict(["a"]).tolist()
    ['no']
    """
    return DummyClassifier(strategy="most_frequent")


def word_counts() -> Pipeline:
    """An unfitted classifier of texts by their words: TF-IDF weights, then logistic regression.

    A punctuation mark counts as a word too, so that no input is without words.
    """
    return make_pipeline(TfidfVectorizer(token_pattern=r"\w+|[^\w\s]"), LogisticRegression(C=10))


class NearestExample(BaseEstimator):
    """Look the answer up: that of the training input that shares most with the input, by groups of 2 to 4 characters.

    It needs no model and knows nothing but the examples. Where it does as well as training, training has only stored
    them. Answers may be labels or free text. After `fit`: `inputs_` and `answers_`, the training data.

    >>> NearestExample().fit(["red jar", "blue jug"], ["jar", "jug"]).predict(["a blue jug"]).tolist()
    ['jug']
    """

    name = "nearest example"

    def fit(self, X: Sequence[str], y: Sequence[Any]) -> "NearestExample":
        """Index the training inputs; returns self."""
        self.inputs_, self.answers_ = list(X), np.asarray(list(y))
        self.search_ = make_pipeline(
            TfidfVectorizer(analyzer="char_wb", ngram_range=(2, 4)), NearestNeighbors(n_neighbors=1, metric="cosine")
        ).fit(self.inputs_)
        return self

    def predict(self, X: Sequence[str]) -> np.ndarray:
        """The answer of the nearest training input, shape (inputs,)."""
        vectors, neighbours = self.search_[0], self.search_[1]
        return self.answers_[neighbours.kneighbors(vectors.transform(X), return_distance=False)[:, 0]]


def embeddings() -> Pipeline:
    """An unfitted classifier of texts by their meaning: vectors of a small sentence model, then logistic regression.

    It is the last step of SetFit without its first, the tuning of the sentence model: Tunstall et al. 2022,
    arXiv:2209.11055. The sentence model is fetched at the first use (see llm/embeddings.py).
    """
    from .llm.embeddings import Embeddings  # imports torch, which the others do not need

    return make_pipeline(Embeddings(), LogisticRegression(C=10))
