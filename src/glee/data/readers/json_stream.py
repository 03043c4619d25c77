"""Reading JSON files of gigabytes entry by entry, so that memory holds one entry at a time."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TextIO

CHUNK = 2**20
"""Characters read at once."""

SPACES = " \t\r\n"
AFTER_VALUE = frozenset(SPACES + ",:]}")


def iterate_entries(path: Path) -> Iterator[tuple[str, Any]]:
    """Yield the entries of the lists of a JSON object, with the names of the lists.

    A value that is not a list is yielded as one entry. A file that is a list itself is yielded as
    if it had the name "".

    Raises FileNotFoundError without the file, and ValueError for what is not such JSON.
    """
    if not path.is_file():
        raise FileNotFoundError(f"annotation file {str(path)!r} not found")
    with path.open(encoding="utf-8") as file:
        try:
            scanner = _Scanner(file)
            yield from _iterate(scanner)
            if scanner.peek():  # such as of two files joined, of which one would be ignored
                raise ValueError(
                    f"{str(path)!r} goes on behind the end of its JSON; give one value a file"
                )
        except RecursionError as error:
            raise ValueError(f"{str(path)!r} is nested too deeply") from error
        except (json.JSONDecodeError, UnicodeDecodeError) as error:
            raise ValueError(f"{str(path)!r} is not a whole JSON file: {error}") from error


class _Scanner:
    """A place in a file of JSON, with the text around it."""

    def __init__(self, file: TextIO) -> None:
        self._file, self._text, self._place = file, "", 0
        self._decode = json.JSONDecoder().raw_decode

    def peek(self) -> str:
        """Return the next character that is no space, "" at the end."""
        while True:
            while self._place < len(self._text):
                if (character := self._text[self._place]) not in SPACES:
                    return character
                self._place += 1
            if not self._more():
                return ""

    def take(self, expected: str) -> None:
        """Step over a character that must come."""
        if self.peek() != expected:
            raise self._error(f"expected {expected!r}")
        self._place += 1

    def value(self) -> Any:
        """Read the value that comes next."""
        self.peek()
        while True:
            try:
                found, end = self._decode(self._text, self._place)
            except json.JSONDecodeError:
                if not self._more():
                    raise
                continue
            # A number may go on in the next chunk, also where it is whole up to a point or an e.
            if self._text[end : end + 1] in AFTER_VALUE or not self._more():
                self._place = end
                return found

    def _more(self) -> bool:
        """Read on, letting go of what was read; return whether there was more."""
        # An entry larger than a chunk is met again from its start, each time with twice the text.
        chunk = self._file.read(max(CHUNK, len(self._text) - self._place))
        self._text, self._place = self._text[self._place :] + chunk, 0
        return bool(chunk)

    def _error(self, message: str) -> json.JSONDecodeError:
        return json.JSONDecodeError(message, self._text, self._place)


def _iterate(scanner: _Scanner) -> Iterator[tuple[str, Any]]:
    if scanner.peek() == "[":
        yield from (("", entry) for entry in _entries(scanner))
        return
    scanner.take("{")
    while scanner.peek() != "}":
        name = scanner.value()
        scanner.take(":")
        if scanner.peek() == "[":
            yield from ((name, entry) for entry in _entries(scanner))
        else:
            yield name, scanner.value()
        if scanner.peek() != "}":
            scanner.take(",")
    scanner.take("}")


def _entries(scanner: _Scanner) -> Iterator[Any]:
    scanner.take("[")
    while scanner.peek() != "]":
        yield scanner.value()
        if scanner.peek() != "]":
            scanner.take(",")
    scanner.take("]")
