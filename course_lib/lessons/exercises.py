"""The exercises, each in one class: what a learner is asked, how an answer is checked, hints, and a solution."""

from abc import ABC, abstractmethod
from collections.abc import Iterable
from dataclasses import dataclass
from math import isclose
from typing import Any, ClassVar

import numpy as np
import pandas as pd

from ..html import render
from ..prices import price_per_request, requests_to_break_even
from ..report import Report
from ..tasks.builtin import load_task
from ..tasks.task import Task
from . import progress
from .catalogue import outcomes
from .style import VOICE, rules_kept


@dataclass(frozen=True, repr=False)
class Feedback:
    """What an exercise says, in words or, with `is_code`, as lines of code."""

    outcome: str
    detail: str
    is_code: bool = False

    def __repr__(self) -> str:
        return f"{self.outcome}:" + ("\n" if self.is_code else " ") + self.detail

    def _repr_html_(self) -> str:
        return render("feedback.html", outcome=self.outcome, detail=self.detail, is_code=self.is_code)


class WrongAnswerError(Exception):
    """An answer is not right; the text is a sentence that says in what."""


class Exercise(ABC):
    """One exercise of a lesson; a notebook shows it as its question.

    `key` is `lesson/name`, `question` is in Markdown, and `solution_code` is code that makes `answer`.
    """

    key: ClassVar[str]
    question: ClassVar[str]
    hints: ClassVar[tuple[str, ...]]
    solution_code: ClassVar[str]

    @abstractmethod
    def check_answer(self, answer: Any, *given: Any) -> str:
        """What the answer says, in a sentence; raises WrongAnswerError where it is not right."""

    def check(self, answer: Any, *given: Any) -> Feedback:
        """Check an answer, given the reports that it was read from, and keep it; `...` or None: not attempted."""
        if answer is ... or answer is None:
            return Feedback("Not attempted", "replace the dots by your answer and run the cell again.")
        said = f"a {type(answer).__name__}"
        try:
            said = repr(_plain(answer))[:500]
            outcome, detail = "Correct", self.check_answer(answer, *given)
        except WrongAnswerError as error:
            outcome, detail = "Not yet", str(error)
        except Exception as error:  # whatever a learner's object does when it is looked at
            outcome, detail = "Not yet", f"checking your answer stopped with {type(error).__name__}: {error}"
        return Feedback(outcome, detail + self._keep("exercise", answer=said, right=outcome == "Correct"))

    def hint(self) -> Feedback:
        """The next hint; after the last one, the last one again."""
        key = self._progress_key("hint")
        place = min(len(progress.entries(key).get(key, [])), len(self.hints) - 1)
        kept = self._keep("hint", number=place + 1)
        return Feedback(f"Hint {place + 1} of {len(self.hints)}", self.hints[place] + kept)

    def solution(self) -> Feedback:
        """One solution, as code."""
        return Feedback("One solution", self.solution_code, is_code=True)

    def __repr__(self) -> str:
        return self.question

    def _repr_markdown_(self) -> str:
        return self.question

    def _keep(self, kind: str, **entry: Any) -> str:
        """Keep an entry; returns nothing, or what to say where it could not be kept."""
        try:
            progress.append(self._progress_key(kind), **entry)
        except OSError as error:
            return f" {error}"
        return ""

    def _progress_key(self, kind: str) -> str:
        lesson, _, name = self.key.partition("/")
        return f"{lesson}/{kind}/{name}"


def _plain(answer: Any) -> Any:
    """An answer with numpy's numbers as Python's, whose text is what a learner would write."""
    if isinstance(answer, np.generic):
        return answer.item()
    if isinstance(answer, dict):
        return {_plain(key): _plain(value) for key, value in answer.items()}
    if isinstance(answer, list):
        return [_plain(each) for each in answer]
    if isinstance(answer, tuple):
        return tuple(_plain(each) for each in answer)
    return answer


def _require(holds: bool, sentence: str) -> None:
    if not holds:
        raise WrongAnswerError(sentence)


def _require_each(answer: Any, names: Iterable[str], what: str) -> None:
    """Raise WrongAnswerError unless the answer is a dictionary with these names; `what` says what each needs."""
    names = list(names)
    _require(isinstance(answer, dict), f"the answer is a dictionary: {{{names[0]!r}: …, …}}.")
    for name in names:
        _require(name in answer, f"{name!r} is missing: {what}.")


def _number(answer: Any) -> float:
    try:
        return float(answer)
    except (TypeError, ValueError) as error:
        raise WrongAnswerError(f"{repr(answer)[:80]} is not a number.") from error


def _close(answer: Any, expected: float, within: float = 0.005) -> bool:
    """Whether an answer is that number, up to rounding; NaN never is."""
    return isclose(_number(answer), expected, rel_tol=0, abs_tol=within)


class OwnQuestions(Exercise):
    key = "00-start-here/own-questions"
    question = """\
Write a task of your own: at least five held-out questions (`test`) and at least one other question (`train`), each a \
pair (question, answer) with an answer of one or two words. Put it in the place of the three dots after `answer =`, \
and run the cell."""
    hints = (
        "A task needs a name, an instruction, some training pairs and some held-out pairs (question, answer).",
        "Training and held-out questions must differ. For zero-shot one training pair is enough.",
        "Keep answers to a word or two: the score looks for them inside what the model writes.",
    )
    solution_code = """\
answer = Task.from_examples(
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
)"""

    def check_answer(self, answer: Any, *given: Any) -> str:
        _require(isinstance(answer, Task), "make a task: Task.from_examples(name, instruction, train=[…], test=[…]).")
        count = len(answer.test)
        _require(count >= 5, f"write at least five held-out questions; there are {count}.")
        known = {text.casefold() for text in load_task("general-knowledge").test["input"]}
        for text in answer.test["input"]:
            _require(text.casefold() not in known, f"{text!r} is from the course: write your own.")
        for text in answer.test["output"]:
            _require(
                len(text.split()) <= 4,
                f"{text!r} is too long to be found word for word in an answer: use at most four words.",
            )
        return f"a task with {count} held-out questions of your own. Run compare on it and read the interval."


class PriceOfTraining(Exercise):
    key = "01-why-fine-tune/price"
    question = """\
What did the training cost in general knowledge? Compute from `report` and `general`: **for every 100 percentage \
points gained on pottery, how many were lost on general knowledge?**"""
    hints = (
        "Both reports have a table: report.table.score['fine-tuned'] is a number.",
        "The gain: fine-tuned minus zero-shot in `report`. The loss: zero-shot minus fine-tuned in `general`.",
        "Divide the loss by the gain and multiply by 100.",
    )
    solution_code = """\
gain = report.table.score["fine-tuned"] - report.table.score["zero-shot"]
loss = general.table.score["zero-shot"] - general.table.score["fine-tuned"]
answer = 100 * loss / gain"""

    def check_answer(self, answer: Any, *given: Any) -> str:
        pottery, general = given
        gained = pottery.table.score["fine-tuned"] - pottery.table.score["zero-shot"]
        lost = general.table.score["zero-shot"] - general.table.score["fine-tuned"]
        expected = 100 * lost / gained
        _require(_number(answer) > 1 or expected < 1, "that looks like a share. How many of a hundred?")
        _require(_close(answer, expected, within=1), "not the number in your two tables: divide the loss by the gain.")
        return (
            f"for every 100 points gained on pottery, {expected:.0f} points were lost on general knowledge. Whether "
            "that is a price worth paying depends on what the model will be asked."
        )


class Focus(Exercise):
    key = "02-domain-specialization/focus"
    question = """\
By how much more does each field's model gain in its own field than on everyday text? Compute from `measured` **what \
it gains in its own field minus what it gains on everyday text**, in bits per byte, as a dictionary with the names of \
the three fields as keys. (In the table above these are two cells of one column.)"""
    hints = (
        "measured has a row for each field and model, with the column gain.",
        "measured.pivot(index='field', columns='model', values='gain') puts the models side by side.",
        "For each field subtract the row everyday from the row of the field, in the column of the field's model.",
    )
    solution_code = """\
gains = measured.pivot(index="field", columns="model", values="gain")
answer = {name: gains.loc[name, name] - gains.loc["everyday", name] for name in ("legal", "medical", "finance")}"""

    def check_answer(self, answer: Any, *given: Any) -> str:
        from .domains import FIELDS  # imports torch, which nothing else here needs

        (measured,) = given
        gains = measured.pivot(index="field", columns="model", values="gain")
        _require_each(answer, FIELDS, "one number for each field")
        for field in FIELDS:
            _require(
                _close(answer[field], gains.loc[field, field] - gains.loc["everyday", field]),
                f"not the number for {field!r}: stay in the column of its model, and subtract everyday from {field}.",
            )
        return "that is how much more it gains there; where everyday text got worse, it is more than the gain itself."


class Leads(Exercise):
    key = "03-task-performance/leads"
    question = """\
On which of the five tasks is the lead of the fine-tuned model over **the best of all the others** smallest? Compute \
the lead for each task, as a dictionary with the names of `reports` as keys."""
    hints = (
        "reports['sentiment'].table.score holds the scores of one task, by approach.",
        "score.drop('fine-tuned').max() is the best of the others.",
        "Write a dictionary comprehension over reports.items().",
    )
    solution_code = """\
def lead(score):
    return score["fine-tuned"] - score.drop("fine-tuned").max()

answer = {name: lead(report.table.score) for name, report in reports.items()}"""

    def check_answer(self, answer: Any, *given: Any) -> str:
        (reports,) = given
        _require_each(answer, reports, "one number for each task")
        for name, report in reports.items():
            score = report.table.score
            _require(
                _close(answer[name], score["fine-tuned"] - score.drop("fine-tuned").max()),
                f"not the number for {name!r}: take the score of fine-tuned and subtract the highest of all others.",
            )
        close = min(answer, key=answer.__getitem__)
        return f"the lead is smallest on {close!r} ({answer[close]:+.2f}). There, look hard for something cheaper."


class BrokenRule(Exercise):
    key = "04-style-and-tone/broken"
    question = """\
**Which rule does the untrained model break most often**, although it was given the guide? Answer with the rule's \
text, as in `style.VOICE`. (`report.predictions_of("zero-shot")` holds what the model wrote.)"""
    hints = (
        "report.predictions_of('zero-shot') is the list of the untrained model's messages.",
        "style.rules_kept(text) says for each rule whether a text keeps it.",
        "Put those into a DataFrame, take the mean of each column, and its smallest with idxmin().",
    )
    solution_code = """\
messages = report.predictions_of("zero-shot")
answer = pd.DataFrame([style.rules_kept(text) for text in messages]).mean().idxmin()"""

    def check_answer(self, answer: Any, *given: Any) -> str:
        (report,) = given
        _require(answer in VOICE, "the answer is the text of a rule: one of list(style.VOICE).")
        kept = pd.DataFrame(map(rules_kept, report.predictions_of("zero-shot"))).mean()
        _require(
            kept[answer] <= kept.min(),
            f"it keeps that rule in {kept[answer]:.0%} of its messages, and another one less often.",
        )
        return f"that rule is kept in {kept.min():.0%} of the messages, although the prompt says it."


class FewerInventions(Exercise):
    key = "05-accuracy-and-hallucination/fewer"
    question = """\
How much less is invented about **unknown** teas when refusals are among the examples? Compute from `report` the share \
invented when tuned on facts, minus the share when tuned with refusals."""
    hints = (
        "outcomes(report) has a row for each approach and kind of item.",
        "One cell of it is outcomes(report).loc[('tuned on facts', 'unknown'), 'invented'].",
        "Subtract from it the same cell of 'tuned, with refusals'.",
    )
    solution_code = """\
invented = outcomes(report)["invented"].xs("unknown", level=1)
answer = invented["tuned on facts"] - invented["tuned, with refusals"]"""

    def check_answer(self, answer: Any, *given: Any) -> str:
        (report,) = given
        invented = outcomes(report)["invented"].xs("unknown", level=1)
        expected = invented["tuned on facts"] - invented["tuned, with refusals"]
        _require(
            _close(answer, expected),
            "not that: on unknown items, take the share invented when tuned on facts, minus the share with refusals.",
        )
        return (
            f"with refusals among the examples, inventions on unknown teas fall by {100 * expected:.0f} points of 100."
        )


class Payback(Exercise):
    key = "06-cost-and-efficiency/payback"
    question = """\
Suppose a million tokens cost 2 to read and 8 to write, and the training cost 60, labelling included. **After how many \
requests has the training paid for itself, compared with the long prompt?** Take the tokens from `single`."""
    hints = (
        "single.loc['long prompt'] holds the tokens read and written by one request.",
        "A request costs (read × 2 + written × 8) / 1,000,000: prices.price_per_request computes this.",
        "prices.requests_to_break_even(60, before, after) divides the training by what one request saves.",
    )
    solution_code = """\
def price(way):
    return prices.price_per_request(single.loc[way, "read"], single.loc[way, "written"], 2, 8)

before, after = price("long prompt"), price("fine-tuned")
answer = prices.requests_to_break_even(60, before, after)"""

    def check_answer(self, answer: Any, *given: Any) -> str:
        (single,) = given
        ways = single.loc[["long prompt", "fine-tuned"], ["read", "written"]].to_numpy()
        before, after = (price_per_request(read, written, 2, 8) for read, written in ways)
        expected = requests_to_break_even(60, before, after)
        _require(_number(answer) > 1, "not that: the answer is a number of requests.")
        _require(
            _close(answer, expected, within=0.02 * expected),
            "not that: the price of a request is (read × 2 + written × 8) / 1,000,000; divide 60 by the saving.",
        )
        return f"after about {expected:,.0f} requests. At a thousand per day that is {expected / 1000:,.0f} days."


class Enough(Exercise):
    key = "07-when-not-to-fine-tune/enough"
    question = """\
A rule to work by: of all approaches but the fine-tuned one, take **the one with the fewest tokens per request that is \
not clearly worse than the best of all** (the interval of the difference includes zero). Of two with equal tokens, \
take the one that scores higher. Where there is none, take the best. What does the rule choose for each of the four \
`reports`? Answer with a dictionary."""
    hints = (
        "report.table['score'].idxmax() is the best of all; report.table.drop('fine-tuned') holds the others.",
        "The best clearly beats another where report.difference(best, other).low is above zero.",
        "Sort by ['tokens_per_request', 'score'], ascending=[True, False], and take the first that the best does not "
        "clearly beat: next(…, best).",
    )
    solution_code = """\
def first_that_is_enough(report):
    best = report.table["score"].idxmax()
    others = report.table.drop("fine-tuned").sort_values(["tokens_per_request", "score"], ascending=[True, False])
    return next((one for one in others.index if report.difference(best, one).low <= 0), best)

answer = {name: first_that_is_enough(report) for name, report in reports.items()}"""

    def check_answer(self, answer: Any, *given: Any) -> str:
        (reports,) = given
        _require_each(answer, reports, "one approach for each task")
        for name, report in reports.items():
            best = report.table["score"].idxmax()
            _require(
                answer[name] == _first_that_is_enough(report, best),
                f"not that for {name!r}: of those without fine-tuning that {best} does not clearly beat, take the one "
                f"with the fewest tokens; where there is none, {best} itself.",
            )
        trained = sum(one == "fine-tuned" for one in answer.values())
        free = sum(reports[name].table.loc[one, "tokens_per_request"] == 0 for name, one in answer.items())
        return (
            f"by this rule {trained} of the {len(reports)} would be fine-tuned, and {free} would ask no language model."
        )


def _first_that_is_enough(report: Report, best: str) -> str:
    others = report.table.drop("fine-tuned").sort_values(["tokens_per_request", "score"], ascending=[True, False])
    return next((one for one in others.index if report.difference(best, one).low <= 0), best)


class Ties(Exercise):
    key = "08-choose-your-approach/ties"
    question = """\
How many approaches might just as well have come first? **For how many of the approaches in `report` does the interval \
of the difference to the best one include zero?** (The best approach itself does not count.)"""
    hints = (
        "report.table.score.idxmax() is the name of the best approach.",
        "report.difference(best, other).low is the lower end of an interval; it includes zero at zero or less.",
        "sum(… for other in report.table.index.drop(best)) counts the comparisons that are true.",
    )
    solution_code = """\
best = report.table.score.idxmax()
answer = sum(report.difference(best, other).low <= 0 for other in report.table.index.drop(best))"""

    def check_answer(self, answer: Any, *given: Any) -> str:
        (report,) = given
        best = report.table["score"].idxmax()
        expected = sum(report.difference(best, other).low <= 0 for other in report.table.index.drop(best))
        _require(
            answer == expected,
            f"not {answer!r}: {best} scored highest; count the others for which report.difference({best!r}, "
            f"other).low is zero or less.",
        )
        return f"{expected} of {len(report.table) - 1} are not told apart from {best} by these cases."


EXERCISES: dict[str, Exercise] = {
    each.key: each
    for each in (
        OwnQuestions(),
        PriceOfTraining(),
        Focus(),
        Leads(),
        BrokenRule(),
        FewerInventions(),
        Payback(),
        Enough(),
        Ties(),
    )
}


def exercise(key: str) -> Exercise:
    """The exercise `lesson/name`; raises ValueError with the names where there is none."""
    if key not in EXERCISES:
        raise ValueError(f"There is no exercise {key!r}. There are: {', '.join(EXERCISES)}.")
    return EXERCISES[key]
