"""Compare approaches on a task: the same training examples, the same held-out cases, one table."""

import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import nan

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, clone
from sklearn.frozen import FrozenEstimator
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import Pipeline

from .approaches import Approach
from .intervals import interval
from .llm.chat import encode_answer
from .llm.model import LanguageModel, load_model
from .metrics import case_scores
from .report import Report
from .tasks.task import Task


def compare(
    task: Task,
    approaches: Sequence[BaseEstimator] | Mapping[str, BaseEstimator],
    model: str | LanguageModel | None = None,
    seed: int = 0,
) -> Report:
    """Fit a clone of each approach to the task's training examples and score it on the held-out cases.

    `approaches` are scikit-learn estimators that predict from texts: the four of this package, a pipeline, your own;
    a list, or a dictionary from the name in the report to the estimator. A parameter called `prompt`, `documents`,
    `model` or `random_state` that is None is set from the task, `model` and `seed` (in a pipeline, that of its last
    step; in a search, that of what it tries). Wrap an approach that is fitted already in
    `sklearn.frozen.FrozenEstimator`, and it is scored as it is. Raises ValueError where an approach cannot use the
    task, FetchError where the model cannot be downloaded, MemoryError where memory runs out.

    >>> compare(load_task("roman-pottery"), [ZeroShot(), FewShot(4), Retrieval(), FineTuned()])
    """
    rows, cases, fitted = {}, [], {}
    for name, estimator in _prepare(task, approaches, model, seed).items():
        run = _run(estimator, task)
        fitted[name] = _unfrozen(run.estimator)
        rows[name] = _row(run, task, seed)
        cases.append(_cases(name, run, task))
    table = pd.DataFrame.from_dict(rows, orient="index").rename_axis("approach")
    return Report(task, table, pd.concat(cases, ignore_index=True), fitted, seed)


def _prepare(
    task: Task,
    approaches: Sequence[BaseEstimator] | Mapping[str, BaseEstimator],
    model: str | LanguageModel | None,
    seed: int,
) -> dict[str, BaseEstimator]:
    """A clone of each approach by its name in the report, with parameters that are None set."""
    named = approaches if isinstance(approaches, Mapping) else _with_names(approaches)
    clones = {name: clone(approach) for name, approach in named.items()}
    open_steps = [_last_step(estimator) for estimator in clones.values() if not _is_frozen(estimator)]
    is_none = [{name for name, value in step.get_params(deep=False).items() if value is None} for step in open_steps]
    if any("model" in names for names in is_none):
        model = load_model(model) if not isinstance(model, LanguageModel) else model  # before any clock starts
    values = {"prompt": task.prompt, "documents": task.documents, "model": model, "random_state": seed}
    for step, names in zip(open_steps, is_none, strict=True):
        step.set_params(**{name: value for name, value in values.items() if name in names})
    return clones


@dataclass(frozen=True)
class _Run:
    """A fitted estimator with its answers to the held-out cases, and the seconds that both took."""

    estimator: BaseEstimator
    predictions: list[str]
    fit_seconds: float
    predict_seconds: float


def _run(estimator: BaseEstimator, task: Task) -> _Run:
    """Fit an estimator to the training examples, and let it answer the held-out cases."""
    start = time.perf_counter()
    estimator.fit(list(task.train["input"]), list(task.train["output"]))
    ready = time.perf_counter()
    predictions = [str(answer) for answer in estimator.predict(list(task.test["input"]))]
    done = time.perf_counter()
    fit_seconds = ready - start
    if _is_frozen(estimator):  # the time that the approach itself measured when it was fitted
        fit_seconds = getattr(_innermost(estimator), "fit_seconds_", nan)
    return _Run(estimator, predictions, fit_seconds, done - ready)


def _row(run: _Run, task: Task, seed: int) -> dict[str, float]:
    """The approach's row in the report's table."""
    truth = list(task.test["output"])
    low, high = interval(task.metric, truth, run.predictions, seed)
    read, written = _tokens(run.estimator, list(task.test["input"]), run.predictions)
    return {
        "score": task.metric(truth, run.predictions),
        "low": low,
        "high": high,
        "fit_seconds": run.fit_seconds,
        "tokens_per_request": read + written,
        "tokens_written": written,
        "ms_per_request": run.predict_seconds / len(truth) * 1000,
        "trained_parameters": getattr(_innermost(run.estimator), "trained_parameters_", nan),
    }


def _cases(name: str, run: _Run, task: Task) -> pd.DataFrame:
    """The approach's rows in the report's predictions: one per held-out case."""
    truth = list(task.test["output"])
    return pd.DataFrame(
        {
            "case": range(len(truth)),
            "approach": name,
            "input": list(task.test["input"]),
            "output": truth,
            "prediction": run.predictions,
            "score": case_scores(task.metric, truth, run.predictions),
        }
    )


def _tokens(estimator: BaseEstimator, inputs: list[str], predictions: list[str]) -> tuple[float, float]:
    """Tokens read and written per request; 0 where no language model is asked.

    A class counts as the tokens of its word, though it is scored and not written.
    """
    approach = _innermost(estimator)
    if not isinstance(approach, Approach):
        return 0.0, 0.0
    if isinstance(pipeline := _unfrozen(estimator), Pipeline):
        inputs = list(pipeline[:-1].transform(inputs))
    read = sum(map(len, approach.encode_prompts(inputs)))
    written = sum(len(encode_answer(approach._model, answer)) for answer in predictions)
    return read / len(inputs), written / len(inputs)


def measure_single_requests(approach: Approach, inputs: Sequence[str]) -> pd.Series:
    """What one request costs a fitted approach if inputs come one at a time.

    The medians over `inputs` of `read` and `written` (tokens) and `ms` (milliseconds from input to answer, encoding
    included).
    """
    rows = []
    for text in inputs:
        (prompt,) = approach.encode_prompts([text])
        start = time.perf_counter()
        (answer,) = approach.predict([text])
        milliseconds = (time.perf_counter() - start) * 1000
        rows.append((len(prompt), len(encode_answer(approach._model, str(answer))), milliseconds))
    return pd.Series(np.median(rows, axis=0), index=["read", "written", "ms"])


def _last_step(estimator: BaseEstimator) -> BaseEstimator:
    """Of a pipeline its last step, of a search what it tries (fitted: what it chose), else the estimator itself."""
    if isinstance(estimator, GridSearchCV):
        return _last_step(getattr(estimator, "best_estimator_", estimator.estimator))
    return _last_step(estimator.steps[-1][1]) if isinstance(estimator, Pipeline) else estimator


def _unfrozen(estimator: BaseEstimator) -> BaseEstimator:
    """What a FrozenEstimator holds, else the estimator itself."""
    return estimator.estimator if isinstance(estimator, FrozenEstimator) else estimator


def _innermost(estimator: BaseEstimator) -> BaseEstimator:
    """The estimator that answers: without pipeline, search and FrozenEstimator."""
    return _unfrozen(_last_step(_unfrozen(estimator)))


def _is_frozen(estimator: BaseEstimator) -> bool:
    return isinstance(estimator, FrozenEstimator) or isinstance(_last_step(estimator), FrozenEstimator)


def _with_names(approaches: Sequence[BaseEstimator]) -> dict[str, BaseEstimator]:
    """The approaches by name: `few-shot`; the second one with its settings, as `few-shot(shots=4)`, or a number."""
    named: dict[str, BaseEstimator] = {}
    for approach in approaches:
        name = _name(approach)
        if name in named:
            settings = repr(_unfrozen(approach)).partition("(")[2]
            name = f"{name}({settings}" if f"{name}({settings}" not in named else f"{name} {len(named) + 1}"
        named[name] = approach
    return named


def _name(approach: BaseEstimator) -> str:
    inner = _unfrozen(approach)
    if isinstance(inner, GridSearchCV):
        return f"{_name(inner.estimator)}, chosen"
    steps = [_unfrozen(step) for _, step in inner.steps] if isinstance(inner, Pipeline) else [inner]
    return " + ".join(getattr(step, "name", None) or _kebab(type(step).__name__) for step in steps)


def _kebab(name: str) -> str:
    """`LogisticRegression` as `logistic-regression`."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "-", name).lower()
