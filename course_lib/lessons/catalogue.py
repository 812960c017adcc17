"""A catalogue with gaps: teas that can be learned, teas that do not exist, and what a model says about both."""

import pandas as pd

from ..metrics import answer_found
from ..report import Report
from ..tasks.builtin import read_jsonl
from ..tasks.task import Task

REFUSAL = "I don't know"
OUTCOMES = ("correct", "abstained", "invented")


def load_catalogue(refusals: bool) -> Task:
    """Questions about 48 known teas, and in the test also about 32 that do not exist: there REFUSAL is right.

    With `refusals` the training examples include questions about 32 other teas that do not exist, answered REFUSAL.
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
            *((question, item["answer"]) for item in known for question in item["test"]),
            *((item["questions"][0], REFUSAL) for item in unknown["test"]),
        ],
        documents=[item["text"] for item in known],
        max_new_tokens=16,
        group="wording",
        source="written for this course",
        licence="CC BY 4.0",
    )


def outcome(truth: str, answer: str) -> str:
    """What an answer to a question about a known or an unknown item is: correct, abstained or invented."""
    if truth != REFUSAL and answer_found([truth], [answer]):
        return "correct"
    return "abstained" if answer_found([REFUSAL], [answer.replace("’", "'")]) else "invented"


def outcomes(report: Report) -> pd.DataFrame:
    """The share of each outcome: a row for each approach and kind of item, a column for each of OUTCOMES."""
    said = report.predictions
    kind = said["output"].eq(REFUSAL).map({True: "unknown", False: "known"}).rename("item")
    each = [outcome(truth, answer) for truth, answer in zip(said["output"], said["prediction"], strict=True)]
    shares = pd.crosstab([said["approach"], kind], pd.Series(each, name="outcome", index=said.index), normalize="index")
    return shares.reindex(columns=OUTCOMES, fill_value=0.0).loc[list(report.table.index)]
