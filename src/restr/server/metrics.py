"""Metrics for Prometheus: of one application, or of all workers together."""

from __future__ import annotations

from pathlib import Path

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector

SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)


class Metrics:
    """Counters of an application; ``text`` is the answer of ``/metrics``.

    shared: the folder with the counters of all workers, if there are several. prometheus_client only writes there if an
    environment variable says so before its first import: ``several.run_worker`` sets it.
    """

    def __init__(self, shared: Path | None = None) -> None:
        self.registry, self.shared = CollectorRegistry(), shared
        self.requests = Counter(
            "restr_requests", "Requests that were answered.", ("route", "method", "status"), registry=self.registry
        )
        self.seconds = Histogram(
            "restr_request_seconds",
            "From a request to its answer.",
            ("route",),
            buckets=SECONDS,
            registry=self.registry,
        )
        self.problems = Counter("restr_problems", "Problems by their type.", ("type",), registry=self.registry)
        self.open = self._gauge("restr_open_requests", "Requests that are open.")
        self.admitted = self._gauge("restr_admitted_requests", "Requests that are worked on or wait.")
        self.waiting = self._gauge("restr_waiting_jobs", "Jobs that wait for a model.", "model")
        self.jobs = Counter("restr_jobs", "Jobs by how they ended.", ("model", "kind", "end"), registry=self.registry)
        self.job_seconds = Histogram(
            "restr_job_seconds", "A model's work.", ("model", "kind"), buckets=SECONDS, registry=self.registry
        )
        self.merged = Histogram(
            "restr_merged_jobs", "Jobs that were computed together.", ("model", "kind"),
            buckets=(1, 2, 4, 8, 16, 32), registry=self.registry,
        )  # fmt: skip
        self.kept = self._gauge("restr_kept_images", "Encoded images that are kept.")
        self.kept_bytes = self._gauge("restr_kept_bytes", "Memory of the encoded images.")
        self.live_streams = self._gauge("restr_live_streams", "Live streams that are open.")
        self.live_pictures = Counter(
            "restr_live_pictures", "Live pictures by how they ended.", ("end",), registry=self.registry
        )
        self.loads = Counter("restr_model_loads", "Loads of a model's files.", ("model", "end"), registry=self.registry)

    def _gauge(self, name: str, meaning: str, *labels: str) -> Gauge:
        """A number that goes up and down; of several workers, the sum over the living ones."""
        return Gauge(name, meaning, labels, registry=self.registry, multiprocess_mode="livesum")

    def text(self) -> bytes:
        """Prometheus' text format; of several workers the sums, with the counts of dead ones."""
        if self.shared is None:
            return generate_latest(self.registry)
        everyone = CollectorRegistry()
        MultiProcessCollector(everyone, str(self.shared))
        return generate_latest(everyone)
