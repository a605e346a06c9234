"""Judges: images -> what is in them. They never see a code or a generated image in training."""

from lwedit.judges.digits import CLASSES, COUNT, DigitJudge, Head

__all__ = ["CLASSES", "COUNT", "DigitJudge", "Head"]
