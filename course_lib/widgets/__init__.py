"""What a learner clicks on: quiz, prediction, the decision guide and the course's progress."""

from .decide import decide
from .overview import progress
from .predict import predict
from .quiz import quiz

__all__ = ["decide", "predict", "progress", "quiz"]
