"""Choosing an approach's settings by development cases: a part of the training examples, never the held-out cases."""

from collections.abc import Sequence
from typing import Any

from sklearn.base import BaseEstimator
from sklearn.metrics import make_scorer
from sklearn.model_selection import GridSearchCV

from .tasks.task import Task


def choose(approach: BaseEstimator, task: Task, **settings: Sequence[Any]) -> GridSearchCV:
    """The approach with the best of each of its `settings`; without any, with the best wording of its prompt.

    It is an estimator like any other: give it to `compare`, and the time of choosing counts as time to fit. `fit` tries
    every combination on the task's development cases (`Task.development_split`), by its metric, and fits the best again
    to all the training examples. Of equals it takes the first. After `fit`: `best_params_`, `cv_results_` and
    `best_estimator_`, as in all of scikit-learn.

    >>> choose(FewShot(), task, shots=[2, 4, 8], prompt=task.prompts)
    """
    return GridSearchCV(
        approach,
        settings or {"prompt": task.prompts},
        scoring=make_scorer(task.metric),
        cv=[task.development_split()],
        error_score="raise",
    )
