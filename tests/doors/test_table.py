"""docs/doors.md is what the examples say."""

from tests.doors import table


def test_the_page_of_doors_is_that_of_the_examples():
    """Written by `python -m tests.doors.table`."""
    assert table.PATH.read_text() == table.render()


def test_every_example_is_named_once_in_its_group():
    for _, _, group in table.GROUPS:
        names = [case.given for case in (*group.TAKEN, *group.REFUSED)]
        assert len(set(names)) == len(names)
        for case in group.TAKEN:
            assert case.taken
            assert case.truth is not None
        for case in group.REFUSED:
            assert case.refused
