"""Judges: images -> what is in them. Those of digits never see a generated image in training."""

from lwedit.judges.digits import CLASSES, COUNT, DigitJudge, Head, truth

__all__ = ["CLASSES", "COUNT", "DigitJudge", "Head", "truth"]
