"""Pictures, each with a text that says what it shows."""

import base64
import io
from collections.abc import Sequence
from html import escape

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

BLUE, ORANGE, GREY = "#0060a8", "#b34700", "#666666"  # 5:1 or better on white, apart for the colour-blind


class Picture:
    """A matplotlib figure with its description, which a screen reader reads and plain text shows."""

    def __init__(self, figure: Figure, description: str):
        self.figure = figure
        self.description = description

    def png(self) -> bytes:
        """The picture as a PNG file."""
        buffer = io.BytesIO()
        self.figure.savefig(buffer, format="png", dpi=110, bbox_inches="tight", facecolor="white")
        return buffer.getvalue()

    def __repr__(self) -> str:
        return self.description

    def _repr_html_(self) -> str:
        # JupyterLab gives a PNG output no alternative text, so the picture comes as HTML.
        data = base64.b64encode(self.png()).decode()
        return f'<img alt="{escape(self.description)}" src="data:image/png;base64,{data}" style="max-width:100%">'


def scores(table: pd.DataFrame, title: str) -> Picture:
    """Scores with 95 % intervals, a row an approach; `table` as in Report."""
    figure = Figure(figsize=(7, 0.9 + 0.5 * len(table)))
    axes = figure.subplots()
    places = np.arange(len(table))[::-1]
    below, above = table["score"] - table["low"], table["high"] - table["score"]
    axes.errorbar(
        table["score"], places, xerr=[below.clip(lower=0), above.clip(lower=0)], fmt="o", color=BLUE, capsize=4
    )
    for place, score in zip(places, table["score"], strict=True):
        axes.annotate(f"{score:.2f}", (score, place), (0, 7), textcoords="offset points", ha="center")
    axes.set_yticks(places, table.index)
    axes.set_ylim(-0.6, len(table) - 0.3)
    axes.set_xlim(-0.02, 1.02)
    axes.set_xlabel("score (dot) and its 95 % interval (line)")
    axes.set_title(title, loc="left")
    _tidy(axes)
    said = [f"{name} {row.score:.2f} ({row.low:.2f} to {row.high:.2f})" for name, row in table.iterrows()]
    return Picture(figure, f"{title}. Scores with 95 % intervals: {', '.join(said)}.")


def side_by_side(tables: dict[str, pd.DataFrame], title: str) -> Picture:
    """Scores of several tasks, a panel each, with 95 % intervals; tables as in Report."""
    tallest = max(map(len, tables.values()))
    figure = Figure(figsize=(9, 1.2 + 0.75 * tallest), layout="constrained")
    said = []
    for axes, (name, table) in zip(figure.subplots(2, -(-len(tables) // 2)).flat, tables.items(), strict=True):
        places = np.arange(len(table))[::-1]
        for place, (approach, row) in zip(places, table.iterrows(), strict=True):
            tuned = approach == "fine-tuned"
            axes.plot([row.low, row.high], [place, place], color=BLUE if tuned else GREY, linewidth=2)
            axes.plot(row.score, place, "D" if tuned else "o", color=BLUE if tuned else GREY)
        axes.set_yticks(places, table.index, fontsize=9)
        axes.set_ylim(-0.6, len(table) - 0.4)
        axes.set_xlim(-0.02, 1.02)
        axes.set_title(name, loc="left", fontsize=10)
        _tidy(axes)
        said.append(f"{name}: " + ", ".join(f"{one} {row.score:.2f}" for one, row in table.iterrows()))
    figure.suptitle(title, x=0.01, ha="left")
    return Picture(figure, f"{title}. {'. '.join(said)}.")


def guess(table: pd.DataFrame, guessed: float | str | list[str] | None, approach: str | None = None) -> Picture:
    """What was guessed beside what was measured; `table` as in Report.

    A number is the score of `approach`, a name the best approach, a list all of them from best to worst.
    """
    picture = scores(table, "Predicted and measured")
    axes = picture.figure.axes[0]
    places = {name: len(table) - 1 - row for row, name in enumerate(table.index)}
    ranked = list(table["score"].sort_values(ascending=False, kind="stable").index)
    if guessed is None:
        said = "You made no prediction. Commit one next time: a result that surprises nobody teaches nobody."
    elif isinstance(guessed, float):
        row = table.loc[approach]
        place = "inside" if row.low <= guessed <= row.high else "outside"
        said = f"You predicted {guessed:.2f} for {approach}; measured {row.score:.2f}, your guess {place} its interval."
        axes.plot(guessed, places[approach], "D", color=ORANGE, markersize=9, label="your guess", clip_on=False)
        axes.legend(frameon=False, loc="upper right")
    elif isinstance(guessed, str):
        said = f"You predicted {guessed} as the best; {ranked[0]} scored highest."
        axes.annotate("your guess", (1.04, places[guessed]), color=ORANGE, va="center", annotation_clip=False)
    else:
        said = f"You predicted {', then '.join(guessed)}; measured {', then '.join(ranked)}."
        for place, name in enumerate(guessed, start=1):
            axes.annotate(f"your no. {place}", (1.04, places[name]), color=ORANGE, va="center", annotation_clip=False)
    axes.set_title(said, loc="left", wrap=True, fontsize=10)
    return Picture(picture.figure, f"{said} {picture.description}")


def loss_curve(losses: Sequence[float], epochs: int) -> Picture:
    """Training loss by step, with its average over each epoch."""
    figure = Figure(figsize=(7, 3))
    axes = figure.subplots()
    steps = np.arange(1, len(losses) + 1)
    axes.plot(steps, losses, color=GREY, linewidth=0.8, label="each step")
    parts = np.array_split(np.asarray(losses), epochs)
    ends = np.cumsum([len(part) for part in parts])
    means = [part.mean() for part in parts]
    axes.step(
        np.concatenate([[0], ends]), [means[0], *means], where="pre", color=BLUE, linewidth=2, label="mean of an epoch"
    )
    axes.set_xlabel("training step")
    axes.set_ylabel("loss (nats per token)")
    axes.set_ylim(bottom=0)
    axes.legend(frameon=False)
    _tidy(axes)
    said = ", ".join(f"{mean:.2f}" for mean in means)
    return Picture(figure, f"Training loss over {len(losses)} steps. Mean of each epoch: {said} nats per token.")


def weight_changes(changes: pd.DataFrame) -> Picture:
    """Which layers moved and by how much: a row a layer, a column a matrix, darker is further."""
    figure = Figure(figsize=(7, 5.5))
    axes = figure.subplots()
    image = axes.imshow(changes * 100, cmap="Blues", aspect="auto", vmin=0, origin="lower")
    axes.set_xticks(range(len(changes.columns)), changes.columns, rotation=30, ha="right")
    axes.set_yticks(range(0, len(changes), 5))
    axes.set_ylabel("layer (0 reads the input)")
    figure.colorbar(image, label="change, % of the weights' size")
    layers = changes.mean(axis=1) * 100
    moved = layers[layers > 0]
    return Picture(
        figure,
        f"Change of each weight matrix. Layers {moved.index.min()} to {moved.index.max()} moved, by "
        f"{moved.min():.1f} to {moved.max():.1f} % of their size on average; the layers below did not move at all. "
        f"The matrix that moved most is {changes.max().idxmax()}, by up to {changes.max().max() * 100:.1f} %.",
    )


def _tidy(axes) -> None:
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(axis="x" if axes.get_yticklabels() else "both", color="#dddddd", linewidth=0.6)
    axes.set_axisbelow(True)
