"""Run approaches on the same task: the same training examples, the same held-out cases, one table."""

import re
import time
from collections.abc import Mapping, Sequence
from math import nan

import pandas as pd
from sklearn.base import BaseEstimator, clone
from sklearn.frozen import FrozenEstimator
from sklearn.pipeline import Pipeline

from .approaches import Approach
from .metrics import case_scores, interval
from .model import LanguageModel, load_model
from .prompts import encode_answer
from .report import Report
from .tasks import Task


def compare(
    task: Task,
    approaches: Sequence[BaseEstimator] | Mapping[str, BaseEstimator],
    model: str | LanguageModel | None = None,
    seed: int = 0,
) -> Report:
    """Fit a clone of each approach to the task's training examples and score it on the held-out cases.

    `approaches` are scikit-learn estimators: the four of this package, a text pipeline of scikit-learn, your own; as
    a list, or as a dictionary by what each is to be called. A parameter called `prompt`, `documents`, `model` or `seed`
    that an approach leaves None is taken from the task and from here. Wrap one that is fitted already in
    `sklearn.frozen.FrozenEstimator` and it is scored as it is. Raises ValueError where an approach cannot use the
    task, FetchError where the model cannot be had, MemoryError where the memory is not enough.
    """
    named = approaches.items() if isinstance(approaches, Mapping) else [(None, approach) for approach in approaches]
    if not isinstance(model, LanguageModel) and any(getattr(_inner(one), "model", 1) is None for _, one in named):
        model = load_model(model)  # before any clock starts
    given = {"prompt": task.prompt, "documents": task.documents, "model": model, "seed": seed}
    inputs, answers = list(task.train["input"]), list(task.train["output"])
    questions, truth = list(task.test["input"]), list(task.test["output"])
    rows, predictions = {}, []
    fitted: dict[str, BaseEstimator] = {}
    for called, approach in named:
        estimator = clone(approach)
        own = estimator.get_params(deep=False)
        estimator.set_params(**{name: value for name, value in given.items() if name in own and own[name] is None})
        start = time.perf_counter()
        estimator.fit(inputs, answers)
        ready = time.perf_counter()
        predicted = [str(answer) for answer in estimator.predict(questions)]
        done = time.perf_counter()

        name = called or _unique_name(approach, fitted)
        fitted[name] = _inner(estimator)
        low, high = interval(task.metric, truth, predicted, seed)
        rows[name] = {
            "score": task.metric(truth, predicted),
            "low": low,
            "high": high,
            "fit_seconds": _fit_seconds(estimator, ready - start),
            "tokens_per_request": _tokens(_inner(estimator), questions, predicted),
            "ms_per_request": (done - ready) / len(questions) * 1000,
            "trained_parameters": getattr(_inner(estimator), "trained_parameters_", nan),
        }
        predictions.append(
            pd.DataFrame(
                {
                    "case": range(len(truth)),
                    "approach": name,
                    "input": questions,
                    "output": truth,
                    "prediction": predicted,
                    "score": case_scores(task.metric, truth, predicted),
                }
            )
        )
    table = pd.DataFrame.from_dict(rows, orient="index").rename_axis("approach")
    return Report(task, table, pd.concat(predictions, ignore_index=True), fitted, seed)


def _fit_seconds(estimator: BaseEstimator, measured: float) -> float:
    """What was measured, or of a frozen one what it measured itself when it was fitted."""
    return getattr(estimator.estimator, "fit_seconds_", nan) if isinstance(estimator, FrozenEstimator) else measured


def _inner(approach: BaseEstimator) -> BaseEstimator:
    return approach.estimator if isinstance(approach, FrozenEstimator) else approach


def _tokens(approach: BaseEstimator, inputs: list[str], predicted: list[str]) -> float:
    """Tokens read and written per request; 0 for an approach without a language model."""
    if not isinstance(approach, Approach):
        return 0.0
    read = sum(map(len, approach.requests(inputs)))
    written = sum(len(encode_answer(approach._model, answer)) for answer in predicted)
    return (read + written) / len(inputs)


def _unique_name(approach: BaseEstimator, taken: dict) -> str:
    """`few-shot`; the second one by what it was made with, as in `few-shot(shots=4)`."""
    inner = _inner(approach)
    steps = [step for _, step in inner.steps] if isinstance(inner, Pipeline) else [inner]
    name = " + ".join(getattr(step, "name", None) or _kebab(type(step).__name__) for step in steps)
    if name in taken:
        settings = repr(inner).partition("(")[2]
        name = f"{name}({settings}" if f"{name}({settings}" not in taken else f"{name} {len(taken) + 1}"
    return name


def _kebab(name: str) -> str:
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "-", name).lower()
