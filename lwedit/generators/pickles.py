"""Pickles read as data: a machine for their instructions in which nothing can be run.

A pickle is a program. Its instructions push numbers, text and containers on a stack, and four of
them call what the file names: GLOBAL looks a function up, REDUCE and NEWOBJ call it, BUILD hands an
object its state. Python's reader does as it is told. The one here takes the instructions apart with
`pickletools`, keeps what is data, and where the file names a function it looks the name up in a
table that the caller gives, imports nothing, and calls the table's entry, which makes data of data.
A name that is not in the table ends the reading, as do the instructions that no saved network needs
(INST, OBJ, NEWOBJ_EX, the extension registry, buffers from outside).

Time and memory are linear in the length of the file: no arithmetic on lengths that the file
states, no copies of what it refers to twice, keys of dictionaries are scalars (the hash of a tuple
of tuples can take forever), sets are lists, and the number of instructions has a limit.
"""

import io
import mmap
import pickletools
from collections.abc import Callable
from dataclasses import dataclass
from typing import IO, Any, cast

__all__ = ["Lookup", "Name", "NotData", "Saved", "Stream", "read_pickle"]

_MOST_STEPS = 2_000_000  # a pSp checkpoint with its optimiser has some 30,000
_SCALARS = (str, int, float, bytes, type(None))  # bool is an int

Lookup = Callable[[str], Callable[..., Any] | None]
Stream = io.BytesIO | mmap.mmap


class NotData(ValueError):
    """A pickle asks for something other than data; the text completes "it ..."."""


@dataclass(frozen=True, eq=False)
class Name:
    """A class or function that the file names, and that is not looked up.

    Attributes:
        path: Module and name, joined by a dot.
        stand_in: What is called in its place.
    """

    path: str
    stand_in: Callable[..., Any]


@dataclass(eq=False)
class Saved:
    """An object of a class that is not loaded.

    Attributes:
        path: Of the class.
        arguments: What it was made with.
        state: What it was filled with afterwards.
    """

    path: str
    arguments: tuple = ()
    state: Any = None


def read_pickle(
    stream: Stream, lookup: Lookup, persistent: Callable[[Any], Any] | None = None
) -> Any:  # noqa: ANN401  (whatever the file holds)
    """Read one pickle; the stream stands behind it afterwards.

    Args:
        stream: Where from.
        lookup: Path of a class or function -> what stands for it, given its arguments, or None.
        persistent: What an id of an object outside the pickle stands for; none is allowed if None.

    Returns:
        Scalars, lists, tuples, dictionaries, `Name`, `Saved`, and what the lookup makes.

    Raises:
        NotData: If it asks for anything else.
        Exception: Of many kinds, if it is damaged.
    """
    machine = _Machine(lookup, persistent)
    for step, (instruction, argument, _) in enumerate(pickletools.genops(cast(IO[bytes], stream))):
        if step == _MOST_STEPS:
            raise NotData(f"has more than {_MOST_STEPS:,} instructions")
        machine.do(instruction.name, argument)
    return machine.stack.pop()


class _Machine:
    """Stack, marks and memo of a pickle that is being read."""

    def __init__(self, lookup: Lookup, persistent: Callable[[Any], Any] | None):
        self.lookup, self.persistent = lookup, persistent
        self.stack: list[Any] = []
        self.below: list[list[Any]] = []  # stacks under the marks
        self.memo: dict[int, Any] = {}

    def do(self, name: str, argument: Any) -> None:  # noqa: ANN401
        """One instruction, by its name in `pickletools`."""
        if name in _PUSHED:
            self.stack.append(argument)
        elif name in _CONSTANTS:
            self.stack.append(_CONSTANTS[name]())
        elif name in _DONE:
            _DONE[name](self, argument)
        elif name not in {"PROTO", "FRAME", "STOP"}:
            raise NotData(f"has the instruction {name}, which no saved network needs")

    def put(self, argument: int | None) -> None:
        self.memo[len(self.memo) if argument is None else argument] = self.stack[-1]

    def get(self, argument: int) -> None:
        self.stack.append(self.memo[argument])

    def mark(self, _: None) -> None:
        self.below.append(self.stack)
        self.stack = []

    def push(self, value: Any) -> None:  # noqa: ANN401  (on the stack as it is when called)
        self.stack.append(value)

    def since_mark(self) -> list[Any]:
        items, self.stack = self.stack, self.below.pop()
        return items

    def pop(self, _: None) -> None:
        if self.stack:
            self.stack.pop()
        else:
            self.since_mark()

    def tuple_of(self, n: int) -> None:
        items = [self.stack.pop() for _ in range(n)]
        self.stack.append(tuple(reversed(items)))

    def extend(self, items: list[Any]) -> None:
        if type(self.stack[-1]) is not list:
            raise NotData("adds items to something other than a list")
        self.stack[-1].extend(items)

    def update(self, items: list[Any]) -> None:
        target = self.stack[-1]
        if type(target) is not dict:
            raise NotData("adds entries to something other than a dictionary")
        for key, value in zip(items[::2], items[1::2], strict=True):
            if not isinstance(key, _SCALARS):
                raise NotData("has a dictionary with keys other than text and numbers")
            target[key] = value

    def dictionary(self, _: None) -> None:
        items = self.since_mark()
        self.stack.append({})
        self.update(items)

    def name(self, module: Any, name: Any) -> None:  # noqa: ANN401
        if not (isinstance(module, str) and isinstance(name, str)):
            raise NotData("names a function by something other than text")
        path = f"{module}.{name}"
        stand_in = self.lookup(path)
        if stand_in is None:
            raise NotData(f"names {path if path.isprintable() else 'a function':.100}")
        self.stack.append(Name(path, stand_in))

    def name_of_stack(self, _: None) -> None:
        name = self.stack.pop()
        self.name(self.stack.pop(), name)

    def call(self, _: None) -> None:
        arguments, function = self.stack.pop(), self.stack.pop()
        if type(function) is not Name or type(arguments) is not tuple:
            raise NotData("calls something other than a function that it names")
        self.stack.append(function.stand_in(*arguments))

    def build(self, _: None) -> None:
        state, target = self.stack.pop(), self.stack[-1]
        if type(target) is dict:  # attributes of a dictionary: versions of a network's state
            return
        if type(target) is not Saved or target.state is not None:
            raise NotData("sets the state of something other than a saved object")
        target.state = state

    def outside(self, identity: Any) -> None:  # noqa: ANN401
        if self.persistent is None:
            raise NotData("refers to an object outside of the file")
        self.stack.append(self.persistent(identity))


_PUSHED = frozenset({
    "INT", "BININT", "BININT1", "BININT2", "LONG", "LONG1", "LONG4", "FLOAT", "BINFLOAT",
    "STRING", "BINSTRING", "SHORT_BINSTRING", "UNICODE", "SHORT_BINUNICODE", "BINUNICODE",
    "BINUNICODE8", "BINBYTES", "SHORT_BINBYTES", "BINBYTES8", "BYTEARRAY8",
})
_CONSTANTS: dict[str, Callable[[], Any]] = {
    "NONE": lambda: None, "NEWTRUE": lambda: True, "NEWFALSE": lambda: False,
    "EMPTY_TUPLE": tuple, "EMPTY_LIST": list, "EMPTY_DICT": dict, "EMPTY_SET": list,
}
_DONE: dict[str, Callable[[_Machine, Any], object]] = {
    "PUT": _Machine.put, "BINPUT": _Machine.put, "LONG_BINPUT": _Machine.put,
    "MEMOIZE": _Machine.put, "GET": _Machine.get, "BINGET": _Machine.get,
    "LONG_BINGET": _Machine.get, "MARK": _Machine.mark, "POP": _Machine.pop,
    "POP_MARK": lambda m, _: m.since_mark(), "DUP": lambda m, _: m.push(m.stack[-1]),
    "TUPLE": lambda m, _: m.push(tuple(m.since_mark())),
    "FROZENSET": lambda m, _: m.push(tuple(m.since_mark())),
    "LIST": lambda m, _: m.push(m.since_mark()),
    "TUPLE1": lambda m, _: m.tuple_of(1), "TUPLE2": lambda m, _: m.tuple_of(2),
    "TUPLE3": lambda m, _: m.tuple_of(3), "DICT": _Machine.dictionary,
    "APPEND": lambda m, _: m.extend([m.stack.pop()]),
    "APPENDS": lambda m, _: m.extend(m.since_mark()),
    "ADDITEMS": lambda m, _: m.extend(m.since_mark()),
    "SETITEM": lambda m, _: m.update([*reversed([m.stack.pop(), m.stack.pop()])]),
    "SETITEMS": lambda m, _: m.update(m.since_mark()),
    "GLOBAL": lambda m, named: m.name(*named.split(" ", 1)), "STACK_GLOBAL": _Machine.name_of_stack,
    "REDUCE": _Machine.call, "NEWOBJ": _Machine.call, "BUILD": _Machine.build,
    "PERSID": _Machine.outside, "BINPERSID": lambda m, _: m.outside(m.stack.pop()),
}
