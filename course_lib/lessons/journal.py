"""One page on what the learner predicted, was advised and decided, from the progress file."""

from ..html import render
from . import progress

KINDS = {"predict": "Predictions", "decide": "The decision guide", "decision": "Decisions", "exercise": "Exercises"}
LESSON = "08-choose-your-approach"


def note_decision(name: str, text: str) -> None:
    """Keep the first line of what a comparison recommended, under the name of its task."""
    progress.append(f"{LESSON}/decision/{name}", answer=text.partition("\n")[0])


class Journal:
    """The last entry of each prediction, answer to the guide, decision and exercise so far; its text is the page.

    `parts` holds for each part of the page, by its title, the rows: (name and day, what was said).
    """

    def __init__(self) -> None:
        self.parts: dict[str, list[tuple[str, str]]] = {title: [] for title in KINDS.values()}
        for key, kept in sorted(progress.entries().items()):
            lesson, kind, name = key.split("/", 2)
            last = kept[-1] if kept else {}
            if kind in KINDS and "answer" in last:
                self.parts[KINDS[kind]].append((f"{lesson[:2]} {name}, {last['time'][:10]}", _said(last)))

    def __repr__(self) -> str:
        lines = []
        for title, rows in self.parts.items():
            lines += [title, *([f"- {name}: {text}" for name, text in rows] or ["- nothing yet"])]
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        return render("journal.html", parts=self.parts)


def _said(entry: dict) -> str:
    """A guess or an answer in words; of an exercise also whether it was right."""
    words = entry["said"].partition(". ")[0] if "said" in entry else str(entry["answer"])
    return words + {True: " (right)", False: " (not yet right)", None: ""}[entry.get("right")]
