"""A strict reader of Prometheus' text format, version 0.0.4: each line is one of the allowed forms, each family has its help
and type before its samples and stands in one piece, and no sample is there twice."""

import re

NAME = r"[a-zA-Z_:][a-zA-Z0-9_:]*"
HELP = re.compile(rf"# HELP ({NAME}) (?:[^\\\n]|\\\\|\\n)*")
TYPE = re.compile(rf"# TYPE ({NAME}) (counter|gauge|histogram)")
SAMPLE = re.compile(rf"({NAME})(?:\{{(.*)\}})? ([0-9.eE+-]+|NaN|[+-]Inf)")
LABEL = re.compile(r'([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\["\\n])*)"(,|$)')


def read_labels(text):
    labels, at = {}, 0
    while at < len(text):
        match = LABEL.match(text, at)
        assert match and match[1] not in labels, f"bad labels: {text!r}"
        labels[match[1]] = match[2]
        at = match.end()
    assert not text.endswith(","), text
    return labels


def parse(text):
    """{family: (type, {(sample name, frozenset of labels): value})}"""
    assert text.endswith("\n") and "\r" not in text
    families, helped, current = {}, None, None
    for line in text[:-1].split("\n"):
        if match := HELP.fullmatch(line):
            assert match[1] not in families and helped is None, f"twice: {line}"
            helped = match[1]
        elif match := TYPE.fullmatch(line):
            assert match[1] == helped, f"type without its help: {line}"
            current, helped = match[1], None
            families[current] = (match[2], {})
        else:
            match = SAMPLE.fullmatch(line)
            assert match and helped is None, f"neither comment nor sample: {line!r}"
            kind, samples = families[current]
            suffix = match[1].removeprefix(current)
            assert suffix in (("_bucket", "_sum", "_count") if kind == "histogram" else ("",)), line
            key = (match[1], frozenset(read_labels(match[2] or "").items()))
            assert key not in samples, f"twice: {line}"
            samples[key] = float(match[3])
    for name, (kind, samples) in families.items():
        if kind == "histogram":
            check_histogram(name, samples)
        assert kind != "counter" or all(value >= 0 for value in samples.values())
    return families


def check_histogram(name, samples):
    series = {}
    for (sample, labels), value in samples.items():
        labels = dict(labels)
        bound = labels.pop("le", None)
        series.setdefault(frozenset(labels.items()), {})[bound or sample.removeprefix(name)] = value
    for found in series.values():
        bounds = sorted((float(bound), value) for bound, value in found.items() if not bound.startswith("_"))
        counts = [value for _, value in bounds]
        assert counts == sorted(counts), f"{name}: buckets must ascend"
        assert bounds[-1][0] == float("inf") and bounds[-1][1] == found["_count"], name


def value(families, name, **labels):
    """The sum of the samples that have these labels."""
    family = next(family for family in families if name in (family, family + "_count", family + "_sum"))
    wanted = set(labels.items())
    return sum(number for (sample, has), number in families[family][1].items() if sample == name and wanted <= has)
