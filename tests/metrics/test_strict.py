"""Truths of the strict reading: every case of what a judge can see, by hand."""

import pytest
import torch

from lwedit.metrics import SURE, as_wanted, fooled, kept, new_class


def digits(*names):
    """Number of digits of each class, an image a string: "33" is two threes."""
    return torch.stack([torch.bincount(torch.tensor([int(c) for c in name], dtype=torch.long),
                                       minlength=10) for name in names])


def sure(*names, count=None, p_count=0.99, p=0.99):
    """What judges say of images that show these digits."""
    classes = digits(*names)
    counts = classes.sum(dim=1) if count is None else torch.tensor(count)
    return counts, torch.full((len(names),), p_count), classes, torch.full((len(names),), p)


def test_as_wanted_takes_both_judges_and_their_certainty():
    assert as_wanted(*sure("12", "11", "123", "1"), 2).tolist() == [True, True, False, False]
    assert not as_wanted(*sure("12", count=[3]), 2).any()  # the classes judge sees two, the other 3
    assert not as_wanted(*sure("123", count=[2]), 2).any()  # and the other way about
    for weak in ({"p_count": SURE}, {"p": SURE}):  # .9 is not more than .9
        assert not as_wanted(*sure("12", **weak), 2).any()


@pytest.mark.parametrize(
    ("before", "after", "adding", "removing"),
    [
        ("12", "123", True, False),  # one more
        ("12", "122", True, False),  # one more of a class that was there
        ("12", "13", False, False),  # a digit has become another
        ("12", "1", False, True),  # one less
        ("122", "12", False, True),
        ("12", "12", True, True),  # nothing happened: nothing else did either
        ("12", "34", False, False),
        ("12", "", False, True),
    ],
)
def test_the_other_digits_are_left_alone(before, after, adding, removing):
    assert kept(digits(before), digits(after), adding=True).tolist() == [adding]
    assert kept(digits(before), digits(after), adding=False).tolist() == [removing]


def test_fooled_is_a_verdict_that_the_image_does_not_bear_out():
    flipped = torch.tensor([True, True, True, False])
    count = torch.tensor([1, 2, 3, 1])
    assert fooled(flipped, count, 2, adding=True).tolist() == [True, False, False, False]
    # Of removing, 2 is wanted: three are still there in the third image.
    assert fooled(flipped, count, 2, adding=False).tolist() == [False, False, True, False]


def test_the_class_of_the_new_digit_and_of_the_one_that_is_gone():
    before, after = digits("12", "12", "77"), digits("129", "122", "7")
    yes = torch.tensor([True, True, True])
    assert new_class(before, after, yes).tolist() == [9, 2, 7]
    assert new_class(before, after, ~yes).tolist() == [-1, -1, -1]
