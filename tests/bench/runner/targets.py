"""What this program wants to reach, beside what was measured in the same run."""
from .figures import show

# What it is, the lane, the key of its figure, "most" or "least", the bound, and the unit.
TARGETS = (
    ("requests/s at 64 clients, against nginx", "a", "rps.nginx.c64", "least", 0.50, "x"),
    ("CPU of a request, against nginx", "a", "cpu.nginx.c64", "most", 2.0, "x"),
    ("99 % of the answers at 64 clients, against nginx", "a", "p99.nginx.c64", "most", 2.5, "x"),
    ("added at 1 client, median, over nginx", "a", "added_p50.nginx.c1", "most", 20, "us"),
    ("requests/s, against the Node proxy", "a", "rps.Node.c64", "least", 1.7, "x"),
    ("requests/s, against Portkey", "a", "rps.Portkey.c64", "least", 25, "x"),
    ("memory of a waiting request, of 10,000", "b", "bytes_each.n10000", "most", 12_000, "bytes"),
    ("CPU of 10,000 waiting, polled twice a second", "b", "cpu_percent_due.n10000", "most", 45, "% of a core"),
    ("CPU of a piece at 1,000 streams of 50/s, against nginx", "c", "cpu.nginx.1000x50", "most", 1.25, "x"),
    ("added to a piece at 100 streams, median, over direct", "c", "added_p50.100x50", "most", 80, "us"),
    ("gap that a 4 MB image makes in other streams", "d", "made_gap_ms.replibridge", "most", 10, "ms"),
    ("from start to first answer", "f", "answered_ms", "most", 50, "ms"),
    ("memory when idle", "f", "idle_mb", "most", 12, "MB"),
    ("from hang-up to cancel call, 99 %", "h", "p99_ms", "most", 10, "ms"),
)


def is_met(sense, bound, value):
    return value <= bound if sense == "most" else value >= bound


def judged(runs):
    """Each target with its figure in each run in which it was measured, and in how many of them it is met."""
    found = []
    for text, lane, key, sense, bound, unit in TARGETS:
        values = [lanes.get(lane, {}).get("figures", {}).get(key) for lanes in runs]
        values = [value for value in values if value is not None]
        found.append({"text": text, "lane": lane, "values": values, "sense": sense, "bound": bound, "unit": unit,
                      "met": sum(is_met(sense, bound, value) for value in values)})
    return found


def bound_text(one):
    sign = "≤" if one["sense"] == "most" else "≥"
    return f"{sign} {one['bound']:,} {one['unit']}"


def value_text(one):
    return " / ".join(show(value) for value in one["values"]) or "not measured"


def verdict(one):
    count = len(one["values"])
    if count == 0:
        return "–"
    return {count: "met", 0: "missed"}.get(one["met"], f"met in {one['met']} of {count}")


def tell(runs):
    print("\n=== targets\n")
    for one in judged(runs):
        if any(one["lane"] in lanes for lanes in runs):
            print(f"  {one['text']:58} {bound_text(one):>18} {value_text(one):>24}  {verdict(one)}")
