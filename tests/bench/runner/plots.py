"""Bar charts as SVG, without a library: readable on light pages and on dark ones."""
from xml.sax.saxutils import escape

from .figures import median, show

WIDTH, LEFT, RIGHT, ROW, BAR, TOP = 720, 170, 110, 26, 18, 54

STYLE = """
  text { font: 13px system-ui, sans-serif; fill: #1f2328; }
  .title { font-weight: 600; font-size: 15px; }
  .note { fill: #59636e; font-size: 12px; }
  .bar { fill: #9aa4b2; }
  .ours { fill: #2563eb; }
  .line { stroke: #d1d9e0; }
  @media (prefers-color-scheme: dark) {
    text { fill: #e6edf3; }
    .note { fill: #9198a1; }
    .bar { fill: #5b6673; }
    .ours { fill: #60a5fa; }
    .line { stroke: #3d444d; }
  }
"""


def row(index, bar, most):
    """A bar: its name, its value, and whether it is ours."""
    name, value, is_ours = bar
    y = TOP + index * ROW
    length = 0 if most <= 0 else max(1, value / most * (WIDTH - LEFT - RIGHT))
    kind = "bar ours" if is_ours else "bar"
    return (f'  <text x="{LEFT - 8}" y="{y + 14}" text-anchor="end">{escape(name)}</text>\n'
            f'  <rect class="{kind}" x="{LEFT}" y="{y}" width="{length:.1f}" height="{BAR}" rx="2"/>\n'
            f'  <text x="{LEFT + length + 6:.1f}" y="{y + 14}">{show(value)}</text>\n')


def bars(title, note, values):
    """`values`: (name, value, is it ours) from top to bottom."""
    height = TOP + len(values) * ROW + 8
    most = max((value for _, value, _ in values), default=0)
    rows = "".join(row(index, bar, most) for index, bar in enumerate(values))
    described = "; ".join(f"{name} {show(value)}" for name, value, _ in values)
    return (f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" '
            f'height="{height}" role="img" aria-label="{escape(title)}: {escape(described)}">\n'
            f'  <style>{STYLE}  </style>\n'
            f'  <text class="title" x="8" y="20">{escape(title)}</text>\n'
            f'  <text class="note" x="8" y="39">{escape(note)}</text>\n'
            f'  <line class="line" x1="{LEFT}" y1="{TOP - 6}" x2="{LEFT}" y2="{height - 6}"/>\n'
            f'{rows}</svg>\n')


def of_lane(rounds, key, scale=1.0, leave_out=()):
    """The medians of a lane's rounds as bars, ours first."""
    names = sorted(rounds, key=lambda name: not name.startswith("replibridge"))
    return [(name, median(rounds[name], key) * scale, name.startswith("replibridge")) for name in names
            if rounds[name] and name not in leave_out]
