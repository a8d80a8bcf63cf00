"""Norwegian: what xkeyboard-config's `no` and Windows' KBDNO both write."""

from evdev.ecodes import KEY_1, KEY_102ND, KEY_A, KEY_BACKSLASH, KEY_GRAVE, KEY_Q, KEY_SPACE, KEY_Z

from drivers.layouts import KeyboardLayout, row

_ACUTE, _GRAVE, _DIAERESIS, _CIRCUMFLEX, _TILDE = "\u0301\u0300\u0308\u0302\u0303"

LAYOUT = KeyboardLayout(
    keys={
        **row(KEY_1, "1234567890+\\", '!"#¤%&/()=?' + _GRAVE, " @£$  {[]} " + _ACUTE),
        **row(KEY_Q, "qwertyuiopå" + _DIAERESIS, "QWERTYUIOPÅ" + _CIRCUMFLEX, "  €        " + _TILDE),
        **row(KEY_A, "asdfghjkløæ", "ASDFGHJKLØÆ"),
        **row(KEY_GRAVE, "|", "§"),
        **row(KEY_BACKSLASH, "'", "*"),
        **row(KEY_Z, "zxcvbnm,.-", "ZXCVBNM;:_", "      µ"),
        **row(KEY_102ND, "<", ">"),
        KEY_SPACE: (" ", " ", ""),
    },
    decimal=",",
    alt_gr=True,
)
