"""German: what xkeyboard-config's `de` and Windows' KBDGR both write."""

from evdev.ecodes import KEY_1, KEY_102ND, KEY_A, KEY_BACKSLASH, KEY_GRAVE, KEY_Q, KEY_SPACE, KEY_Z

from drivers.layouts import KeyboardLayout, row

_ACUTE, _GRAVE, _CIRCUMFLEX = "\u0301\u0300\u0302"

LAYOUT = KeyboardLayout(
    keys={
        **row(KEY_1, "1234567890ß" + _ACUTE, '!"§$%&/()=?' + _GRAVE, " ²³   {[]}\\"),
        **row(KEY_Q, "qwertzuiopü+", "QWERTZUIOPÜ*", "@ €        ~"),
        **row(KEY_A, "asdfghjklöä", "ASDFGHJKLÖÄ"),
        **row(KEY_GRAVE, _CIRCUMFLEX, "°"),
        **row(KEY_BACKSLASH, "#", "'"),
        **row(KEY_Z, "yxcvbnm,.-", "YXCVBNM;:_", "      µ"),
        **row(KEY_102ND, "<", ">", "|"),
        KEY_SPACE: (" ", " ", ""),
    },
    decimal=",",
    alt_gr=True,
    caps_lock_letters_only=False,  # Windows shifts digits and signs too
)
