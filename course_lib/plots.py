"""Pictures, each with a text that says what it shows."""

import base64
import io
from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from .html import render

BLUE, ORANGE, GREY = (
    "#0060a8",
    "#b34700",
    "#666666",
)  # contrast of 5:1 or more on white; the colour-blind tell them apart


class Picture:
    """A matplotlib figure with its description, which screen readers read and plain text shows."""

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
        return render("picture.html", description=self.description, data=base64.b64encode(self.png()).decode())


def scores(table: pd.DataFrame, title: str) -> Picture:
    """Scores with 95 % intervals, a row per approach; `table` as in Report."""
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
    return Picture(figure, f"{title}. Scores with 95 % intervals: {'; '.join(said)}.")


def heatmap(table: pd.DataFrame, title: str, unit: str, own: dict[str, str] | None = None) -> Picture:
    """A number in each cell of `table`, darker where it is larger; `own` frames one column in each row it names."""
    figure = Figure(figsize=(2.2 + 1.3 * len(table.columns), 1.2 + 0.5 * len(table)), layout="constrained")
    axes = figure.subplots()
    axes.imshow(table, cmap="Blues", aspect="auto")
    middle = (table.to_numpy().min() + table.to_numpy().max()) / 2
    for row, (name, values) in enumerate(table.iterrows()):
        for column, (other, value) in enumerate(values.items()):
            framed = (own or {}).get(name) == other
            axes.text(
                column, row, f"{value:.2f}", ha="center", va="center", color="white" if value > middle else "black",
                fontweight="bold" if framed else "normal",
            )  # fmt: skip
            if framed:
                axes.add_patch(
                    Rectangle((column - 0.48, row - 0.46), 0.96, 0.92, fill=False, color=ORANGE, linewidth=2)
                )
    axes.set_xticks(range(len(table.columns)), table.columns)
    axes.set_yticks(range(len(table)), table.index)
    axes.set_xlabel(table.columns.name)
    axes.set_ylabel(table.index.name)
    axes.set_title(f"{title} ({unit})", loc="left", fontsize=10)
    axes.spines[:].set_visible(False)
    said = "; ".join(
        f"{name}: " + ", ".join(f"{other} {value:.2f}" for other, value in values.items())
        for name, values in table.iterrows()
    )
    return Picture(figure, f"{title}, {unit}. {said}.")


def side_by_side(tables: dict[str, pd.DataFrame], title: str) -> Picture:
    """Scores of several tasks, one panel each, with 95 % intervals; tables as in Report."""
    tallest = max(map(len, tables.values()))
    figure = Figure(figsize=(9, 1.2 + 0.75 * tallest), layout="constrained")
    said = []
    panels = list(figure.subplots(2, -(-len(tables) // 2)).flat)
    for empty in panels[len(tables) :]:
        empty.set_axis_off()
    for axes, (name, table) in zip(panels, tables.items(), strict=False):
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
        said.append(f"{name}: " + "; ".join(f"{one} {row.score:.2f}" for one, row in table.iterrows()))
    figure.suptitle(title, x=0.01, ha="left")
    return Picture(figure, f"{title}. {'. '.join(said)}.")


def price_of_quality(table: pd.DataFrame, tokens: pd.Series, title: str) -> Picture:
    """Score with its interval against the tokens that a request reads; `table` as in Report, `tokens` by its names."""
    figure = Figure(figsize=(7, 4))
    axes = figure.subplots()
    for name, row in table.iterrows():
        axes.plot([tokens[name]] * 2, [row.low, row.high], color=GREY, linewidth=1.5)
        axes.plot(tokens[name], row.score, "o", color=BLUE, markersize=8)
        axes.annotate(name, (tokens[name], row.score), (9, 4), textcoords="offset points")
    axes.set_xscale("log")
    ticks = [tick for tick in (10, 20, 50, 100, 200, 500, 1000, 2000) if tokens.min() / 2 < tick < tokens.max() * 2]
    axes.set_xticks(ticks, map(str, ticks))
    axes.minorticks_off()
    axes.set_xlim(tokens.min() / 1.5, tokens.max() * 2.2)
    axes.set_ylim(0, 1.03)
    axes.set_xlabel("tokens read per request (each step doubles or more)")
    axes.set_ylabel("score and its 95 % interval")
    axes.set_title(title, loc="left", fontsize=10)
    _tidy(axes)
    said = [f"{name} {tokens[name]:.0f} tokens, score {row.score:.2f}" for name, row in table.iterrows()]
    return Picture(figure, f"{title}. {'; '.join(said)}.")


def break_even(before: float, after: float, training: float, days: float) -> Picture:
    """What two ways cost in total, day by day: `before` per day, or `training` once and then `after` per day.

    `days` is when they meet (inf: never); see prices.days_to_break_even.
    """
    shown = np.array([0, max(60, min(2 * days, 3650)) if np.isfinite(days) else 60])  # days
    figure = Figure(figsize=(7, 3.4))
    axes = figure.subplots()
    axes.plot(shown, before * shown, color=GREY, linestyle="--", label="prompt")
    axes.plot(shown, training + after * shown, color=BLUE, label="fine-tuned")
    if days <= shown[1]:
        axes.plot(days, before * days, "D", color=ORANGE)
    axes.set_xlabel("days")
    axes.set_ylabel("cost so far")
    axes.set_xlim(0)
    axes.set_ylim(0)
    axes.legend(frameon=False)
    _tidy(axes)
    said = f"Training pays for itself after {days:,.1f} days." if np.isfinite(days) else "Training never pays."
    axes.set_title(said, loc="left", fontsize=10)
    costs = f"The prompt costs {before:,.2f} per day; the tuned model {training:,.2f} once and {after:,.2f} per day."
    return Picture(figure, f"{said} {costs}")


def curve(table: pd.DataFrame, title: str, xlabel: str) -> Picture:
    """A score against a number (the index), with the range of its 95 % interval; columns score, low and high."""
    figure = Figure(figsize=(7, 3.4))
    axes = figure.subplots()
    places = table.index.to_numpy(dtype=float)
    axes.errorbar(
        places, table["score"], yerr=[table["score"] - table["low"], table["high"] - table["score"]],
        fmt="o-", color=BLUE, capsize=4,
    )  # fmt: skip
    axes.set_xticks(places)
    axes.set_ylim(0, 1.03)
    axes.set_xlabel(xlabel)
    axes.set_ylabel("score and its 95 % interval")
    axes.set_title(title, loc="left", fontsize=10)
    _tidy(axes)
    said = [f"{place:g}: {row.score:.2f} ({row.low:.2f} to {row.high:.2f})" for place, row in table.iterrows()]
    return Picture(figure, f"{title}. By {xlabel}: {', '.join(said)}.")


def outcomes(shares: pd.DataFrame, title: str) -> Picture:
    """Stacked bars, a panel per kind of item: `shares` has a row per approach and kind, a column an outcome."""
    kinds = shares.index.get_level_values(1).unique()
    names = shares.index.get_level_values(0).unique()
    figure = Figure(figsize=(9, 1.4 + 0.45 * len(names)), layout="constrained")
    looks = {"correct": (BLUE, ""), "abstained": ("#dddddd", ".."), "invented": (ORANGE, "//")}
    said = []
    for axes, kind in zip(figure.subplots(1, len(kinds), sharey=True), kinds, strict=True):
        part = shares.xs(kind, level=1).loc[names[::-1]]
        left = np.zeros(len(part))
        for outcome, values in part.items():
            colour, hatch = looks[outcome]
            bars = axes.barh(part.index, values, left=left, color=colour, hatch=hatch, edgecolor="white", label=outcome)
            words = [f"{value:.2f}" if value >= 0.08 else "" for value in values]
            axes.bar_label(
                bars, words, label_type="center", color="black" if outcome == "abstained" else "white", fontsize=9,
                bbox={"boxstyle": "round,pad=0.15", "facecolor": colour, "edgecolor": "none"},
            )  # fmt: skip
            left += values.to_numpy()
        axes.set_xlim(0, 1)
        axes.set_title(f"{kind} items", loc="left", fontsize=10)
        axes.spines[:].set_visible(False)
        for name, row in part[::-1].iterrows():
            said.append(
                f"{kind} items, {name}: " + ", ".join(f"{one} {value:.2f}" for one, value in row.items() if value)
            )
    handles, labels = axes.get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=3, frameon=False)
    figure.suptitle(title, x=0.01, ha="left", fontsize=11)
    return Picture(figure, f"{title}. {'; '.join(said)}.")


def guess_and_result(
    table: pd.DataFrame, guessed: float | str | list[str] | None, approach: str | None = None
) -> Picture:
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
        if guessed in places:  # word counts, for one, take no part where the answers are free text
            axes.annotate("your guess", (1.04, places[guessed]), color=ORANGE, va="center", annotation_clip=False)
    else:
        said = f"You predicted {', then '.join(guessed)}; measured {', then '.join(ranked)}."
        for rank, name in enumerate(guessed, start=1):
            axes.annotate(f"your no. {rank}", (1.04, places[name]), color=ORANGE, va="center", annotation_clip=False)
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
    """Which layers moved and by how much: a row per layer, a column per matrix, darker is further."""
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
        f"{moved.min():.1f} to {moved.max():.1f} % of their size on average; any layers below did not move at all. "
        f"The matrix that moved most is {changes.max().idxmax()}, by up to {changes.max().max() * 100:.1f} %.",
    )


def _tidy(axes) -> None:
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(axis="x" if axes.get_yticklabels() else "both", color="#dddddd", linewidth=0.6)
    axes.set_axisbelow(True)
