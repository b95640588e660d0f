"""One page of charts: for each row, medians with their spread on a logarithmic scale, and the ratios beside goals."""

from html import escape
from math import ceil, floor, log

from report import outcome, quantity

WIDTH, LABEL, PLOT, LINE = 1100, 330, 560, 17
CURVE, HEIGHT = 330, 160
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
    """A chart for each unit of the row's cases that are no points of curves."""
    parts, single = [], [case for case in row["cases"] if not case["curve"]]
    for unit in dict.fromkeys(case["unit"] for case in single):
        cases = [case for case in single if case["unit"] == unit]
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


def amount_axis(amounts, left):
    """Where an amount lies on a logarithmic scale, and what the ends are called."""
    low, high = log(min(amounts)), log(max(amounts))
    name = (lambda n: quantity(n, "B")) if min(amounts) >= 2**20 else (lambda n: f"{n:,}")
    return (lambda n: left + CURVE * (log(n) - low) / (high - low)), name(min(amounts)), name(max(amounts))


def curve(title, cases, left, y):
    """Time by amount, both on logarithmic scales, a line for each series."""
    amounts = [case["curve"]["amount"] for case in cases]
    across, first, last = amount_axis(amounts, left)
    values = [case[key] for case in cases for key in ("low", "high")]
    low, high = floor(log(min(values), 10)), ceil(log(max(values), 10))
    up = lambda value: y + HEIGHT - HEIGHT * (log(value, 10) - low) / max(1, high - low)
    parts = [text(left, y - 8, title, weight="bold")]
    for power in range(low, high + 1):
        at = up(10.0**power)
        parts.append(f'<line x1="{left}" x2="{left + CURVE}" y1="{at:.0f}" y2="{at:.0f}" stroke="#ddd"/>')
        parts.append(text(left - 6, at + 3, quantity(10.0**power, "s").replace(".00", ""), 9, "#777", anchor="end"))
    parts += [text(left, y + HEIGHT + 12, first, 9, "#777"),
              text(left + CURVE, y + HEIGHT + 12, last, 9, "#777", anchor="end")]
    for series in dict.fromkeys(case["curve"]["series"] for case in cases):
        points = [case for case in cases if case["curve"]["series"] == series]
        colour, spots = COLOURS[points[0]["kind"]], [(across(case["curve"]["amount"]), up(case["median"]))
                                                     for case in points]
        parts.append(f'<polyline points="{" ".join(f"{x:.1f},{v:.1f}" for x, v in spots)}" fill="none" '
                     f'stroke="{colour}" stroke-width="2"/>')
        parts += [f'<circle cx="{x:.1f}" cy="{v:.1f}" r="3" fill="{colour}"/>' for x, v in spots]
        parts.append(text(spots[-1][0] + 6, spots[-1][1] + 4, series, 10, colour))
    return parts


def curve_charts(row, y):
    """The curves of the row, two beside each other."""
    parts, points = [], [case for case in row["cases"] if case["curve"]]
    titles = list(dict.fromkeys(case["curve"]["title"] for case in points))
    for number, title in enumerate(titles):
        left, top = 80 + number % 2 * (CURVE + 170), y + 14 + number // 2 * (HEIGHT + 50)
        parts += curve(title, [case for case in points if case["curve"]["title"] == title], left, top)
    return parts, y + ceil(len(titles) / 2) * (HEIGHT + 50)


def panel(row, y):
    parts = [text(10, y + 14, f"{row['row']}. {row['title']} ({row['folder']})", 14, weight="bold")]
    y += 26
    for charts_of in (unit_charts, curve_charts):
        charts, y = charts_of(row, y)
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
