"""Rounds, medians and ratios."""

import random
import statistics
from dataclasses import dataclass, field


@dataclass
class Case:
    """One thing that is measured. `run` answers with a dict; `value` picks the number of it that counts."""
    name: str
    kind: str  # ckpt, limit or peer
    run: object
    before: object = None  # not timed, in front of each round
    after: object = None
    value: str = "seconds"
    unit: str = "s"
    answers: list = field(default_factory=list)
    curve: dict = None  # the line of a chart that this is a point of

    def on_curve(self, title, series, amount):
        """This case, as the point at `amount` of a line in the chart `title`."""
        self.curve = {"title": title, "series": series, "amount": amount}
        return self

    def measure(self):
        if self.before:
            self.before()
        self.answers.append(self.run())
        if self.after:
            self.after()

    def values(self, name=None):
        return [answer[name or self.value] for answer in self.answers]

    def median(self, name=None):
        return statistics.median(self.values(name))

    def summary(self):
        values = self.values()
        return {"name": self.name, "kind": self.kind, "unit": self.unit, "median": self.median(), "low": min(values),
                "high": max(values), "rounds": values, "curve": self.curve}


def interleave(cases, rounds):
    """Every case once a round, in an order that is new each round."""
    for _ in range(rounds):
        for case in random.sample(cases, len(cases)):
            case.measure()


def best(cases, kind):
    """The fastest of that kind, or None."""
    return min((case for case in cases if case.kind == kind), key=Case.median, default=None)


@dataclass
class Row:
    """What one row of the goals gave on one file system."""
    number: int
    title: str
    folder: str
    cases: list = field(default_factory=list)
    ratios: list = field(default_factory=list)
    notes: list = field(default_factory=list)  # "not measured: why", and what else has to be said

    def measure(self, cases, rounds):
        interleave(cases, rounds)
        self.cases += cases

    def at_most(self, text, value, goal):
        self._ratio(text, value, "at most", goal, goal is None or value <= goal)

    def at_least(self, text, value, goal):
        self._ratio(text, value, "at least", goal, goal is None or value >= goal)

    def _ratio(self, text, value, sense, goal, reached):
        self.ratios.append({"text": text, "value": value, "sense": sense, "goal": goal, "reached": reached})

    def share_of(self, limit, case, goal):
        """The part of the limit's speed that the case has."""
        self.at_least(f"{case.name} of {limit.name}", limit.median() / case.median(), goal)

    def times_of(self, case, limit, goal):
        self.at_most(f"{case.name} to {limit.name}", case.median() / limit.median(), goal)

    def faster_than(self, peer, case, goal):
        if peer is None:
            self.not_measured("the best peer", "no peer was measured")
        else:
            self.at_least(f"{case.name} faster than {peer.name}", peer.median() / case.median(), goal)

    def not_measured(self, what, why):
        self.notes.append(f"not measured: {what}: {why}")

    def summary(self):
        return {"row": self.number, "title": self.title, "folder": self.folder, "notes": self.notes,
                "cases": [case.summary() for case in self.cases], "ratios": self.ratios}
