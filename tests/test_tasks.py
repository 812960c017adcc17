"""Tasks: how examples become a training and a held-out part, and the built-in ones (their files: test_tables.py)."""

import re
from collections import Counter

import numpy as np
import pandas as pd
import pytest
from datasets import Dataset
from sklearn.dummy import DummyClassifier

from course_lib import Task, load_task
from course_lib.lessons import style
from course_lib.lessons.catalogue import load_catalogue
from course_lib.tasks.builtin import BUILT_IN, DRAWN, read_jsonl
from course_lib.tasks.wordings import WORDINGS

PAIRS = [("good film", "yes"), ("bad film", "no"), ("fine film", "yes"), ("poor film", "no")]


def write(tmp_path, text):
    path = tmp_path / "mine.csv"
    path.write_text(text, encoding="utf-8")
    return path


def rows(count):
    return "input,output\n" + "".join(f"text number {n},{'yes' if n % 2 else 'no'}\n" for n in range(count))


def test_an_unknown_choice_is_named_with_its_row(tmp_path):
    with pytest.raises(ValueError, match=r"mine.csv, row 3: the output 'yes' is none of the choices \(no, maybe\)"):
        Task.from_table(write(tmp_path, rows(10)), choices=["no", "maybe"])
    with pytest.raises(ValueError, match=r"films, held-out, row 1: the output 'maybe' is none of the choices"):
        Task.from_examples("films", "", PAIRS, [("so so", "maybe")], choices=["yes", "no"])


def test_the_same_input_on_both_sides_is_refused():
    with pytest.raises(
        ValueError, match=r"films: held-out row 2 has the same input as training row 1 \('Good  film'\)"
    ):
        Task.from_examples("films", "", PAIRS, [("new", "yes"), ("Good  film", "no")])


def test_examples_and_datasets_give_the_same_task():
    test = [("great film", "yes")]
    by_pairs = Task.from_examples("films", "Good?", PAIRS, test, choices=["yes", "no"])
    columns = [dict(zip(("input", "output"), pair, strict=True)) for pair in PAIRS]
    by_dataset = Task.from_examples("films", "Good?", Dataset.from_list(columns), test, choices=["yes", "no"])
    assert by_pairs.train.to_list() == by_dataset.train.to_list() == columns
    assert repr(by_pairs) == "films: 4 training and 1 held-out cases, 2 choices"
    with pytest.raises(ValueError, match="training dataset has no column 'output', only input. Rename"):
        Task.from_examples("films", "", Dataset.from_list([{"input": "a"}]), test)
    with pytest.raises(ValueError, match="films, held-out, row 1: the output is empty"):
        Task.from_examples("films", "", PAIRS, [("new", None)])
    with pytest.raises(ValueError, match="films, training rows 1 to 2: every output is 'yes'"):
        Task.from_examples("films", "", PAIRS[::2], test, choices=["yes", "no"])
    with pytest.raises(ValueError, match="films, training: there are no rows"):
        Task.from_examples("films", "", [], test)


def test_the_proposed_split_is_even_seeded_and_without_leaks(tmp_path):
    doubled = rows(40) + "Text  number 3,yes\n"  # the same input but for case and spacing
    path = write(tmp_path, "\ufeff" + doubled)
    task = Task.from_table(path, instruction="Odd?")
    assert task.prompt.choices == ("no", "yes")
    assert task.test["output"].count("no") == 10
    assert Task.from_table(path, instruction="Odd?").test.to_list() == task.test.to_list()
    assert Task.from_table(path, instruction="Odd?", seed=1).test.to_list() != task.test.to_list()
    assert len(task.train) + len(task.test) == 41
    free = Task.from_table(write(tmp_path, "input,output\n" + "".join(f"{n} plus 1,is {n + 1}\n" for n in range(30))))
    assert free.prompt.choices is None


def test_inputs_that_are_cut_to_the_same_words_stay_on_one_side(tmp_path):
    text = "input,output\n" + "".join(f"well now  parcel {n} of {side},{n % 3}\n" for n in range(20) for side in "ab")
    first, last = (Task.from_table(write(tmp_path, text), words=words, most=30) for words in (4, -4))
    assert not set(first.train["input"]) & set(first.test["input"])
    assert {len(text.split()) for text in first.train["input"]} == {4}
    assert all(text.startswith("well now parcel ") for text in first.train["input"])
    assert all(text.startswith("parcel ") and text[-1] in "ab" for text in last.train["input"])
    assert last.source == "30 of 40 rows of mine.csv, drawn at random, the last 4 words of each input"
    assert len(last.train) + len(last.test) == 30
    with pytest.raises(ValueError, match="^mine.csv, the first 2 words of each input: 1 different inputs are too few"):
        Task.from_table(write(tmp_path, text), words=2)


def test_a_choice_in_one_row_alone_gives_a_task_or_names_the_file(tmp_path):
    path = write(tmp_path, "input,output\nodd one,b\n" + "".join(f"text {n},a\n" for n in range(11)))
    said = set()
    for seed in range(20):  # the one row is drawn now for training, now to be held out
        try:
            said.add(repr(Task.from_table(path, seed=seed)))
        except ValueError as error:
            said.add(str(error))
    assert said == {
        "mine: 6 training and 6 held-out cases, 2 choices",
        "mine.csv, rows 2 to 13: the rows drawn for training all have the output 'a'. Add rows with other outputs.",
    }


# Groups: rows that belong together stand on one side


def key(text):
    return " ".join(re.findall(r"\w+", text.casefold()))


def customers(count=40, each=3):
    """Rows of so many customers, `each` of one customer; a quarter of the customers are unhappy."""
    return pd.DataFrame(
        {
            "customer": [f"customer {n}" for n in range(count) for _ in range(each)],
            "text": [f"letter {letter} of customer {n}" for n in range(count) for letter in range(each)],
            "label": ["no" if n % 4 else "yes" for n in range(count) for _ in range(each)],
        }
    )


@pytest.mark.parametrize("seed", range(5))
def test_a_group_stands_on_one_side_and_the_choices_stay_even(tmp_path, seed):
    rows = customers()
    path = tmp_path / "mine.csv"
    rows.to_csv(path, index=False)
    task = Task.from_table(path, group="customer", seed=seed)
    assert task.group == "customer"
    sides = [set(part["group"]) for part in (task.train, task.test)]
    assert not sides[0] & sides[1]
    assert sides[0] | sides[1] == set(rows["customer"])
    assert len(task.train) + len(task.test) == len(rows)
    assert len(task.test) == 60
    assert abs(task.test["output"].count("yes") - 15) <= 3  # one group more or less
    assert Task.from_table(path, group="customer", seed=seed).test.to_list() == task.test.to_list()
    fifth = Task.from_table(path, group="customer", seed=seed, test_size=0.2)
    assert len(fifth.test) == 24
    assert not set(fifth.train["group"]) & set(fifth.test["group"])


def test_groups_of_unlike_size_and_free_text_are_split_whole_too():
    rows = customers().assign(label=[f"answer {n}" for n in range(120)])
    rows.loc[:29, "customer"] = "customer 0"  # a quarter of all rows
    for seed in range(5):
        task = Task.from_table(rows, group="customer", seed=seed)
        assert task.prompt.choices is None
        assert not set(task.train["group"]) & set(task.test["group"])
        assert 45 <= len(task.test) <= 75  # half of the groups, with the large one or without it


def test_the_same_input_in_two_groups_joins_them():
    rows = customers()
    rows.loc[0, "text"], rows.loc[5, "text"] = "Where is it?", " where  is IT? "  # customers 0 and 1
    rows.loc[3, "text"], rows.loc[8, "text"] = "Hello!", "hello!"  # customers 1 and 2
    sides = set()
    for seed in range(10):
        task = Task.from_table(rows, group="customer", seed=seed)
        is_held_out = {name in task.test["group"] for name in ("customer 0", "customer 1", "customer 2")}
        assert len(is_held_out) == 1
        sides |= is_held_out
        assert not set(task.train["group"]) & set(task.test["group"])
    assert sides == {True, False}


def test_a_group_that_cannot_be_used_is_named(tmp_path):
    path = tmp_path / "mine.csv"
    customers().to_csv(path, index=False)
    with pytest.raises(ValueError, match=r"^mine.csv: there is no column 'client', only 'customer', 'text', 'label'"):
        Task.from_table(path, group="client")
    customers(count=4, each=10).to_csv(path, index=False)
    with pytest.raises(ValueError, match=r"^mine.csv: 4 different groups are too few to learn from and to be judged"):
        Task.from_table(path, group="customer")
    rows = customers()
    rows.loc[2, "customer"] = None
    rows.to_csv(path, index=False)
    with pytest.raises(ValueError, match=r"^mine.csv, row 4: the group is empty"):
        Task.from_table(path, group="customer")
    assert "group" not in Task.from_table(rows, input="text", output="label").train.column_names


def test_a_group_in_both_parts_is_refused():
    train = [("good film", "yes", "A"), ("bad film", "no", "B")]
    with pytest.raises(ValueError, match=r"films: the group 'B' has rows in the training and in the held-out part"):
        Task.from_examples("films", "", train, [("fine film", "yes", "B")])
    task = Task.from_examples("films", "", train, [("fine film", "yes", "C")], group="director")
    assert task.train.to_list()[0] == {"input": "good film", "output": "yes", "group": "A"}
    assert task.group == "director"


EVERY = [*DRAWN, *BUILT_IN]
SPLITS = {
    **{f"{name}, seed {seed}": (load_task, (name, None, seed)) for name in DRAWN for seed in range(4)},
    **{name: (load_task, (name,)) for name in BUILT_IN},
    **{f"messages, {name}": (style.messages, (name,)) for name in style.STYLES},
    **{f"catalogue, refusals {refusals}": (load_catalogue, (refusals,)) for refusals in (False, True)},
}


@pytest.mark.parametrize(("load", "given"), SPLITS.values(), ids=SPLITS)
def test_no_input_and_no_group_is_on_both_sides_of_a_split(load, given):
    task = load(*given)
    train, test = task.train.to_pandas(), task.test.to_pandas()
    assert not set(map(key, train["input"])) & set(map(key, test["input"]))
    if "group" in train:
        assert not set(train["group"]) & set(test["group"])
        assert "" not in {*train["group"], *test["group"]}
    if task.group == "clause and question":
        for place in (0, 1):
            parts = [{key(text.split("\n")[place]) for text in rows["input"]} for rows in (train, test)]
            assert not parts[0] & parts[1]
    assert ("group" in train) == (task.group not in ("input", "wording", "find", "clause and question"))


def test_all_questions_of_an_article_are_on_one_side():
    task = load_task("help-topics")
    for article in read_jsonl("help-centre.jsonl"):
        questions = {*article["train"], *article["test"]}
        places = [len(questions & set(part["input"])) for part in (task.train, task.test)]
        assert sorted(places) == [0, len(questions)]


@pytest.mark.parametrize("name", EVERY)
@pytest.mark.parametrize("seed", range(3))
def test_the_development_cases_are_whole_groups_of_the_training_examples(name, seed):
    task = load_task(name)
    tried, held_out = task.development_split(seed=seed)
    assert sorted([*tried, *held_out]) == list(range(len(task.train)))
    rows = task.train.to_pandas()
    for column in {"group", "input"} & set(rows):
        parts = [{" ".join(text.casefold().split()) for text in rows[column].iloc[at]} for at in (tried, held_out)]
        assert not parts[0] & parts[1]
    assert len(held_out) == pytest.approx(0.3 * len(rows), abs=max(1, 0.05 * len(rows)))
    assert all(
        (one == other).all() for one, other in zip(task.development_split(seed=seed), (tried, held_out), strict=True)
    )
    if task.prompt.choices:
        shares = [rows["output"].iloc[places].value_counts(normalize=True) for places in (tried, held_out)]
        assert (shares[0] - shares[1]).abs().max() < 0.15


def test_development_cases_never_share_an_input_with_what_is_tried():
    train = [(text, answer) for n in range(20) for text, answer in ((f"is {n} odd?", "no"), (f"Is {n}  odd?", "yes"))]
    task = Task.from_examples("doubled", "", train, [("is 99 odd?", "yes")], choices=("yes", "no"))
    for seed in range(5):
        parts = [{place // 2 for place in places} for places in task.development_split(seed=seed)]
        assert not parts[0] & parts[1]


# The built-in tasks

SIZES = {
    "question-types": (100, 600),
    "film-sentences": (100, 600),
    "privacy-clauses": (100, 500),
    "roman-pottery": (144, 144),
    "pottery-finds": (128, 128),
    "general-knowledge": (8, 120),
    "news-entities": (122, 56),
    "help-centre": (198, 132),
    "help-topics": (165, 165),
    "databases": (160, 120),
    "town-notices": (48, 111),
    "town-loans": (48, 102),
    "town-facts": (80, 120),
    "town-facts-changed": (80, 120),
}


@pytest.mark.parametrize("name", EVERY)
def test_built_in_tasks_are_as_the_card_says(name):
    task = load_task(name)
    assert SIZES.keys() == set(EVERY)
    assert (len(task.train), len(task.test)) == SIZES[name]
    repeated = 1 if name == "news-entities" else 0  # a sentence stands in two of its articles
    assert len(set(task.train["input"])) >= len(task.train) - repeated
    assert len(set(task.test["input"])) == len(task.test)
    assert task.name == name
    assert task.source not in ("", "your own data")
    assert task.licence not in ("", "yours")
    assert set(task.prompt.choices or task.train["output"]) >= set(task.train["output"])


def test_no_pottery_question_gives_its_answer_away_and_the_facts_hold_them():
    pottery = load_task("roman-pottery")
    assert len(pottery.documents) == 48
    for part in (pottery.train, pottery.test):
        for question, answer in zip(part["input"], part["output"], strict=True):
            assert answer.casefold() not in question.casefold()
            assert sum(answer.casefold() in fact.casefold() for fact in pottery.documents) >= 1


def test_a_find_does_not_name_its_own_kind_and_all_kinds_are_as_frequent():
    finds = load_task("pottery-finds")
    for part in (finds.train, finds.test):
        assert Counter(part["output"]) == dict.fromkeys(finds.prompt.choices, 16)
        for text, kind in zip(part["input"], part["output"], strict=True):
            assert not re.search(rf"\b{kind}", text, re.IGNORECASE), text


def test_a_task_that_does_not_exist_is_refused_with_the_names():
    with pytest.raises(ValueError, match="There is no task 'sentiment'. There are: .*film-sentences, .*roman-pottery"):
        load_task("sentiment")
    for gone in ("movie-reviews", "shop-questions"):
        with pytest.raises(ValueError, match=f"There is no task '{gone}'"):
            load_task(gone)


@pytest.mark.parametrize("name", DRAWN)
def test_another_seed_is_another_draw_and_the_number_of_examples_can_be_set(name):
    task, more, other = load_task(name), load_task(name, train=150), load_task(name, train=50, seed=1)
    assert (len(task.train), len(more.train), len(other.train)) == (100, 150, 50)
    assert len(task.test) == len(more.test) == len(other.test) == SIZES[name][1]
    assert load_task(name, 100, 0).test.to_list() == task.test.to_list() == more.test.to_list()
    assert load_task(name, 50, 1).train.to_list() == other.train.to_list()
    held_out = [set(one.test["input"]) for one in (task, other)]
    assert len(held_out[0] & held_out[1]) < 0.5 * SIZES[name][1]
    assert set(load_task(name, 50, 0).train["input"]) != set(other.train["input"])
    shares = [Counter(one.test["output"]) for one in (task, other)]
    assert all(abs(shares[0][answer] - shares[1][answer]) <= 1 for answer in task.prompt.choices)


@pytest.mark.parametrize("train", [-100, -4, -1, 0, 1, 10**6])
@pytest.mark.parametrize("name", DRAWN)
def test_a_size_that_cannot_be_drawn_is_refused(name, train):
    with pytest.raises(ValueError, match=f"{name}.* training"):
        load_task(name, train=train)


@pytest.mark.parametrize("name", BUILT_IN)
def test_fixed_examples_are_not_drawn(name):
    for given in ({"train": 50}, {"seed": 1}, {"seed": 0}):
        with pytest.raises(ValueError, match=rf"{name}' has fixed examples. Take fewer with .*\.sample\(train=…"):
            load_task(name, **given)


def test_a_sample_is_a_smaller_task_with_even_choices():
    finds = load_task("pottery-finds")
    few = finds.sample(train=32, test=64, seed=3)
    assert (len(few.train), len(few.test)) == (32, 64)
    assert Counter(few.train["output"]) == dict.fromkeys(finds.prompt.choices, 4)
    assert Counter(few.test["output"]) == dict.fromkeys(finds.prompt.choices, 8)
    for part, whole in ((few.train, finds.train), (few.test, finds.test)):
        rows = whole.to_list()
        places = [rows.index(row) for row in part.to_list()]
        assert places == sorted(set(places))  # each once, in the task's order
    assert finds.sample(train=32, test=64, seed=3).test.to_list() == few.test.to_list()
    assert finds.sample(train=32, test=64, seed=4).test.to_list() != few.test.to_list()
    assert (few.name, few.prompt, few.wordings, few.metric) == (finds.name, finds.prompt, finds.wordings, finds.metric)
    assert (len(finds.train), len(finds.test)) == SIZES["pottery-finds"]
    for same in (finds.sample(), finds.sample(train=1000, test=1000)):
        assert same.train.to_list() == finds.train.to_list()
        assert same.test.to_list() == finds.test.to_list()
    topics = load_task("help-topics").sample(train=40)
    assert "group" in topics.train.column_names
    assert len(load_task("roman-pottery").sample(test=10).test) == 10


@pytest.mark.parametrize("name", EVERY)
def test_there_are_five_ways_to_ask_and_the_first_is_the_usual_one(name):
    task = load_task(name)
    asked = [prompt.instruction for prompt in task.prompts]
    assert task.prompts[0] == task.prompt
    assert len({key(text) for text in asked}) == len(asked) >= 5
    assert tuple(asked) == WORDINGS["town-facts" if name == "town-facts-changed" else name]
    for prompt in task.prompts:
        assert (prompt.choices, prompt.max_new_tokens) == (task.prompt.choices, task.prompt.max_new_tokens)
        named = prompt.with_choices_named()
        assert all(choice.casefold() in named.casefold() for choice in task.prompt.choices or ())


# The floor


@pytest.mark.parametrize("name", EVERY)
def test_the_floor_of_each_task_is_what_no_model_is_needed_for(name):
    task = load_task(name)
    floor = task.floor()
    opponents = ["majority class", *(["word counts"] if task.prompt.choices else []), "nearest example"]
    assert list(floor.index) == opponents
    assert floor.between(0, 1).all()
    usual = DummyClassifier(strategy="most_frequent").fit(task.train["input"], task.train["output"])
    assert floor["majority class"] == task.metric(task.test["output"], usual.predict(task.test["input"]))
    lines = task.card().splitlines()
    assert lines[0] == repr(task)
    assert task.source in lines[2]
    assert task.licence in lines[2]
    said = ", ".join(f"{opponent} {floor[opponent]:.2f}" for opponent in opponents)
    assert lines[3] == f"Floor, without a language model: {said}."
    if "group" in task.train.column_names:
        learned, held_out = (len(set(part["group"])) for part in (task.train, task.test))
        learned -= name == "news-entities"  # two of its articles have a sentence in common, so they count as one
        assert lines[1] == f"Split by {task.group}: {learned} to learn from, {held_out} others held out."


def test_where_nothing_new_is_asked_the_nearest_example_knows_and_elsewhere_it_does_not():
    floors = {name: load_task(name).floor() for name in ("town-facts", "databases", "pottery-finds", "help-topics")}
    assert floors["town-facts"]["nearest example"] > 0.8  # known facts in other words
    assert floors["databases"]["nearest example"] < 0.1
    assert floors["pottery-finds"]["nearest example"] < 0.5
    assert floors["help-topics"]["word counts"] < 0.6  # with the questions of an article on both sides it was 0.83


def test_the_floor_of_a_table_of_one_s_own():
    rows = [(f"parcel {n} is {'late' if n % 4 else 'lost'}", "wait" if n % 4 else "search") for n in range(40)]
    task = Task.from_examples("parcels", "", rows[:20], rows[20:], choices=("wait", "search"))
    assert task.floor().to_dict() == {"majority class": 0.75, "word counts": 1.0, "nearest example": 1.0}
    assert (
        "Split by input: 20 to learn from, 20 others held out.\nSource: your own data. Licence: yours." in task.card()
    )
    assert np.isfinite(task.sample(train=4).floor()).all()
