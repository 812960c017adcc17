"""The study: every built-in task with every opponent, on all held-out cases, over several draws; kept case by case."""
