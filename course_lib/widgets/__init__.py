"""What a learner clicks on: quiz, prediction and the course's progress."""

from .overview import progress
from .predict import predict
from .quiz import quiz

__all__ = ["predict", "progress", "quiz"]
