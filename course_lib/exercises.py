"""The exercises: what a learner is to find out, how an answer is checked, hints, and a solution.

A checker only raises: AssertionError with a sentence says what is not right yet. `Exercise.check` turns that into
*Correct*, *Not yet* or *Not attempted*.
"""

from collections.abc import Callable
from dataclasses import dataclass
from html import escape
from typing import Any

import pandas as pd

from . import progress
from .catalogue import outcomes
from .costs import break_even, per_request
from .domains import FIELDS
from .report import Report
from .style import VOICE, rules_kept
from .tasks import Task, load_task


@dataclass(frozen=True)
class Verdict:
    """What `check` says, in words."""

    outcome: str
    detail: str

    def __repr__(self) -> str:
        return f"{self.outcome}: {self.detail}"

    def _repr_html_(self) -> str:
        return f"<p role='status'><strong>{escape(self.outcome)}:</strong> {escape(self.detail)}</p>"


@dataclass(frozen=True)
class Exercise:
    """One exercise of a lesson; `key` is `lesson/name`. The solution is code that makes `answer`."""

    key: str
    checker: Callable[..., str]
    hints: tuple[str, ...]
    code: str

    def check(self, answer: Any, *given: Any) -> Verdict:
        """Check an answer, with the reports that it was read from; `...` or None means not attempted."""
        if answer is ... or answer is None:
            return Verdict("Not attempted", "replace the dots by your answer and run the cell again.")
        try:
            said = repr(answer)[:500]
            verdict = Verdict("Correct", self.checker(answer, *given))
        except AssertionError as error:
            verdict = Verdict("Not yet", str(error))
        except Exception as error:  # whatever a learner's object does when it is looked at
            said = f"a {type(answer).__name__}"
            verdict = Verdict("Not yet", f"checking your answer stopped with {type(error).__name__}: {error}")
        lesson, _, name = self.key.partition("/")
        kept = _keep(f"{lesson}/exercise/{name}", answer=said, right=verdict.outcome == "Correct")
        return Verdict(verdict.outcome, verdict.detail + kept)

    def hint(self) -> Verdict:
        """The next hint; after the last one, the last one again."""
        lesson, _, name = self.key.partition("/")
        key = f"{lesson}/hint/{name}"
        place = min(len(progress.entries(key).get(key, [])), len(self.hints) - 1)
        kept = _keep(key, number=place + 1)
        return Verdict(f"Hint {place + 1} of {len(self.hints)}", self.hints[place] + kept)

    def solution(self) -> Verdict:
        """One solution, as code."""
        return Verdict("One solution", self.code)


def _keep(key: str, **entry: Any) -> str:
    """Keep an entry; returns nothing, or what to say where it could not be kept."""
    try:
        progress.append(key, **entry)
    except OSError as error:
        return f" {error}"
    return ""


def exercise(key: str) -> Exercise:
    """The exercise `lesson/name`; raises ValueError with the names where there is none."""
    if key not in EXERCISES:
        raise ValueError(f"There is no exercise {key!r}. There are: {', '.join(EXERCISES)}.")
    return EXERCISES[key]


def _own_questions(task: Task) -> str:
    assert isinstance(task, Task), "make a task: Task.from_examples(name, instruction, train=[…], test=[…])."
    assert len(task.test) >= 5, f"write at least five held-out questions; there are {len(task.test)}."
    known = {text.casefold() for text in load_task("general-knowledge").test["input"]}
    copied = [text for text in task.test["input"] if text.casefold() in known]
    assert not copied, f"{copied[0]!r} is from the course: write your own."
    long = [answer for answer in task.test["output"] if len(answer.split()) > 4]
    assert not long, f"{long[0]!r} is too long to be found word for word in an answer: use at most four words."
    return f"a task with {len(task.test)} held-out questions of your own. Run compare on it and read the interval."


def _lost_per_hundred(answer: float, pottery: Report, general: Report) -> str:
    gained = pottery.table.score["fine-tuned"] - pottery.table.score["zero-shot"]
    lost = general.table.score["zero-shot"] - general.table.score["fine-tuned"]
    assert isinstance(answer, int | float), "the answer is one number."
    assert answer > 1 or lost / gained < 0.01, "that looks like a share. How many of a hundred?"
    expected = 100 * lost / gained
    assert abs(answer - expected) < 1, "not the number in your two tables: divide the loss by the gain."
    return (
        f"for every 100 points gained on pottery, {expected:.0f} points were lost on general knowledge. Whether that "
        "is a price worth paying depends on what the model will be asked."
    )


def _leads(answer: dict[str, float], reports: dict[str, Report]) -> str:
    assert isinstance(answer, dict), "the answer is a dictionary: {'sentiment': …, …}."
    missing = [name for name in reports if name not in answer]
    assert not missing, f"{missing[0]!r} is missing: one number for each task."
    for name, report in reports.items():
        score = report.table.score
        expected = score["fine-tuned"] - score.drop("fine-tuned").max()
        assert abs(float(answer[name]) - expected) < 0.005, (
            f"not the number for {name!r}: take the score of fine-tuned and subtract the highest of all others."
        )
    close = min(answer, key=answer.__getitem__)
    return f"the lead is smallest on {close!r} ({answer[close]:+.2f}). There, look hard for something cheaper."


def _focus(answer: dict[str, float], measured: pd.DataFrame) -> str:
    assert isinstance(answer, dict), "the answer is a dictionary: {'legal': …, …}."
    gains = measured.pivot(index="field", columns="model", values="gain")
    for field in FIELDS:
        assert field in answer, f"{field!r} is missing: one number for each field."
        expected = gains.loc[field, field] - gains.loc["everyday", field]
        assert abs(float(answer[field]) - expected) < 0.005, (
            f"not the number for {field!r}: stay in the column of its reader, and subtract everyday from {field}."
        )
    return "so much more it gains there; where everyday text got worse, that exceeds the gain itself."


def _broken(answer: str, report: Report) -> str:
    assert answer in VOICE, "the answer is the text of a rule: one of list(style.VOICE)."
    said = report.predictions.query("approach == 'zero-shot'")["prediction"]
    kept = pd.DataFrame(map(rules_kept, said)).mean()
    assert kept[answer] <= kept.min(), (
        f"it keeps that rule in {kept[answer]:.0%} of its messages, another one less often."
    )
    return f"that rule is kept in {kept.min():.0%} of the messages, although the prompt says it."


def _fewer(answer: float, report: Report) -> str:
    shares = outcomes(report)
    invented = shares["invented"].xs("unknown", level=1)
    expected = invented["tuned on facts"] - invented["tuned, with refusals"]
    assert abs(float(answer) - expected) < 0.005, (
        "not that: on unknown items, take the share invented when tuned on facts, minus the share with refusals."
    )
    return f"with refusals among the examples, inventions on unknown teas fall by {100 * expected:.0f} points of 100."


def _payback(answer: float, single: pd.DataFrame) -> str:
    ways = single.loc[["long prompt", "fine-tuned"], ["read", "written"]].to_numpy()
    before, after = (per_request(read, written, 2, 8) for read, written in ways)
    expected = break_even(60, before, after)
    assert float(answer) > 1, "not that: the answer is a number of requests."
    assert abs(float(answer) / expected - 1) < 0.02, (
        "not that: the price of a request is (read × 2 + written × 8) / 1,000,000; divide 60 by the saving."
    )
    return f"after about {expected:,.0f} requests. At a thousand a day that is {expected / 1000:,.0f} days."


def _enough(answer: dict[str, str], reports: dict[str, Report]) -> str:
    assert isinstance(answer, dict), "the answer is a dictionary: {'notices': …, …}."
    missing = [name for name in reports if name not in answer]
    assert not missing, f"{missing[0]!r} is missing: one approach for each task."
    for name, report in reports.items():
        best = report.table["score"].idxmax()
        untrained = report.table.query("trained_parameters == 0").sort_values("tokens_per_request").index
        good = [one for one in untrained if report.difference(best, one).low <= 0]
        assert answer[name] == (good[0] if good else best), (
            f"not that for {name!r}: of those that train nothing and that {best} does not clearly beat, take the one "
            f"with the fewest tokens; where there is none, {best} itself."
        )
    trained = sum(one == "fine-tuned" for one in answer.values())
    return f"by this rule {trained} of the {len(reports)} would be fine-tuned."


def _ties(answer: int, report: Report) -> str:
    best = report.table["score"].idxmax()
    expected = sum(report.difference(best, other).low <= 0 for other in report.table.index.drop(best))
    assert answer == expected, (
        f"not {answer!r}: {best} scored highest; count the others for which report.difference({best!r}, other).low is "
        f"zero or less."
    )
    return f"{expected} of {len(report.table) - 1} are not told apart from {best} by these cases."


EXERCISES = {
    one.key: one
    for one in (
        Exercise(
            "00-start-here/own-questions",
            _own_questions,
            hints=(
                "A task needs a name, an instruction, some training pairs and some held-out pairs (question, answer).",
                "Training and held-out questions must differ. For zero-shot one training pair is enough.",
                "Keep answers to a word or two: the score looks for them inside what the model writes.",
            ),
            code="""answer = Task.from_examples(
    "my-questions",
    "Answer the question in a few words.",
    train=[("Which bird is the symbol of peace?", "dove")],
    test=[
        ("Which season comes after winter?", "spring"),
        ("What do caterpillars turn into?", "butterflies"),
        ("Which river flows through London?", "Thames"),
        ("How many legs does an insect have?", "six"),
        ("In which country is Lisbon?", "Portugal"),
    ],
)""",
        ),
        Exercise(
            "01-why-fine-tune/price",
            _lost_per_hundred,
            hints=(
                "Both reports have a table: report.table.score['fine-tuned'] is a number.",
                "The gain: fine-tuned minus zero-shot in `report`. The loss: zero-shot minus fine-tuned in `general`.",
                "Divide the loss by the gain and multiply by 100.",
            ),
            code="""gain = report.table.score["fine-tuned"] - report.table.score["zero-shot"]
loss = general.table.score["zero-shot"] - general.table.score["fine-tuned"]
answer = 100 * loss / gain""",
        ),
        Exercise(
            "02-domain-specialization/focus",
            _focus,
            hints=(
                "measured has a row for each field and model, with the column gain.",
                "measured.pivot(index='field', columns='model', values='gain') puts the readers side by side.",
                "For each field subtract the row everyday from the row of the field, in the column of its reader.",
            ),
            code="""gains = measured.pivot(index="field", columns="model", values="gain")
answer = {name: gains.loc[name, name] - gains.loc["everyday", name] for name in ("legal", "medical", "finance")}""",
        ),
        Exercise(
            "03-task-performance/leads",
            _leads,
            hints=(
                "reports['sentiment'].table.score holds the scores of one task, by approach.",
                "score.drop('fine-tuned').max() is the best of the others.",
                "Write a dictionary comprehension over reports.items().",
            ),
            code="""def lead(score):
    return score["fine-tuned"] - score.drop("fine-tuned").max()

answer = {name: lead(report.table.score) for name, report in reports.items()}""",
        ),
        Exercise(
            "04-style-and-tone/broken",
            _broken,
            hints=(
                "report.predictions.query(\"approach == 'zero-shot'\") holds the untrained model's messages.",
                "style.rules_kept(text) says for each rule whether a text keeps it.",
                "Put those into a DataFrame, take the mean of each column, and its smallest with idxmin().",
            ),
            code="""said = report.predictions.query("approach == 'zero-shot'")["prediction"]
answer = pd.DataFrame([style.rules_kept(text) for text in said]).mean().idxmin()""",
        ),
        Exercise(
            "05-accuracy-and-hallucination/fewer",
            _fewer,
            hints=(
                "outcomes(report) has a row for each approach and kind of item.",
                "One cell of it is outcomes(report).loc[('tuned on facts', 'unknown'), 'invented'].",
                "Subtract from it the same cell of 'tuned, with refusals'.",
            ),
            code="""invented = outcomes(report)["invented"].xs("unknown", level=1)
answer = invented["tuned on facts"] - invented["tuned, with refusals"]""",
        ),
        Exercise(
            "06-cost-and-efficiency/payback",
            _payback,
            hints=(
                "single.loc['long prompt'] holds the tokens read and written by one request.",
                "A request costs (read × 2 + written × 8) / 1,000,000: costs.per_request does this.",
                "costs.break_even(60, before, after) divides the training by what a request saves.",
            ),
            code="""def price(way):
    return costs.per_request(single.loc[way, "read"], single.loc[way, "written"], 2, 8)

before, after = price("long prompt"), price("fine-tuned")
answer = costs.break_even(60, before, after)""",
        ),
        Exercise(
            "07-when-not-to-fine-tune/enough",
            _enough,
            hints=(
                "report.table['score'].idxmax() is the best. Those with trained_parameters == 0 train nothing.",
                "The best clearly beats another where report.difference(best, other).low is above zero.",
                "Sort by tokens_per_request and take the first that the best does not clearly beat: next(…, best).",
            ),
            code="""def first_that_is_enough(report):
    best = report.table["score"].idxmax()
    untrained = report.table.query("trained_parameters == 0").sort_values("tokens_per_request").index
    return next((one for one in untrained if report.difference(best, one).low <= 0), best)

answer = {name: first_that_is_enough(report) for name, report in reports.items()}""",
        ),
        Exercise(
            "08-choose-your-approach/ties",
            _ties,
            hints=(
                "report.table.score.idxmax() is the name of the best approach.",
                "report.difference(best, other).low is the lower end of an interval; it includes zero at zero or less.",
                "sum(… for other in report.table.index.drop(best)) counts the comparisons that are true.",
            ),
            code="""best = report.table.score.idxmax()
answer = sum(report.difference(best, other).low <= 0 for other in report.table.index.drop(best))""",
        ),
    )
}
