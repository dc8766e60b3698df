# SPDX-License-Identifier: MIT
"""Tables that tests fill as they run; pytest prints them at its end (conftest.py)."""

import contextlib

import pytest

KEY = pytest.StashKey()  # of the configuration: a list of (title, text)


class Table:
    """Rows and columns by name. A cell is "yes", the number of a footnote, "FAILED", or empty if it never ran."""

    def __init__(self, columns: list, rows: list):
        self.columns, self.rows = columns, rows
        self.cells, self.notes = {}, []

    @contextlib.contextmanager
    def cell(self, row: str, column: str, note=None):
        """What runs inside decides: it has to pass, and then `note` says in which way that is a no."""
        self.cells[row, column] = "FAILED"
        try:
            yield
        except pytest.skip.Exception:
            self.cells[row, column] = "skipped"
            raise
        if note and note not in self.notes:
            self.notes.append(note)
        self.cells[row, column] = f"({self.notes.index(note) + 1})" if note else "yes"

    def text(self) -> str:
        """Columns are named by numbers above the table, as there are many."""
        used = [column for column in self.columns if any(each == column for _, each in self.cells)]
        lines = [f"{chr(ord('a') + i)}  {column}" for i, column in enumerate(used)] + [""]
        cells = [["", *(chr(ord("a") + i) for i in range(len(used)))]]
        cells += [[row, *(self.cells.get((row, column), "") for column in used)] for row in self.rows]
        widths = [max(len(line[i]) for line in cells) for i in range(len(cells[0]))]
        lines += ["  ".join(cell.ljust(width) for cell, width in zip(line, widths)).rstrip() for line in cells]
        lines += [""] + [f"({i + 1})  no, and it is said: {note}" for i, note in enumerate(self.notes)]
        return "\n".join(lines) + "\n"
