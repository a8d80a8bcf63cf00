"""What a station keeps over a reload: the action, quantity and context that were chosen. In memory only.

Who changes the configuration does not know that somebody is in the middle of an operation: what is scanned next
must not lose its patient, nor become a consumption where a return was chosen.
"""

from msgspec import Struct

from gateway.config.loader import Config
from gateway.station.context_settings import ContextSettings
from gateway.station.settings import StationSettings
from gateway.station.values import Station


class _Conditions(Struct, frozen=True):
    """The settings under which something was chosen."""

    site: str
    station: StationSettings
    context: ContextSettings


class CarryOver:
    """Handed from one life of the daemon to the next one in the same process."""

    def __init__(self) -> None:
        self._conditions: _Conditions | None = None
        self._station = Station()

    def save(self, config: Config, station: Station) -> None:
        """Keep what is chosen at the end of a life."""
        self._conditions = _conditions_of(config)
        self._station = Station(
            chosen=station.chosen,
            counted=station.counted,
            fell_back=station.fell_back,
            quantity_ended=station.quantity_ended,
            context=station.context,
            context_until_ns=station.context_until_ns,
            ended=station.ended,
            pushed=station.pushed,
            clash_ns=station.clash_ns,
        )

    def restore(self, config: Config) -> Station:
        """Return what the next life begins with: nothing where other settings give it another meaning."""
        return self._station if self._conditions == _conditions_of(config) else Station()


def _conditions_of(config: Config) -> _Conditions:
    return _Conditions(config.gateway.site, config.station, config.context)
