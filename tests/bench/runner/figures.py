"""Medians of rounds, and the figures that a run collects."""
import statistics


def median(rounds, key):
    return statistics.median(one[key] for one in rounds)


def medians(rounds):
    return {key: median(rounds, key) for key in rounds[0] if isinstance(rounds[0][key], (int, float))}


def ratio(one, other):
    return one / other if other else None


def show(value, digits=None):
    """As people write it: three digits that count, and commas in what is large."""
    if value is None:
        return "-"
    if digits is not None:
        return f"{value:,.{digits}f}"
    size = abs(value)
    if size >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if size >= 10 else f"{value:.3f}" if 0 < size < 0.1 else f"{value:.2f}"
