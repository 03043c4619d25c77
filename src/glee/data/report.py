"""Report: what was left out of a data set, counted and named."""

from collections import Counter
from dataclasses import dataclass, field

EXAMPLES_KEPT = 5
"""How many entries of each fault are named; all are counted."""


@dataclass(slots=True)
class Report:
    """What a reader has left out, and why.

    fail_fast  raise at the first fault instead
    total      entries that were looked at, to compare the faults with
    counts     how many had each fault
    examples   the first of each, by name
    """

    fail_fast: bool = False
    total: int = 0
    counts: Counter[str] = field(default_factory=Counter)
    examples: dict[str, list[str]] = field(default_factory=dict)

    def add(self, fault: str, where: str) -> None:
        """Count an entry that is left out.

        fault  what is wrong, the same words for every such entry
        where  names the entry

        Raises ValueError instead if `fail_fast`.
        """
        if self.fail_fast:
            raise ValueError(f"{where}: {fault}; repair or remove it, or read without fail_fast")
        self.counts[fault] += 1
        named = self.examples.setdefault(fault, [])
        if len(named) < EXAMPLES_KEPT:
            named.append(where)

    def join(self, other: "Report") -> None:
        """Add all that another report has counted."""
        self.total += other.total
        self.counts.update(other.counts)
        for fault, named in other.examples.items():
            own = self.examples.setdefault(fault, [])
            own += named[: EXAMPLES_KEPT - len(own)]

    @property
    def share(self) -> float:
        """The share 0..1 of all entries that had a fault."""
        return self.counts.total() / max(self.total, 1)

    def require_share(self, most: float) -> None:
        """Stop if too much is bad.

        most  the largest share 0..1 of faulty entries that is put up with

        Raises ValueError, with the whole report, if there are more.
        """
        if self.share > most:
            raise ValueError(
                f"{self.share:.1%} of the entries are bad, more than {most:.1%}:\n{self}"
            )

    def __str__(self) -> str:
        lines = [f"{self.counts.total()} of {self.total} entries left out"]
        for fault, count in self.counts.most_common():
            named = ", ".join(self.examples[fault]) + (", ..." if count > EXAMPLES_KEPT else "")
            lines.append(f"  {count} {fault}: {named}")
        return "\n".join(lines)
