"""What lessons 02 to 07 stand on: their data do not leak, their rulers measure what they say, the source is covered."""

import ast
import json
import re
import shutil
import subprocess
import sys
from collections import Counter
from itertools import chain
from math import inf
from pathlib import Path

import nbformat
import pandas as pd
import pytest
import torch
from sklearn.dummy import DummyClassifier

from course_lib import FewShot, Task, ZeroShot, compare, load_task, prices
from course_lib.comparison import measure_single_requests
from course_lib.intervals import accuracy_table, mean_interval, t_interval
from course_lib.lessons import domains, style
from course_lib.lessons.catalogue import OUTCOMES, REFUSAL, load_catalogue, outcome, outcomes
from course_lib.lessons.claims import CLAIMS, Claims
from course_lib.lessons.label_noise import with_wrong_labels
from course_lib.lessons.places import notebooks_folder
from course_lib.lessons.quiz_check import lesson_headings
from course_lib.lessons.results import KEY, read_results, record
from course_lib.llm.fast.layers import share_weights
from course_lib.llm.inference import text_bits
from course_lib.tasks.builtin import BUILT_IN, DATA, DRAWN, packaged, read_jsonl

TABLE = pd.read_csv(CLAIMS, keep_default_na=False)
RESULTS = {lesson: set("; ".join(rows["result"]).split("; ")) for lesson, rows in TABLE.groupby("lesson")}


def key(text):
    return " ".join(re.findall(r"\w+", text.casefold()))


def test_every_statement_of_the_source_has_a_heading_that_teaches_it():
    assert (TABLE.drop(columns="literature") != "").all(axis=None)
    for row in TABLE.itertuples():
        assert row.heading in lesson_headings(row.lesson), row
    assert {lesson[:2] for lesson in RESULTS} == {"01", "02", "03", "04", "05", "06", "07"}


def recorded_names(source):
    """A pattern for each name that a cell gives to `record`: what an f-string fills in may be anything."""
    calls = [node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Call)]
    for name in (call.args[0] for call in calls if getattr(call.func, "id", "") == "record"):
        parts = name.values if isinstance(name, ast.JoinedStr) else [name]
        yield "".join(re.escape(part.value) if isinstance(part, ast.Constant) else ".+" for part in parts)


@pytest.mark.parametrize("lesson", RESULTS)
def test_each_result_of_the_table_is_recorded_by_one_cell_and_no_other_result_is(lesson):
    cells = nbformat.read(notebooks_folder() / f"{lesson}.ipynb", as_version=4).cells
    recorded = [list(recorded_names(cell.source)) for cell in cells if cell.cell_type == "code"]
    for name in RESULTS[lesson]:
        assert sum(any(re.fullmatch(pattern, name) for pattern in patterns) for patterns in recorded) == 1, name
    for pattern in chain.from_iterable(recorded):
        assert any(re.fullmatch(pattern, name) for name in RESULTS[lesson]), pattern


@pytest.mark.parametrize("lesson", RESULTS)
def test_the_saved_lesson_holds_each_result_with_its_figures(lesson):
    results = read_results(notebooks_folder() / f"{lesson}.ipynb")
    assert results.keys() == RESULTS[lesson]
    assert all(re.search(r"\d", text) for text in results.values())


def test_what_was_measured_is_read_from_the_notebooks(tmp_path):
    found = Claims()
    assert all(re.search(r"\d", line) for line in "\n".join(found.table["measured"]).splitlines())
    assert "not measured here" not in repr(found)
    assert "fine-tuned scores" in repr(found)
    found.table["statement"] = "<b>bold</b>"
    assert "<b>" not in found._repr_html_()
    shutil.copytree(notebooks_folder(), tmp_path / "notebooks", ignore=shutil.ignore_patterns("my-decision", ".*"))
    path = tmp_path / "notebooks" / "03-task-performance.ipynb"
    text = path.read_text(encoding="utf-8")
    changed = re.sub(
        r"fine-tuned scores 0\.\d\d higher than zero-shot", "fine-tuned scores 0.99 higher than zero-shot", text
    )
    path.write_text(changed, encoding="utf-8")
    assert "0.99 higher" in repr(Claims(tmp_path / "notebooks"))


def save_lessons(folder, text):
    """A notebook for each lesson in which every result of the table was recorded, with the text for its name."""
    for lesson, names in RESULTS.items():
        outputs = [
            nbformat.v4.new_output(
                "display_data", {"text/plain": "shown"}, metadata={KEY: {"name": n, "text": text(n)}}
            )
            for n in sorted(names)
        ]
        cells = [nbformat.v4.new_markdown_cell("# Other words"), nbformat.v4.new_code_cell("...", outputs=outputs)]
        nbformat.write(nbformat.v4.new_notebook(cells=cells), folder / f"{lesson}.ipynb")


def test_a_reworded_sentence_does_not_break_the_table(tmp_path):
    for words in ("fine-tuned scores 0.60 higher", "The tuned model is ahead by 0.60 <b>"):
        save_lessons(tmp_path, lambda name, words=words: f"{name}: {words}")
        found = Claims(tmp_path)
        for row in found.table.itertuples():
            assert row.measured.splitlines() == [f"{name}: {words}" for name in row.result.split("; ")]
    assert "<b>" not in found._repr_html_()


@pytest.mark.parametrize("change", [lambda path: path.write_text(path.read_text().replace(KEY, "other")), Path.unlink])
def test_a_result_that_was_not_recorded_is_named_with_its_remedy(tmp_path, change):
    save_lessons(tmp_path, str)
    change(tmp_path / "03-task-performance.ipynb")
    found = Claims(tmp_path)
    missing = "not measured here: run all cells of 03-task-performance.ipynb and save it"
    is_missing = found.table["lesson"] == "03-task-performance"
    assert (found.table.loc[is_missing, "measured"] == missing).all()
    assert not found.table.loc[~is_missing, "measured"].str.contains("not measured").any()
    assert missing in repr(found)


def test_a_recorded_result_is_shown_and_read_back_by_its_name(tmp_path, capsys):
    sources = [
        "from course_lib.lessons.results import record",
        "for name in ('one', 'two'):\n    record(f'a-{name}', f'It is {name}: 1.')",
        "import pandas as pd\nrecord('table', pd.DataFrame({'score': [0.5]}), 'Half of them.')\nrecord('number', 0.25)",
    ]
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source) for source in sources])
    path = tmp_path / "lesson.ipynb"
    nbformat.write(notebook, path)
    # In a process of its own: one that executes here would leave its sockets to whichever test comes next.
    command = [sys.executable, "-m", "nbconvert", "--execute", "--inplace", "--to", "notebook", path]
    subprocess.run(command, check=True, capture_output=True)
    notebook = nbformat.read(path, as_version=4)
    assert read_results(path) == {
        "a-one": "It is one: 1.",
        "a-two": "It is two: 1.",
        "table": "Half of them.",
        "number": "0.25",
    }
    shown = [output.data for cell in notebook.cells for output in cell.outputs]
    assert [data["text/plain"] for data in shown[:2]] == ["It is one: 1.", "It is two: 1."]
    assert "<table" in shown[2]["text/html"]
    notebook.cells.append(nbformat.v4.new_code_cell(sources[1], outputs=notebook.cells[1].outputs))
    nbformat.write(notebook, path)
    with pytest.raises(ValueError, match="lesson.ipynb records the result 'a-one' twice. Give each result a name"):
        read_results(path)
    record("outside", 0.5, "Half.")
    assert capsys.readouterr().out == "Half.\n"


@pytest.mark.parametrize("name", [*DRAWN, *BUILT_IN])
def test_training_and_held_out_cases_share_no_input(name):
    task = load_task(name)
    train, test = set(map(key, task.train["input"])), list(map(key, task.test["input"]))
    assert not train & set(test)
    assert len(set(test)) == len(test)


def test_privacy_clauses_share_neither_clause_nor_question():
    task = load_task("privacy-clauses")
    for place in (0, 1):
        train, test = ({text.split("\n")[place] for text in part["input"]} for part in (task.train, task.test))
        assert not train & test
    assert Counter(task.test["output"]) == {"yes": 250, "no": 250}
    assert Counter(task.train["output"]) == {"yes": 50, "no": 50}


def test_news_are_split_by_article():
    task = load_task("news-entities")
    assert len(task.train) > 100
    assert len(task.test) > 40
    articles = packaged("conll").read_text(encoding="utf-8").split("-DOCSTART-")[1:]
    said = [
        {" ".join(line.split()[0] for line in block.splitlines()) for block in article.split("\n\n")[1:]}
        for article in articles
    ]
    held_out = [sentences for sentences in said if sentences & set(task.test["input"])]
    others = set().union(*(sentences for sentences in said if sentences not in held_out))
    assert len(held_out) == 5
    assert set(task.train["input"]) <= others
    assert not set(task.test["input"]) & others


@pytest.mark.parametrize("field", [*domains.FIELDS, "everyday"])
def test_pieces_of_text_are_as_described(field):
    train, test = domains.field_texts(field)
    assert (len(train), len(test)) == (96, 32)
    assert not set(map(key, train)) & set(map(key, test))
    assert all(len(piece.split()) == domains.WORDS for piece in (*train, *test))
    with pytest.raises(ValueError, match="There is no field 'law'. There are: legal, medical, finance, everyday"):
        domains.field_texts("law")


def test_jargon_has_four_different_endings_and_no_answer_in_its_text():
    items = read_jsonl("jargon.jsonl")
    assert Counter(item["domain"] for item in items) == dict.fromkeys(domains.FIELDS, 40)
    assert len({key(item["text"]) for item in items}) == 120
    for item in items:
        assert len({ending.casefold() for ending in [item["answer"], *item["others"]]}) == 4
        assert key(item["answer"]) not in key(item["text"])


def test_a_reader_gains_in_what_it_has_read(model):
    train, _ = domains.field_texts("legal")
    reader = domains.continue_pretraining(model, train[:16])
    before, after = text_bits([model, reader], train[:8])
    assert before.sum() > after.sum()
    assert 0.5 < before.sum() / sum(len(text.encode()) for text in train[:8]) < 3  # bits per byte


def test_what_a_reader_gains_in_a_field_is_its_bits_less_than_the_base_model_s(model, monkeypatch):
    monkeypatch.setattr(
        domains, "field_texts", lambda field: ((), (f"A text on {field}.", "Parties agree as follows."))
    )
    network = share_weights(model.network)
    layer = network.get_decoder().layers[-1]
    layer.mlp = torch.nn.Identity()
    table = domains.bits_per_byte({"base": model, "other": model.with_network(network)}).set_index(["field", "model"])
    assert len(table) == 2 * 4
    base, other = (table.xs(name, level="model") for name in ("base", "other"))
    assert (base["gain"] == 0).all()
    pd.testing.assert_series_equal(other["gain"], base["bits_per_byte"] - other["bits_per_byte"], check_names=False)
    assert (other["gain"].abs() > 0.1).all()


def test_the_right_one_of_four_endings_is_mostly_the_likeliest(model):
    right = domains.cloze(model, "legal")
    assert len(right) == 40
    assert sum(right) > 25  # by chance 10


def test_the_voice_guide_is_kept_by_its_own_messages_and_by_no_other():
    for name in style.STYLES:
        task = style.messages(name)
        assert (len(task.train), len(task.test)) == (48, 104)
        kept = [style.rules_kept(text).all() for text in [*task.train["output"], *task.test["output"]]]
        assert all(kept) if name == "brand" else not any(kept)
        for part in (task.train, task.test):
            assert style.facts_kept(part["input"], part["output"]) == [1.0] * len(part)
    assert style.facts_kept(task.test["input"], ["nothing"] * 104) == [0.0] * 104
    truth = list(task.test["output"])
    assert style.ready_to_send(truth, truth) == 1
    assert style.ready_to_send(truth, truth[:1] * 104) == 1 / 104  # the rules are kept, the facts are another note's
    assert style.ready_to_send(truth, [text.replace(".", "!") for text in truth]) == 0
    first = task.test.to_list()[0]
    facts = next(row["facts"] for row in read_jsonl("messages.jsonl") if row["note"] == first["input"])
    assert style.facts_kept([first["input"]], [facts[0].upper()]) == [1 / len(facts)]
    with pytest.raises(KeyError):
        style.facts_kept(["no note of ours"], ["text"])
    with pytest.raises(ValueError, match="There is no style 'rude'"):
        style.messages("rude")


@pytest.mark.parametrize(
    ("text", "broken"),
    [
        ("Dear friend. We are open. Come in. Warmly, Kettle & Kind.", 0),
        ("Hello, tea friend. We are open. Come in. Bye.", 1),
        ("Hello, tea friend. We are open. Warmly, Kettle & Kind.", 2),
        (f"Hello, tea friend. {'We are ' * 7}open. Come in. Warmly, Kettle & Kind.", 3),
        ("Hello, tea friend. We are open! Come in. Warmly, Kettle & Kind.", 4),
        ("Hello, tea friend. We're open. Come in. Warmly, Kettle & Kind.", 5),
    ],
)
def test_each_rule_of_the_voice_can_be_broken_alone(text, broken):
    assert [number for number, kept in enumerate(style.rules_kept(text)) if not kept] == [broken]


def test_a_guide_in_the_prompt_spells_out_every_rule():
    assert all(rule in style.messages("brand", guide=True).prompt.instruction for rule in style.VOICE)
    assert style.GREETING not in style.messages("brand").prompt.instruction


def test_outcomes_of_answers():
    assert outcome("mint", "It tastes of mint.") == "correct"
    assert outcome("mint", "I don’t know.") == outcome(REFUSAL, "Sorry, I don't know!") == "abstained"
    assert outcome("mint", "rose") == outcome(REFUSAL, "mint") == "invented"
    facts, both = load_catalogue(refusals=False), load_catalogue(refusals=True)
    assert REFUSAL not in facts.train["output"]
    assert Counter(both.train["output"])[REFUSAL] == 64
    assert facts.test.to_list() == both.test.to_list()
    items = read_jsonl("catalogue.jsonl")
    names = [item["item"] for item in items]
    assert len(set(names)) == len(names)
    learned = " ".join(both.train["input"]) + " ".join(both.documents)
    assert not any(item["item"] in learned for item in items if item.get("split") == "test")


def test_outcomes_are_shares_of_known_and_unknown_items():
    known, unknown = [("capital of France?", "Paris"), ("of Italy?", "Rome")], [("of Xu?", REFUSAL)]
    task = Task.from_examples("few", "Answer.", [("a?", "Paris"), ("b?", REFUSAL)], [*known, *unknown])
    always = {name: DummyClassifier(strategy="constant", constant=name) for name in ("Paris", REFUSAL)}
    shares = outcomes(compare(task, always))
    assert list(shares.columns) == list(OUTCOMES)
    assert shares.T.to_dict("list") == {
        ("Paris", "known"): [0.5, 0, 0.5],
        ("Paris", "unknown"): [0, 0, 1],
        (REFUSAL, "known"): [0, 1, 0],
        (REFUSAL, "unknown"): [0, 1, 0],
    }


def test_wrong_labels_are_as_many_as_asked_for():
    labels = load_task("help-topics").train["output"]
    for share in (0.0, 0.1, 0.3):
        spoiled = with_wrong_labels(labels, share, seed=1)
        assert sum(a != b for a, b in zip(labels, spoiled, strict=True)) == round(share * len(labels))
        assert spoiled == with_wrong_labels(labels, share, seed=1)
    assert with_wrong_labels(labels, 0.3, seed=2) != spoiled


def test_the_arithmetic_of_costs():
    assert prices.price_per_request(500_000, 100_000, 2, 10) == 2
    assert prices.requests_to_break_even(100, before=0.03, after=0.01) == pytest.approx(5000)
    assert prices.requests_to_break_even(100, before=0.01, after=0.01) == inf
    assert prices.days_to_break_even(100, 0.03, 0.01, per_day=50) == pytest.approx(100)
    assert prices.days_to_break_even(100, 0.03, 0.01, per_day=50, extra_per_day=0.5) == pytest.approx(200)
    assert prices.days_to_break_even(100, 0.03, 0.01, per_day=50, extra_per_day=1) == inf


def test_notices_are_even_over_their_topics():
    task = load_task("town-notices")
    assert Counter(task.train["output"]) == dict.fromkeys(task.prompt.choices, 16)
    assert Counter(task.test["output"]) == dict.fromkeys(task.prompt.choices, 37)


def test_loans_can_be_read_off_their_notes_and_held_out_ones_are_others():
    task = load_task("town-loans")
    assert (len(task.train), len(task.test)) == (48, 102)
    seen = {}
    for part, rows in (("train", task.train), ("test", task.test)):
        entries = [entry.split(" | ") for entry in rows["output"]]
        for note, entry in zip(rows["input"], entries, strict=True):
            assert len(entry) == 3
            assert all(f" {key(value)} " in f" {key(note)} " for value in entry), note
        seen[part] = {key(value) for thing, borrower, _ in entries for value in (thing, borrower)}
        assert len(seen[part]) == 2 * len(rows)  # no thing and no borrower twice
    assert not seen["train"] & seen["test"]
    assert task.metric(["tent | Anna | Sunday"], ["tent | Anna | Sunday."]) == 0


def test_every_town_fact_changes_and_stands_in_one_document_alone():
    before, after = load_task("town-facts"), load_task("town-facts-changed")
    assert (len(before.train), len(before.test)) == (80, 120)
    assert before.test["input"] == after.test["input"]
    for task, other in ((before, after), (after, before)):
        documents = [f" {key(text)} " for text in task.documents]
        questions = " ".join(map(key, [*task.train["input"], *task.test["input"]]))
        assert len(documents) == 40
        for place, (now, then) in enumerate(zip(task.test["output"], other.test["output"], strict=True)):
            assert [f" {key(now)} " in text for text in documents] == [row == place // 3 for row in range(40)], now
            assert not any(f" {key(then)} " in text for text in documents), then
            assert f" {key(now)} " not in f" {questions} "


def test_what_a_request_costs_is_measured(pottery):
    few = FewShot(4, prompt=pottery.prompt).fit(pottery.train["input"], pottery.train["output"])
    questions = pottery.test["input"][:3]
    zero, four = (measure_single_requests(way, questions) for way in (ZeroShot(prompt=pottery.prompt), few))
    assert four["read"] > zero["read"] == sorted(map(len, ZeroShot(prompt=pottery.prompt).encode_prompts(questions)))[1]
    assert min(zero["ms"], zero["written"]) > 0


def test_intervals_of_rates_means_and_runs():
    table = accuracy_table({"all": [True] * 10, "half": [True, False] * 5})
    assert table.loc["half"].tolist() == pytest.approx([0.5, 0.2366, 0.7634], abs=1e-4)
    assert table.loc["all", "low"] == pytest.approx(0.7225, abs=1e-4)
    low, high = mean_interval([0.0, 1.0] * 50)
    assert low < 0.45 < 0.55 < high
    low, high = t_interval([0.6, 0.7, 0.8])
    assert (low, high) == pytest.approx((0.7 - 0.2484, 0.7 + 0.2484), abs=1e-3)


def test_the_card_names_every_data_file():
    card = (DATA / "README.md").read_text(encoding="utf-8")
    folders = chain(DATA.iterdir(), CLAIMS.parent.iterdir())
    files = [path.name for path in folders if path.suffix in (".jsonl", ".csv", ".sql")]
    assert [name for name in files if f"`{name}`" not in card] == []
    for name in files:
        if name.endswith(".jsonl"):
            rows = [json.dumps(row, sort_keys=True) for row in read_jsonl(name)]
            assert len(set(rows)) == len(rows)
