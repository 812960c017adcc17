"""Tasks: what is asked, examples to learn from, and held-out cases to be judged by. Nothing here needs torch."""
