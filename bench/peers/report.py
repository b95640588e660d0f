"""What a run prints."""


def quantity(value, unit):
    if unit == "B/s":
        return f"{value / 1e9:.2f} GB/s"
    steps = {"s": ((1e-6, "ns", 1e9), (1e-3, "µs", 1e6), (1, "ms", 1e3), (float("inf"), "s", 1)),
             "B": ((2**20, "KiB", 2**-10), (2**30, "MiB", 2**-20), (float("inf"), "GiB", 2**-30))}[unit]
    name, factor = next((name, factor) for limit, name, factor in steps if value < limit)
    return f"{value * factor:.2f} {name}"


def outcome(ratio):
    if ratio["goal"] is None:
        return ""
    return f"{ratio['sense']} {ratio['goal']:g}: {'reached' if ratio['reached'] else 'MISSED'}"


def lines(row):
    """A row as text."""
    yield f"\n{row['row']}. {row['title']} — {row['folder']}"
    for case in row["cases"]:
        low, high, median = (quantity(case[key], case["unit"]) for key in ("low", "high", "median"))
        yield f"   {case['name']:<52} {median:>12}   {low} – {high}"
    for ratio in row["ratios"]:
        yield f"   = {ratio['text']:<62} {ratio['value']:>9.3f}  {outcome(ratio)}"
    for note in row["notes"]:
        yield f"   {note}"
