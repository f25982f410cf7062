"""What Prometheus is told: of one application, in its own registry."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)


class Metrics:
    """Counters of an application; ``text`` is what ``/metrics`` answers."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
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
        self.open = Gauge("restr_open_requests", "Requests that are open.", registry=self.registry)
        self.admitted = Gauge("restr_admitted_requests", "Requests that are worked on or wait.", registry=self.registry)
        self.waiting = Gauge("restr_waiting_jobs", "Jobs that wait for a model.", ("model",), registry=self.registry)
        self.jobs = Counter("restr_jobs", "Jobs by how they ended.", ("model", "kind", "end"), registry=self.registry)
        self.job_seconds = Histogram(
            "restr_job_seconds", "A model's work.", ("model", "kind"), buckets=SECONDS, registry=self.registry
        )
        self.merged = Histogram(
            "restr_merged_jobs", "Requests whose expressions were computed together.", ("model",),
            buckets=(1, 2, 4, 8, 16, 32), registry=self.registry,
        )  # fmt: skip
        self.kept = Gauge("restr_kept_images", "Encoded images that are kept.", registry=self.registry)
        self.kept_bytes = Gauge("restr_kept_bytes", "Memory of the encoded images.", registry=self.registry)
        self.loads = Counter("restr_model_loads", "Loads of a model's files.", ("model", "end"), registry=self.registry)

    def text(self) -> bytes:
        """Prometheus' text format."""
        return generate_latest(self.registry)
