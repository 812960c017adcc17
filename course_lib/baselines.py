"""The two baselines that every approach is compared with: neither needs a language model."""

from sklearn.dummy import DummyClassifier
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
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
