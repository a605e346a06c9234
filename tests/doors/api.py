"""Requests to the page's endpoint /edit_face as programs send them: the JSON of their values."""

from tests.doors.case import Case

HUGE = "1" + 400 * "0"

# truth: alpha of the edits by a method whose unit is 1
TAKEN = (
    Case("a seed, names and as many strengths", '[3, ["disc"], [1.5]]', [1.5],
         "edits, in turn; below 0 removes"),
    Case("whole numbers as strengths", '[3, ["disc", "bar"], [1, -2]]', [1.0, -2.0], "numbers"),
    Case("a whole number written as a float as a seed", '[3.0, ["disc"], [1.5]]', [1.5],
         "the seed"),
    Case("no edit at all", "[3, [], []]", [], "the face as it is"),
)

REFUSED = (
    Case("strengths=1", '[3, ["disc"], 1]',
         refused="strengths must be a list, such as [1.5], got 1"),
    Case("a name instead of a list", '[3, "disc", [1]]',
         refused="attributes must be a list, such as"),
    Case("a dictionary instead of a list", '[3, {"disc": 1}, [1]]',
         refused="attributes must be a list"),
    Case("true or false as a strength", '[3, ["disc"], [true]]',
         refused="must be a number from -5 to 5, got True"),
    Case("true or false as a seed", '[true, ["disc"], [1]]',
         refused="must be a whole number from 0 to 2147483647, got True"),
    Case("NaN", '[3, ["disc"], [NaN]]', refused="must be a number from -5 to 5, got nan"),
    Case("infinity", '[3, ["disc"], [1e999]]', refused="must be a number from -5 to 5, got inf"),
    Case("a huge strength", f'[3, ["disc"], [{HUGE}]]', refused="must be a number from -5 to 5"),
    Case("a huge seed", f"[{HUGE}, [], []]", refused="must be a whole number from 0 to 2147483647"),
    Case("a seed between whole numbers", "[1.5, [], []]", refused="must be a whole number from 0"),
    Case("text as a number", '[3, ["disc"], ["1"]]',
         refused="must be a number from -5 to 5, got '1'"),
    Case("an unknown name", '[3, ["nose"], [1]]',
         refused="There is no attribute 'nose'; choose from disc, ring, cross, bar"),
    Case("a name that is none", '[3, [null], [1]]', refused="There is no attribute None"),
    Case("fewer strengths than names", '[3, ["disc"], []]',
         refused="There must be a strength for each attribute"),
    Case("more than 12 edits", f"[3, {13 * ['disc']}, {13 * [1]}]".replace("'", '"'),
         refused="At most 12 edits in a row"),
    Case("too few values", "[3]", refused="/edit_face needs 3 values, got 1"),
    Case("an endpoint that is not there", None, refused="There is no such endpoint"),
)
