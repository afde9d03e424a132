"""Loaded into the suite's pytest by `run`: gives each worker users of its own, picks the cases, and records results.

SUITE_FOLDER  holds settings.json ({"areas": [...], "only": regex or null}) and WORKER.conf for each worker;
              results.jsonl ({"case", "area", "outcome", "text", "seconds"}) is written there
"""

import json
import os
import re

import pytest

import tables

FOLDER = os.environ["SUITE_FOLDER"]
AREAS = tables.Areas()
with open(os.path.join(FOLDER, "settings.json"), encoding="utf-8") as file:
    SETTINGS = json.load(file)
# The suite reads this when the first case of a process is set up.
os.environ["S3TEST_CONF"] = os.path.join(FOLDER, os.environ.get("PYTEST_XDIST_WORKER", "gw0") + ".conf")


def pytest_collection_modifyitems(config, items):
    kept, dropped = [], []
    for item in items:
        name = tables.short_name(item.nodeid)
        area = AREAS.of(name, {marker.name for marker in item.iter_markers()} - {"parametrize", "skip"})
        if area is None:
            raise pytest.UsageError(f"areas.txt has no rule for {name}")
        item.user_properties.append(("area", area))
        wanted = area in SETTINGS["areas"] and (not SETTINGS["only"] or re.search(SETTINGS["only"], name))
        (kept if wanted else dropped).append(item)
    if dropped:
        config.hook.pytest_deselected(items=dropped)
        items[:] = kept


class Recorder:
    """Joins the three phases of a case into one result, in the process that sees them all."""

    def __init__(self):
        self.open = {}
        self.out = open(os.path.join(FOLDER, "results.jsonl"), "w", encoding="utf-8")

    def pytest_runtest_logreport(self, report):
        name = tables.short_name(report.nodeid)
        case = self.open.setdefault(name, {"case": name, "outcome": "passed", "text": "", "seconds": 0.0})
        case["area"] = dict(report.user_properties).get("area", "")
        case["seconds"] += report.duration
        if report.outcome == "failed" or (report.outcome == "skipped" and case["outcome"] == "passed"):
            case["outcome"] = report.outcome
            case["text"] += f"{report.when}: {report.longreprtext}\n"
        if report.when == "teardown":
            self.out.write(json.dumps(self.open.pop(name)) + "\n")
            self.out.flush()

    def pytest_sessionfinish(self):
        self.out.close()


def pytest_configure(config):
    if not hasattr(config, "workerinput"):
        config.pluginmanager.register(Recorder())
