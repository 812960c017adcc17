"""What a comparison recommends: by its rules, on predictions of real estimators, under three seeds."""

import re
from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import binomtest, norm
from sklearn.base import BaseEstimator
from sklearn.feature_extraction.text import CountVectorizer, TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.naive_bayes import MultinomialNB
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.tree import DecisionTreeClassifier

import course_lib.decide.duration
from course_lib import Task, ZeroShot, compare
from course_lib.decide.duration import LONG, DurationEstimate, _Speed, _tokens_to_read, estimate_duration
from course_lib.decide.learning_curve import curve_from_predictions, learning_curve_of
from course_lib.decide.rule import candidates, recommend

WORDS = "the parcel came late again and my lamp is broken please send refund invoice help account today thanks"


class Knows(BaseEstimator):
    """Gives the right answer to so large a share of inputs and a wrong one to the rest."""

    def __init__(self, answers: dict, share: float, seed: int = 0, trained_parameters: int | None = None):
        self.answers = answers
        self.share = share
        self.seed = seed
        self.trained_parameters = trained_parameters

    def fit(self, X, y):
        if self.trained_parameters:
            self.trained_parameters_ = self.trained_parameters
        return self

    def predict(self, X):
        known = np.random.default_rng(self.seed).random(len(X)) < self.share
        wrong = {"yes": "no", "no": "yes"}
        return [
            self.answers[text] if right else wrong[self.answers[text]] for text, right in zip(X, known, strict=True)
        ]


class Says(BaseEstimator):
    """Gives the answers it was made with."""

    def __init__(self, answers: list):
        self.answers = answers

    def fit(self, X, y):
        return self

    def predict(self, X):
        return self.answers


def made_up(seed, label, cases=200):
    """Messages of random words, answered by `label` (of message and random generator), split in two halves."""
    rng = np.random.default_rng(seed)
    texts = list(dict.fromkeys(" ".join(rng.choice(WORDS.split(), 9)) for _ in range(cases)))
    pairs = [(text, label(text, rng)) for text in texts]
    return Task.from_examples("made-up", "", pairs[: cases // 2], pairs[cases // 2 :], choices=("no", "yes"))


def by_chance(text, rng):
    return str(rng.choice(["no", "yes"]))


def by_keyword(text, rng):
    return "yes" if "refund" in text.split() else "no"


def classical(task):
    """The approaches that need no language model, and three more of their kind."""
    cheap = {name: one for name, one in candidates(task).items() if name in ("majority class", "word counts")}
    return cheap | {
        "nearest": make_pipeline(TfidfVectorizer(), KNeighborsClassifier(3)),
        "bayes": make_pipeline(CountVectorizer(), MultinomialNB()),
        "tree": make_pipeline(CountVectorizer(), DecisionTreeClassifier(random_state=0)),
    }


def agreement(y_true, y_pred):
    return float(np.mean(np.asarray(y_true) == np.asarray(y_pred)))


def exactly(right: dict[str, list[bool]]):
    """A report on which each approach is right in exactly these cases."""
    cases = len(next(iter(right.values())))
    test = [(f"case {number}", "yes") for number in range(cases)]
    train = [("learn this", "yes"), ("and this", "no")]
    task = Task.from_examples("counted", "", train, test, choices=("no", "yes"), metric=agreement)
    return compare(task, {name: Says(["yes" if one else "no" for one in ones]) for name, ones in right.items()})


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_from_random_answers_nothing_is_learned(seed):
    task = made_up(seed, by_chance)
    recommendation = recommend(compare(task, classical(task), seed=seed))
    assert recommendation.name is None
    assert str(recommendation).startswith("Nothing was learned that these 100 held-out cases can show")
    assert "fine-tuning is not recommended" in recommendation.sentences[0]
    assert "Recommended" not in str(recommendation)


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_where_a_keyword_decides_the_cheapest_is_recommended_although_a_dearer_one_is_as_good(seed):
    task = made_up(seed, by_keyword)
    tree = make_pipeline(CountVectorizer(), DecisionTreeClassifier(random_state=seed))
    truth = dict(zip(task.test["input"], task.test["output"], strict=True))
    dear_first = {"fine-tuned": tree, "few-shot": Knows(truth, 0.5, seed)} | classical(task)
    report = compare(task, dear_first, seed=seed)
    assert report.table.score["fine-tuned"] == 1
    recommendation = recommend(report)
    assert recommendation.name == "word counts"
    assert recommendation.sentences[1].startswith("Word counts scores ")


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_what_only_examples_can_teach_is_a_case_for_fine_tuning(seed):
    task = made_up(seed, by_chance)
    truth = dict(zip(task.test["input"], task.test["output"], strict=True))
    weak = {name: Knows(truth, share, seed + 7) for name, share in (("zero-shot", 0.5), ("few-shot", 0.82))}
    tuned = {"fine-tuned": Knows(truth, 0.98, seed, trained_parameters=814_080)}
    recommendation = recommend(compare(task, classical(task) | weak | tuned, seed=seed))
    assert recommendation.name == recommendation.best == "fine-tuned"
    assert "814,080 trained parameters" in recommendation.sentences[-1]
    assert re.search(
        r"Cheaper, but fine-tuned is clearly better: word counts .*zero-shot .*few-shot \(", str(recommendation)
    )


def test_whoever_compares_more_needs_stronger_evidence():
    same = [True] * 50 + [False] * 50
    good = [False] * 3 + [True] * 59 + [False] * 38  # ahead in 12 cases, behind in 3
    report = exactly({"majority class": same, "zero-shot": good})
    assert 0.2 / 6 < report.difference("zero-shot", "majority class").p_value < 0.05
    assert recommend(report).name == "zero-shot"
    idle = dict.fromkeys(("word counts", "few-shot", "retrieval", "fine-tuned", "another"), same)
    recommendation = recommend(exactly({"majority class": same, "zero-shot": good} | idle))
    assert recommendation.name is None
    assert "With 6 approaches tried, p would have to be below 0.033." in str(recommendation)


def test_an_approach_that_is_worse_for_certain_than_the_majority_class_is_not_learning():
    same = [True] * 60 + [False] * 40
    assert recommend(exactly({"majority class": same, "zero-shot": [False] * 90 + [True] * 10})).name is None


def apart(times):
    """Fine-tuned ahead of zero-shot in 15 cases and behind in 10 of each 100."""
    blocks = {
        "majority class": [False] * 100,
        "zero-shot": [True] * 60 + [True] * 10 + [False] * 15 + [False] * 15,
        "fine-tuned": [True] * 60 + [False] * 10 + [True] * 15 + [False] * 15,
    }
    return exactly({name: right * times for name, right in blocks.items()})


def found(ahead, behind, cases, limit=0.05):
    """How often an approach that is ahead and behind in such shares of cases is clearly better, in many samples."""
    drawn = np.random.default_rng(0).multinomial(cases, [ahead, behind, 1 - ahead - behind], 500)
    return np.mean([wins > losses and binomtest(wins, wins + losses).pvalue < limit for wins, losses, _ in drawn])


def test_what_the_cases_show_and_how_many_it_takes_is_about_right():
    recommendation = recommend(apart(1))
    said = str(recommendation)
    assert (recommendation.name, recommendation.best) == ("zero-shot", "fine-tuned")
    assert "it is not clearly better than zero-shot, which as a rule costs less. Fine-tuned scores 0.05 higher" in said
    assert "these 100 held-out cases do not tell the two apart. With 2 approaches tried, p would have to be" in said
    needed = int(re.search(r"About ([\d,]+) cases would show a gap as large as this one in 80 %", said).group(1))
    assert 0.72 < found(0.15, 0.1, needed) < 0.86
    shown = float(re.search(r"100 held-out cases show a gap of about (0.\d+) or more in at least 80 %", said).group(1))
    assert 0.72 < found(0.125 + shown / 2, 0.125 - shown / 2, 100) < 0.86
    assert recommend(apart(3)).name == "zero-shot"
    assert recommend(apart(5)).name == "fine-tuned"


def test_the_same_holds_where_a_case_is_neither_right_nor_wrong():
    rng = np.random.default_rng(1)
    cheap = rng.random(200) / 2
    scores = {"majority class": cheap / 2, "word counts": cheap, "fine-tuned": cheap + rng.normal(0.02, 0.15, 200)}
    test = [(f"case {number}", "yes") for number in range(200)]
    task = Task.from_examples("graded", "", [("a", "yes"), ("b", "no")], test, metric=graded)
    recommendation = recommend(compare(task, {name: Says([str(one) for one in ones]) for name, ones in scores.items()}))
    assert (recommendation.name, recommendation.best) == ("word counts", "fine-tuned")
    gains = scores["fine-tuned"] - cheap
    needed = re.search(r"About ([\d,]+) cases would show a gap as large", str(recommendation)).group(1)
    z = norm.isf(0.025) + norm.ppf(0.8)
    assert int(needed.replace(",", "")) == pytest.approx((z / gains.mean()) ** 2 * np.mean(gains**2), rel=0.1)


def graded(y_true, y_pred):
    return float(np.mean([float(answer) for answer in y_pred]))


def blocks(**right):
    """A report from strings: 1 where an approach is right, 0 where it is wrong, each ten times."""
    names = {"majority": "majority class", "counts": "word counts", "few": "few-shot", "tuned": "fine-tuned"}
    return exactly({names[name]: [one == "1" for one in ones for _ in range(10)] for name, ones in right.items()})


def test_an_approach_that_just_misses_is_not_passed_over_for_a_dearer_one_that_is_no_better():
    just_missed = [False] * 7 + [True] * 66 + [False] * 27  # ahead in 16 cases, behind in 7
    just_made = [False] * 6 + [True] * 68 + [False] * 26  # ahead in 17 cases, behind in 6
    same = [True] * 57 + [False] * 43
    recommendation = recommend(exactly({"majority class": same, "word counts": just_missed, "fine-tuned": just_made}))
    assert recommendation.name is None
    assert recommendation.sentences[0].startswith("Something was learned, but these 100 held-out cases do not show")
    assert "not than every approach that costs less: fine-tuned (0.68)." in recommendation.sentences[1]
    assert "it is not clearly better than word counts, which as a rule costs less" in str(recommendation)
    assert "in 2 of 100 held-out cases: too few to tell." in str(recommendation)


def test_each_reason_stands_beside_the_approaches_it_holds_for():
    recommendation = recommend(blocks(majority="1100000000", counts="1111100000", few="1111011000", tuned="1111111000"))
    assert (recommendation.name, recommendation.best) == ("fine-tuned", "fine-tuned")
    assert "Cheaper, but fine-tuned is clearly better: word counts (0.50), few-shot (0.60)." in str(recommendation)
    mixed = {"majority": "1100000000", "counts": "1111100000", "few": "0000111111", "tuned": "1111111000"}
    recommendation = recommend(blocks(**mixed))
    assert (recommendation.name, recommendation.best) == ("word counts", "fine-tuned")
    assert "Dearer, and not clearly better than word counts: few-shot (0.60)." in str(recommendation)
    assert "better than word counts, but not than every approach that costs less: fine-tuned (0.70)." in str(
        recommendation
    )
    assert "fine-tuned scored highest, but it is not clearly better than few-shot" in str(recommendation).casefold()


def test_a_report_without_the_baseline_is_refused_with_the_remedy():
    with pytest.raises(ValueError, match=r"needs 'majority class' .* compare\(task, candidates\(task\)\)"):
        recommend(exactly({"zero-shot": [True, False], "fine-tuned": [True, True]}))


def test_which_approaches_apply_depends_on_the_task(pottery):
    choice = made_up(0, by_keyword)
    assert list(candidates(choice)) == ["majority class", "word counts", "zero-shot", "few-shot", "fine-tuned"]
    assert candidates(choice)["few-shot"].calibrate
    free = candidates(pottery)
    assert list(free) == ["majority class", "zero-shot", "few-shot", "retrieval", "fine-tuned"]
    assert not free["few-shot"].calibrate
    report = compare(pottery, {"majority class": free["majority class"]})
    assert report.predictions["prediction"].nunique() == 1


def test_word_counts_read_signs_and_single_letters_too():
    pairs = [
        (sign * count, kind) for sign, kind in (("!", "loud"), ("?", "asking"), ("7", "odd")) for count in range(1, 9)
    ]
    task = Task.from_examples("signs", "", pairs[::2], pairs[1::2], choices=("asking", "loud", "odd"))
    report = compare(task, {"word counts": candidates(task)["word counts"]})
    right = report.predictions.set_index("input")["score"]
    assert len(right) == 12
    assert (right[[text for text in right.index if text[0] in "!?"]] == 1).all()


def test_the_learning_curve_compares_half_of_the_examples_drawn_evenly_with_all():
    learned = []

    class Notes(LogisticRegression):
        def fit(self, X, y):
            learned.append((list(X.toarray().ravel()), list(y)))
            return super().fit(X, y)

    task = made_up(1, by_keyword)
    report = compare(
        task, {"zero-shot": Says(["no"] * 100), "fine-tuned": make_pipeline(TfidfVectorizer(), Notes())}, seed=1
    )
    curve = learning_curve_of(report)
    assert list(curve.table.index) == [0, 50, 100]
    assert curve.table.score[0] == report.table.score["zero-shot"]
    assert curve.table.score[100] == report.table.score["fine-tuned"]
    half, all_of_them = learned[1][1], learned[0][1]
    assert len(half) == 50
    assert abs(half.count("yes") - all_of_them.count("yes") / 2) <= 1
    assert curve.gain.mean == pytest.approx(curve.table.score[100] - curve.table.score[50])
    assert "fine-tuned on 50 examples" in repr(curve)
    learning_curve_of(replace(report, seed=2))
    assert learned[2] != learned[1]
    assert curve.plot().png().startswith(b"\x89PNG")
    with pytest.raises(ValueError, match="no approach 'fine-tuned'"):
        learning_curve_of(compare(task, {"zero-shot": Says(["no"] * 100)}))


@pytest.mark.parametrize(
    ("half", "every", "said"),
    [
        (50, 80, "the interval excludes zero. Another doubling will probably help too, but expect less of it"),
        (70, 72, "do not tell the two apart. So they do not show that more examples would help"),
        (80, 50, "More of the same did not help"),
    ],
)
def test_the_learning_curve_says_what_its_interval_allows(half, every, said):
    task = exactly({"a": [True] * 100}).task
    answers = {50: ["yes"] * half + ["no"] * (100 - half), 100: ["yes"] * every + ["no"] * (100 - every)}
    assert said in curve_from_predictions(task, answers).sentence


def test_costs_are_tokens_and_seconds_and_money_only_where_there_are_prices():
    report = exactly({"majority class": [True] * 10, "zero-shot": [False] * 10})
    report.table.loc["zero-shot", ["tokens_per_request", "ms_per_request"]] = [120, 50]
    costs = report.cost_per_1000()
    assert dict(costs.loc["zero-shot"]) == {"tokens": 120_000, "seconds": 50}
    for wrong in ((1.0, None), (None, 1.0)):
        with pytest.raises(ValueError, match="Give both prices"):
            report.cost_per_1000(*wrong)
    with pytest.raises(ValueError, match="0 or more"):
        report.cost_per_1000(-1, 2)


def test_the_price_counts_what_is_read_and_what_is_written(model, pottery):
    task = Task.from_examples("three", "Answer.", list(_pairs(pottery.train))[:3], list(_pairs(pottery.test))[:3])
    report = compare(task, candidates(task) | {"fine-tuned": Says(["x"] * 3)}, model)
    free, read, both = (report.cost_per_1000(*prices) for prices in ((0, 0), (1, 0), (1, 1)))
    assert (free["price"] == 0).all()
    assert both.price["zero-shot"] == pytest.approx(both.tokens["zero-shot"] / 1e6)
    assert 0 < read.price["zero-shot"] < both.price["zero-shot"]
    assert both.price["majority class"] == 0


def _pairs(data):
    return zip(data["input"], data["output"], strict=True)


def test_failures_are_what_was_wrong_at_most_five():
    report = exactly({"zero-shot": [True] * 3 + [False] * 7, "fine-tuned": [True] * 10})
    wrong = report.failures("zero-shot")
    assert list(wrong.index) == [4, 5, 6, 7, 8]
    assert list(wrong.iloc[0]) == ["case 3", "yes", "no"]
    assert report.failures("fine-tuned").empty


def test_the_estimate_says_how_long_before_anything_runs(model, monkeypatch):
    short, long = ({"train": [], "test": []} for _ in range(2))
    for number in range(24):
        part = "train" if number % 2 else "test"
        answer = "yes" if number % 4 < 2 else "no"
        short[part].append((f"parcel {number} is late", answer))
        long[part].append((f"parcel {number} is late. " + "It was to come on Monday. " * 100, answer))
    tasks = [Task.from_examples("parcels", "Is it late?", **parts, choices=("no", "yes")) for parts in (short, long)]
    quick = estimate_duration(tasks[0], model)
    assert set(quick.parts) == {"zero-shot", "few-shot", "fine-tuned", "half of the examples"}
    assert re.fullmatch(r"This will take about \d+ (seconds|minutes) on this computer, give or take half\.", str(quick))
    speed = _Speed(read=0.01, write=0.0)  # seconds per token
    monkeypatch.setattr(course_lib.decide.duration, "_measure_speed", lambda *_, **__: speed)
    quick, slow = (estimate_duration(task, model) for task in tasks)
    assert slow.seconds > 5 * quick.seconds
    asked = ZeroShot(prompt=tasks[0].prompt, model=model).encode_prompts(tasks[0].test["input"])
    assert quick.parts["zero-shot"] == pytest.approx(0.01 * _tokens_to_read(asked))
    assert "To shorten it, take fewer rows" in str(DurationEstimate({"few-shot": LONG + 1.0}, cases=10, tokens=50))


def test_an_input_longer_than_the_model_reads_is_named_before_anything_runs(model):
    train = [(f"note {number} " + "and so on " * 250, "yes" if number % 2 else "no") for number in range(10)]
    test = [("short", "yes"), ("also short", "no"), ("The whole book. " + "word " * 4000, "no")]
    task = Task.from_examples("books", "Is it good?", train, test, choices=("no", "yes"))
    with pytest.raises(
        ValueError, match=r"held-out case 3 \('The whole book. word .*the model reads 8,192 at most"
    ) as said:
        estimate_duration(task, model)  # it would fit alone, but not after eight examples
    assert "Shorten such inputs or remove their rows" in str(said.value)
    train[4] = ("A long one. " + "word " * 9000, "no")
    task = Task.from_examples("books", "Is it good?", train, test[:2], choices=("no", "yes"))
    with pytest.raises(ValueError, match=r"training case 5 \('A long one"):
        estimate_duration(task, model)


def test_a_recommendation_is_shown_as_text():
    report = exactly({"majority class": [True, False] * 20, "<b>bold</b>": [True] * 40})
    recommendation = recommend(report)
    assert recommendation.name == "<b>bold</b>"
    assert "<b>" not in recommendation._repr_html_()
