"""What to call a key that scanners should not send, so that a person can find the setting. Pure.

Only keys and combinations that write nothing have names here: a name never gives away what a code says.
"""

from collections.abc import Set as AbstractSet

from drivers import keycodes as key

_NAMES = {key.KEY_F8: "F8", key.KEY_DOWN: "Down"}
_OTHERS = "another key"


def forbidden(code: int, held: AbstractSet[int], alt_digits: str | None) -> str:
    """Name what was pressed: `code` while the modifiers `held` are down; `alt_digits` of a whole Alt code.

    >>> forbidden(key.KEY_RIGHTBRACE, {key.KEY_LEFTCTRL}, None), forbidden(key.KEY_F8, set(), None)
    ('Ctrl+]', 'F8')
    """
    if alt_digits:
        return "Alt+029" if int(alt_digits) == ord("\x1d") else "Alt"
    if key.KEY_RIGHTALT in held:
        return "AltGr"
    if not key.METAS.isdisjoint(held):
        return "Meta"
    if not key.CTRLS.isdisjoint(held):
        return "Ctrl+]" if code == key.KEY_RIGHTBRACE else "Ctrl"
    if key.KEY_LEFTALT in held:
        return "Alt"
    return _NAMES.get(code, _OTHERS)
