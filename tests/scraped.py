"""The metrics as a Prometheus server reads them."""

from __future__ import annotations

from typing import Any

from flask import Flask
from prometheus_client.parser import text_string_to_metric_families

from connector.runtime import Runtime
from connector.web import pages


class Scrape:
    """Everything that one answer told, as Prometheus' own parser understands it."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.samples = [sample for family in text_string_to_metric_families(text) for sample in family.samples]

    def __getitem__(self, name: str) -> dict[tuple[str, ...], float]:
        """Return what is not zero of one metric, by the words of its labels in the order of their names."""
        return {words: value for words, value in self.all(name).items() if value}

    def all(self, name: str) -> dict[tuple[str, ...], float]:
        """Likewise, with those that are zero."""
        own = [sample for sample in self.samples if sample.name == f"pencilled_{name}"]
        assert own, f"there is no metric {name}"
        return {tuple(word for _, word in sorted(sample.labels.items())): sample.value for sample in own}


def scrape(runtime: Runtime, **request: Any) -> Scrape:
    """Ask for the metrics, of an application that has not been asked before."""
    return scraped(pages.create(runtime), **request)


def scraped(app: Flask, **request: Any) -> Scrape:
    answer = app.test_client().get("/metrics", **request)
    assert answer.status_code == 200, answer.status
    return Scrape(answer.text)
