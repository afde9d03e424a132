"""What a listing must answer, computed the naive way: sort the keys by their bytes, walk them, cut the page.

Rules: a key that holds the delimiter after the prefix is rolled up into a common prefix that ends with it; each rolled-up
prefix counts once, as one entry, toward the page; a page goes on behind the last entry of the one before.
"""


def entries(keys, prefix="", delimiter=""):
    """The whole listing as (text, is_prefix), in order."""
    out = []
    for key in sorted(keys, key=lambda key: key.encode()):
        if not key.startswith(prefix):
            continue
        at = key.find(delimiter, len(prefix)) if delimiter else -1
        entry = (key, False) if at < 0 else (key[: at + len(delimiter)], True)
        if not out or out[-1] != entry:
            out.append(entry)
    return out


def after(listing, marker):
    """The entries behind a marker: a common prefix that the marker is in has been passed."""
    return [
        (text, rolled)
        for text, rolled in listing
        if text.encode() > marker.encode() and not (rolled and marker.startswith(text))
    ]


def ambiguous(listing, marker):
    """Whether the marker lies inside a common prefix, where servers may differ on whether that prefix shows again."""
    return any(rolled and marker.startswith(text) and marker != text for text, rolled in listing)
