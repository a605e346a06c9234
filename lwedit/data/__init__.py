"""Images with exact truth, made from files that ship with the project."""

from lwedit.data.avatars import Avatars, make_avatars
from lwedit.data.biased import BiasedAvatars
from lwedit.data.mnist import MnistDigits, load_mnist
from lwedit.data.multimnist import (
    MultiMnist,
    MultiMnistConfig,
    digits_for,
    make_multimnist,
    prepare_digits,
)

__all__ = [
    "Avatars",
    "BiasedAvatars",
    "MnistDigits",
    "MultiMnist",
    "MultiMnistConfig",
    "digits_for",
    "load_mnist",
    "make_avatars",
    "make_multimnist",
    "prepare_digits",
]
