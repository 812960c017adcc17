"""What is recommended, live: where nothing can be learned, where a keyword decides, where only examples can teach.

`make seeds` runs it. tests/test_decide.py holds the same rule to the same three cases over seeds, without a model.
"""

import numpy as np

from course_lib import FineTuned, Task, compare, load_task
from course_lib.decide.rule import candidates, recommend


def recommended(task):
    report = compare(task, candidates(task))
    recommendation = recommend(report)
    print(report, recommendation, sep="\n")
    return recommendation.name


def relabelled(label):
    """A hundred training and two hundred held-out film sentences with other labels, `label` of a text."""
    films = load_task("film-sentences").sample(test=200)
    train, test = ([(text, label(text)) for text in part["input"]] for part in (films.train, films.test))
    return Task.from_examples("relabelled", "Which label fits, a or b?", train, test, choices=("a", "b"))


def test_random_labels_teach_nothing():
    dice = np.random.default_rng(0)
    assert recommended(relabelled(lambda text: str(dice.choice(["a", "b"])))) is None


def test_a_keyword_needs_no_language_model():
    # "and" stands in 161 of the 300 sentences, nearest to half of them with "a": the majority class is no use here.
    assert recommended(relabelled(lambda text: "a" if "and" in text.casefold().split() else "b")) == "word counts"


def test_a_hundred_sentences_are_enough_to_beat_a_coin():
    report = compare(load_task("film-sentences"), [FineTuned()])
    print(report)
    assert report.table.low["fine-tuned"] > 0.5


def test_what_only_examples_can_teach_is_fine_tuned():
    """A form that no other approach keeps as well: entries of loans, in which every mark counts."""
    assert recommended(load_task("news-entities")) == "fine-tuned"
