"""What to call a key that scanners should not send, so that a person can find the setting. Pure.

Only keys and combinations that write nothing have names here: a name never gives away what a code says.
"""

from collections.abc import Set as AbstractSet

from evdev import ecodes

from drivers import keycodes

_NAMES = {ecodes.KEY_F8: "F8", ecodes.KEY_DOWN: "Down"}
_OTHERS = "another key"


def forbidden(code: int, held: AbstractSet[int], alt_digits: str | None) -> str:
    """Name what was pressed: `code` while the modifiers `held` are down; `alt_digits` of a whole Alt code.

    >>> forbidden(ecodes.KEY_RIGHTBRACE, {ecodes.KEY_LEFTCTRL}, None), forbidden(ecodes.KEY_F8, set(), None)
    ('Ctrl+]', 'F8')
    """
    if alt_digits:
        return "Alt+029" if int(alt_digits) == ord("\x1d") else "Alt"
    if ecodes.KEY_RIGHTALT in held:
        return "AltGr"
    if not keycodes.METAS.isdisjoint(held):
        return "Meta"
    if not keycodes.CTRLS.isdisjoint(held):
        return "Ctrl+]" if code == ecodes.KEY_RIGHTBRACE else "Ctrl"
    if ecodes.KEY_LEFTALT in held:
        return "Alt"
    return _NAMES.get(code, _OTHERS)
