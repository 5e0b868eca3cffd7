"""Tables in Markdown, and the forms of numbers in them."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Goal:
    """A figure that should be at most its limit. `unit` is empty for ratios."""

    what: str
    value: float
    limit: float
    unit: str = ""

    @property
    def met(self):
        """Whether it is."""
        return self.value <= self.limit

    def form(self, number):
        """A number as this goal spells it."""
        return f"{number:.0f} {self.unit}" if self.unit else f"{number:.3f}"


def seconds(number):
    """A time with three digits or four."""
    return f"{number:.{3 if number < 1 else 2 if number < 10 else 1}f} s"


def mebibytes(number):
    """An amount of bytes."""
    return f"{number / 2**20:.{1 if number < 100 * 2**20 else 0}f} MiB"


def table(header, rows):
    """A table whose first column is text, and whose others are numbers."""
    rows = [[str(cell) for cell in row] for row in rows]
    widths = [max(len(row[column]) for row in [header, *rows]) for column in range(len(header))]

    def line(cells):
        padded = [cell.rjust(width) if number else cell.ljust(width)
                  for number, (cell, width) in enumerate(zip(cells, widths, strict=True))]
        return f"| {' | '.join(padded)} |"

    rule = "|".join("-" * (width + 1) + ":" if number else "-" * (width + 2) for number, width in enumerate(widths))
    return "\n".join([line(header), f"|{rule}|", *map(line, rows)])


FIGURES = [
    ("until on the disk", "synced_seconds", seconds),
    ("without waiting", "unsynced_seconds", seconds),
    ("CPU", "cpu_seconds", seconds),
    ("peak memory", "memory_bytes", mebibytes),
    ("written", "written_bytes", mebibytes),
    ("size", "size_bytes", mebibytes),
]


def figures_table(runs, ours, peers):
    """Each program's fastest round; in brackets, our figure by a peer's, or the line's by that of the first."""
    base, rows = ours or next(iter(runs.figures)), []
    for name in runs.figures:
        row = [name]
        for _, what, form in FIGURES:
            number, given = getattr(runs.best(name, what), what), getattr(runs.best(base, what), what)
            if number is None:
                row.append("")
            elif name == base or not given or not number or (peers and name not in peers):
                row.append(form(number))
            else:
                row.append(f"{form(number)} ({given / number if ours else number / given:.3f})")
        rows.append(row)
    return table(["", *(title for title, _, _ in FIGURES)], rows)


def goals_table(goals, judged):
    """A line for each goal: its comparison, what it is about, what was measured."""
    rows = [[f"{comparison}: {goal.what}", goal.form(goal.value), goal.form(goal.limit),
             ("yes" if goal.met else "no") if judged else "not judged"] for comparison, goal in goals]
    return table(["", "measured", "at most", "met"], rows)
