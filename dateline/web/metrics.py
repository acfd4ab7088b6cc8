"""The figures of sending as Prometheus reads them; docs/monitoring.md has every name."""

from collections.abc import Iterator

from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector, CollectorRegistry

from dateline.actions.progress import Figures

STATES = ("queued", "leased", "sent", "deferred", "failed", "excluded", "in_doubt")


def render_metrics(figures: Figures, accept: str = "") -> tuple[bytes, str]:
    """The page that Prometheus asked for with its `Accept` header, and its content type.

    All of it comes from the database, so that it is right after a restart; nothing is kept between two calls.
    """
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Figures(figures))
    encode, content_type = choose_encoder(accept)
    return encode(registry), content_type


class _Figures(Collector):
    """Gives the figures of one moment, once."""

    def __init__(self, figures: Figures) -> None:
        self._figures = figures

    def collect(self) -> Iterator[Metric]:
        """Every metric there is, also those that have no value just now."""
        yield _deliveries(self._figures)
        yield _failed(self._figures)
        yield from _of_all(self._figures)
        yield _found_rate(self._figures)


def _deliveries(figures: Figures) -> Metric:
    family = GaugeMetricFamily(
        "dateline_deliveries",
        "Recipients of an issue in each state; an issue is shown until a day after its end.",
        labels=("newsletter", "issue", "state"),
    )
    for one in figures.issues:
        books = one.books
        counts = (
            *(books.queued, books.leased, books.sent, books.deferred),
            *(books.failed, books.excluded_total, books.in_doubt),
        )
        for state, amount in zip(STATES, counts, strict=True):
            family.add_metric((one.newsletter, str(one.issue), state), amount)
    return family


def _failed(figures: Figures) -> Metric:
    family = GaugeMetricFamily(
        "dateline_failed",
        "Recipients of an issue who were refused for good, by class of the answer's code (5.1, or 550).",
        labels=("newsletter", "issue", "code_class"),
    )
    for one in figures.issues:
        for code_class, amount in sorted(one.books.failures.items()):
            family.add_metric((one.newsletter, str(one.issue), code_class), amount)
    return family


def _of_all(figures: Figures) -> Iterator[Metric]:
    pulse = figures.pulse
    yield GaugeMetricFamily(
        "dateline_send_rate",
        "Messages with an answer a second, over the last seconds, of all that send.",
        value=pulse.rate_per_s or 0.0,
    )
    time_left = GaugeMetricFamily(
        "dateline_time_left_seconds",
        "How long until everybody was offered once, at the rate of the last seconds; absent while unknown.",
        labels=(),
    )
    if figures.time_left_s is not None:
        time_left.add_metric((), figures.time_left_s)
    yield time_left
    yield GaugeMetricFamily(
        "dateline_queue_age_seconds",
        "How long the oldest released issue or notice waits of which somebody was not offered yet; 0 when nobody waits.",
        value=figures.queue_age_s,
    )
    yield GaugeMetricFamily(
        "dateline_notices_waiting",
        "Mails outside issues (that ask to confirm, for one) that are not sent yet.",
        value=figures.notices,
    )
    yield GaugeMetricFamily(
        "dateline_workers", "Processes that send, or wait for something to send.", pulse.workers
    )
    yield GaugeMetricFamily(
        "dateline_held_up",
        "1 while a relay, the database, the disk, a setting, a key or a hold keeps mail from going out.",
        value=0 if pulse.trouble is None and pulse.refusal is None else 1,
    )


def _found_rate(figures: Figures) -> Metric:
    family = GaugeMetricFamily(
        "dateline_found_rate",
        "Messages a second that a relay or provider was found to take; absent while nobody asked to be spared.",
        labels=("kind", "name"),
    )
    for one in figures.pulse.found_rates:
        family.add_metric((one.kind, one.name), one.rate_per_s)
    return family
