"""One page of charts: for each row, medians with their spread on a logarithmic scale, and the ratios beside goals."""

from html import escape
from math import ceil, floor, log

from report import outcome, quantity

WIDTH, LABEL, PLOT, LINE = 1100, 330, 560, 17
COLOURS = {"ckpt": "#0b6e4f", "limit": "#b8860b", "peer": "#5b6abf"}


def text(x, y, content, size=11, colour="#222", weight="normal", anchor="start"):
    return (f'<text x="{x:.0f}" y="{y:.0f}" font-size="{size}" fill="{colour}" font-weight="{weight}" '
            f'text-anchor="{anchor}">{escape(content)}</text>')


def axis(cases, base):
    """Powers of `base` around all values, and where a value lies between them; zero is at the left."""
    values = [case[key] for case in cases for key in ("low", "high") if case[key] > 0] or [1]
    first, last = floor(log(min(values), base)), ceil(log(max(values), base))
    last = max(last, first + 1)
    powers = [base**power for power in range(first, last + 1)]
    return powers, lambda v: LABEL + PLOT * (log(max(v, powers[0]), base) - first) / (last - first)


def unit_charts(row, y):
    """A chart for each unit of the row's cases."""
    parts = []
    for unit in dict.fromkeys(case["unit"] for case in row["cases"]):
        cases = [case for case in row["cases"] if case["unit"] == unit]
        powers, place = axis(cases, 1024.0 if unit == "B" else 10.0)
        bottom = y + LINE * len(cases)
        for power in powers:
            x = place(power)
            parts.append(f'<line x1="{x:.0f}" x2="{x:.0f}" y1="{y}" y2="{bottom}" stroke="#ddd"/>')
            parts.append(text(x, bottom + 11, quantity(power, unit).replace(".00", ""), 9, "#777", anchor="middle"))
        for case in cases:
            colour, middle = COLOURS[case["kind"]], y + LINE / 2
            low, high, median = place(case["low"]), place(case["high"]), place(case["median"])
            parts.append(text(LABEL - 8, middle + 4, case["name"], colour=colour, anchor="end"))
            parts.append(f'<line x1="{low:.1f}" x2="{high:.1f}" y1="{middle}" y2="{middle}" stroke="{colour}" '
                         'stroke-width="3" stroke-opacity="0.4"/>')
            parts.append(f'<circle cx="{median:.1f}" cy="{middle}" r="4" fill="{colour}"/>')
            parts.append(text(LABEL + PLOT + 14, middle + 4, quantity(case["median"], unit), colour=colour))
            y += LINE
        y += 24
    return parts, y


def panel(row, y):
    parts = [text(10, y + 14, f"{row['row']}. {row['title']} ({row['folder']})", 14, weight="bold")]
    charts, y = unit_charts(row, y + 26)
    parts += charts
    for ratio in row["ratios"]:
        colour = "#222" if ratio["goal"] is None else ("#0b6e4f" if ratio["reached"] else "#b02a2a")
        parts.append(text(LABEL - 8, y + 10, f"{ratio['value']:.3g}", colour=colour, weight="bold", anchor="end"))
        parts.append(text(LABEL, y + 10, f"{ratio['text']}   {outcome(ratio)}", colour=colour))
        y += 15
    return parts, y + 22


def page(result):
    """The whole SVG."""
    parts, y = [], 46
    for row in result["rows"]:
        panel_parts, y = panel(row, y)
        parts += panel_parts
    machine = "; ".join(f"{name}: {value}" for name, value in next(iter(result["machine"].values())).items()
                        if name in ("kernel", "processor", "memory"))
    head = [text(10, 20, "ckpt beside others: medians (dots) and the spread of all rounds (bars)", 16, weight="bold"),
            text(10, 36, f"{result['started']}, {result['rounds']} rounds; {machine}", 10, "#555"),
            *(text(WIDTH - 220 + 70 * i, 20, kind, 12, colour, "bold") for i, (kind, colour) in
              enumerate(COLOURS.items()))]
    return "\n".join([f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{y}" '
                      'font-family="sans-serif"><rect width="100%" height="100%" fill="white"/>',
                      *head, *parts, "</svg>\n"])
