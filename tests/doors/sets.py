"""Sets of codes that are unlike a healthy one: source and target codes, and the move of LW(*).

`made` gives source and target codes, shuffled where order could matter, and `truth` the mean move
along the first coordinate and the mean length of a move, with the error that is allowed.
"""

import torch

from tests.doors.case import Case

DIM, N = 16, 400
_STEP = torch.eye(DIM)[0]


def normal(n=N, dim=DIM, seed=0):
    return torch.randn(n, dim, generator=torch.Generator().manual_seed(seed))


def healthy(offset=0.0, unit=1.0):
    return unit * (normal() + offset), unit * (normal(seed=1) + 4 * _STEP + offset)


def paired():
    x = normal()
    return x, x + 4 * _STEP


def one_change():
    x = normal()
    y = x.clone()
    y[:, 0] = 4.0 + 0.2 * y[:, 1]
    return x, y


def repeated():
    x, y = healthy()
    return x[: N // 4].repeat(4, 1), y[: N // 4].repeat(4, 1)


def constant():
    x, y = healthy()
    still = torch.full((N, 4), 3.0)
    return torch.cat([x, still], 1), torch.cat([y, still], 1)


def wide():
    x, y = normal(60, 500), normal(60, 500, seed=1)
    y[:, 0] += 4
    return x, y


def clusters(far, share):
    """A tight cluster at 0 and one at `far`, which holds this share."""
    x = 0.5 * normal(200, 8, seed=int(100 * share))
    x[torch.arange(200) // 5 % 10 < 10 * share, 0] += far  # a fifth of each is kept to choose on
    return x


def outlier():
    x, y = healthy()
    x[3, 2] = 1e4
    return x, y


def few(count):
    x, y = healthy()
    return x, y[:count].repeat(50, 1)


def swap(sets):
    return sets[1], sets[0]


# truth: mean move along the first coordinate, mean length of a move, allowed error of both
TAKEN = (
    Case("two clouds 4 apart", healthy, (4.0, 4.0, 0.4), "a move of 4"),
    Case("every target is a source with the same change", paired, (4.0, 4.0, 0.02), "that change"),
    Case("every target is a source with one change", one_change, (4.0, 4.0, 0.3), "that change"),
    Case("target and source are the same codes", lambda: (normal(), normal()), (0.0, 0.0, 1e-4),
         "no move"),
    Case("target and source are alike, but other codes", lambda: (normal(), normal(seed=1)),
         (0.0, 0.0, 0.4), "no move"),
    Case("every code four times", repeated, (4.0, 4.0, 0.6), "a code counts once, with its mass"),
    Case("a common offset of 10⁴", lambda: healthy(offset=1e4), (4.0, 4.0, 0.4), "the same move"),
    Case("codes of the size of 10⁻⁶", lambda: healthy(unit=1e-6), (4e-6, 4e-6, 0.4e-6),
         "the same move"),
    Case("codes of the size of 10⁶", lambda: healthy(unit=1e6), (4e6, 4e6, 0.4e6), "the same move"),
    Case("dimensions that are constant", constant, (4.0, 4.0, 0.4), "no move in those"),
    Case("500 dimensions, 120 codes", wide, (4.0, 6.0, 1.0), "the mean move"),
    Case("tight clusters of 80/20 against 60/40, 40 apart",
         lambda: (clusters(40, 0.2), clusters(40, 0.4)), (8.0, 8.0, 2.0), "a mean move of 8"),
    Case("the same, 160 apart", lambda: (clusters(160, 0.2), clusters(160, 0.4)),
         (32.0, 32.0, 3.0), "a mean move of 32"),
)

REFUSED = (
    Case("one code 10⁴ away from the others", outlier,
         refused="w must hold one cloud of codes, the code in row 3 lies 1e+04 from its middle"),
    Case("one to three different codes of a class", lambda: few(3),
         refused="train must hold 4 different codes at least with 'k' and as many without, got 3 "
                 "of 150 with it, the others are copies"),
    Case("50 equal sources", lambda: swap(few(1)), refused="got 1 of 50 without it"),
    Case("all codes equal", lambda: (torch.ones(50, DIM), torch.ones(50, DIM)),
         refused="got 1 of 50 without it"),
)
