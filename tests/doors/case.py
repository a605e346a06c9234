"""An example of what comes through a door: tests run it, and docs/doors.md lists it."""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Case:
    """What is given, and what must come of it.

    Attributes:
        given: In words, for the table.
        made: The example itself, or what makes it.
        truth: The right value; None where it is refused.
        taken: What it is taken as, in words.
        refused: A part of the message with which it is refused.
    """

    given: str
    made: Any
    truth: Any = None
    taken: str = ""
    refused: str = ""

    def row(self):
        """Cells of the table."""
        return self.given, f"refused: “{self.refused}”" if self.refused else self.taken

    def __repr__(self):
        return self.given


def one_line(error):
    """The message of an error, which must be one line and no hint of numpy's to unpickle."""
    text = str(error.value)
    assert "\n" not in text
    assert "allow_pickle=False" not in text
    return text
