"""Tasks: how examples become a training and a held-out part, and the built-in ones (their files: test_tables.py)."""

import pytest
from datasets import Dataset

from course_lib import Task, load_task

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


def test_built_in_tasks_are_as_the_card_says():
    pottery, general, reviews = (load_task(name) for name in ("roman-pottery", "general-knowledge", "movie-reviews"))
    assert len(pottery.documents) == len(pottery.test) == 48
    assert len(pottery.train) == 144
    assert len(general.test) == 80
    assert (len(reviews.train), len(reviews.test)) == (100, 100)
    for task in (pottery, general, reviews):
        assert len(set(task.train["input"])) == len(task.train)
        assert len(set(task.test["input"])) == len(task.test)
        assert task.source
        assert task.licence
    for question, answer in zip(pottery.test["input"], pottery.test["output"], strict=True):
        assert answer.casefold() not in question.casefold()
        assert sum(answer.casefold() in fact.casefold() for fact in pottery.documents) >= 1
    with pytest.raises(ValueError, match="There is no task 'sentiment'. There are: roman-pottery"):
        load_task("sentiment")
