"""Finnish: xkeyboard-config's `fi(classic)` and Windows' KBDFI write what Swedish keyboards do."""

from drivers.layouts.se import LAYOUT

__all__ = ["LAYOUT"]
