"""Judges: images -> what is in them. Those of digits never see a generated image in training."""

from lwedit.judges.digits import CLASSES, COUNT, DigitJudge, Head

__all__ = ["CLASSES", "COUNT", "DigitJudge", "Head"]
