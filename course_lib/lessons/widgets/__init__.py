"""What a learner clicks on: quiz, guess, the decision guide, the course's progress, and a slider."""

from .decision_guide import DecisionGuide
from .guess import Guess
from .progress_panel import ProgressPanel
from .quiz import Quiz
from .slider import Slider, round_numbers

__all__ = ["DecisionGuide", "Guess", "ProgressPanel", "Quiz", "Slider", "round_numbers"]
