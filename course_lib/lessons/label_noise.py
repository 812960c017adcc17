"""Labels that are wrong on purpose, to measure what wrong labels cost."""

from collections.abc import Sequence

import pandas as pd


def with_wrong_labels(labels: Sequence[str], share: float, seed: int) -> list[str]:
    """The labels, of which `share`, drawn by `seed`, are replaced by another label that occurs among them."""
    changed = pd.Series(labels)
    wrong = changed.sample(frac=share, random_state=seed).index
    others = sorted(changed.unique())
    shift = pd.Series(range(len(wrong)), index=wrong) % (len(others) - 1) + 1  # each kind of mistake equally often
    changed[wrong] = [others[(others.index(changed[row]) + shift[row]) % len(others)] for row in wrong]
    return changed.tolist()
