"""A catalogue with gaps: teas that can be learned about, teas that do not exist, and what a model says of both."""

from collections.abc import Sequence

import pandas as pd

from .metrics import answer_found
from .report import Report
from .tasks import Task, read_jsonl

REFUSAL = "I don't know"
OUTCOMES = ("correct", "abstained", "invented")


def catalogue(refusals: bool) -> Task:
    """Questions on 48 known teas, and in the test also on 32 that do not exist, where `I don't know` is right.

    With `refusals` the training holds questions on 32 other teas that do not exist, with that answer.
    """
    items = read_jsonl("catalogue.jsonl")
    known = [item for item in items if item["known"]]
    unknown = {part: [item for item in items if item.get("split") == part] for part in ("train", "test")}
    facts = [(question, item["answer"]) for item in known for question in item["train"]]
    refused = [(question, REFUSAL) for item in unknown["train"] for question in item["questions"]]
    return Task.from_examples(
        "catalogue",
        f"Answer in a few words, or say: {REFUSAL}.",
        train=[*facts, *refused] if refusals else facts,
        test=[
            *((item["test"], item["answer"]) for item in known),
            *((item["questions"][0], REFUSAL) for item in unknown["test"]),
        ],
        documents=[item["text"] for item in known],
        max_new_tokens=16,
        source="written for this course",
        licence="CC BY 4.0",
    )


def outcome(truth: str, answer: str) -> str:
    """Correct, abstained or invented: what an answer is to a question on a known or an unknown item."""
    if truth != REFUSAL and answer_found([truth], [answer]):
        return "correct"
    return "abstained" if answer_found([REFUSAL], [answer.replace("’", "'")]) else "invented"


def outcomes(report: Report) -> pd.DataFrame:
    """The share of each outcome: a row an approach and kind of item, a column an outcome (see OUTCOMES)."""
    said = report.predictions
    kind = said["output"].eq(REFUSAL).map({True: "unknown", False: "known"}).rename("item")
    each = [outcome(truth, answer) for truth, answer in zip(said["output"], said["prediction"], strict=True)]
    shares = pd.crosstab([said["approach"], kind], pd.Series(each, name="outcome", index=said.index), normalize="index")
    return shares.reindex(columns=OUTCOMES, fill_value=0.0).loc[list(report.table.index)]


def with_wrong_labels(labels: Sequence[str], share: float, seed: int) -> list[str]:
    """The labels with `share` of them, drawn by `seed`, replaced by another label that stands in the list."""
    changed = pd.Series(labels)
    wrong = changed.sample(frac=share, random_state=seed).index
    others = sorted(changed.unique())
    shift = pd.Series(range(len(wrong)), index=wrong) % (len(others) - 1) + 1  # each kind of mistake alike often
    changed[wrong] = [others[(others.index(changed[row]) + shift[row]) % len(others)] for row in wrong]
    return changed.tolist()
