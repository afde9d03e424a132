"""What `tests/soak/run --strict` asks of the minutes of a run: pure computation over what the run has noted.

The bounds are ratios within the run and generous: a busy machine is five to seven times slower in its worst minute, and memory and
descriptors follow what is stored. What they find is growth that does not end, and minutes in which the server stood still."""

import statistics

DISK_MAX = 1.5  # over live data
LEVEL_MAX = 1.25  # the last third's highest over the middle third's
DESCRIPTORS_SLACK = 16  # a few files of the log and of the index more or less
CLIFF_MAX = 10  # the worst minute's p99 over the median minute's
MINUTES_MIN = 6  # fewer have no thirds to speak of


def level(minutes, name, slack=0):
    """Why a figure is still growing, or None."""
    third = len(minutes) // 3
    middle = max(minute[name] for minute in minutes[third : 2 * third])
    last = max(minute[name] for minute in minutes[2 * third :])
    if last > LEVEL_MAX * middle + slack:
        return f"{name} does not level off: {middle:,} at most in the middle third, {last:,} in the last"
    return None


def cliff(minutes, operation):
    """Why the tail of an operation has a cliff, or None."""
    tails = [minute["ms"][operation][1] for minute in minutes]
    worst, middle = max(tails), statistics.median(tails)
    if middle and worst > CLIFF_MAX * middle:
        return f"{operation}: p99 is {worst:.1f} ms in the worst minute and {middle:.1f} in the median one"
    return None


def breaches(minutes):
    """Texts: what is not as it should be. The minutes are those after the warm-up."""
    found = []
    disk = max(minute["disk_over_live"] for minute in minutes)
    if disk > DISK_MAX:
        found.append(f"the data folder takes {disk:.2f} times what is live")
    if len(minutes) < MINUTES_MIN:
        found.append(f"{len(minutes)} minutes are too few to judge by, {MINUTES_MIN} are needed")
        return found
    found += [level(minutes, "rss"), level(minutes, "descriptors", DESCRIPTORS_SLACK)]
    found += [cliff(minutes, operation) for operation in minutes[0]["ms"]]
    return [text for text in found if text]
