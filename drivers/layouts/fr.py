"""French (AZERTY): what xkeyboard-config's `fr` and Windows' KBDFR both write.

AltGr with 2 and 7 are dead keys on Windows, for which scanners are made, and no dead keys in xkeyboard-config.
"""

from evdev.ecodes import KEY_1, KEY_102ND, KEY_A, KEY_BACKSLASH, KEY_GRAVE, KEY_Q, KEY_SPACE, KEY_Z

from drivers.layouts import KeyboardLayout, row

_GRAVE, _DIAERESIS, _CIRCUMFLEX, _TILDE = "\u0300\u0308\u0302\u0303"

LAYOUT = KeyboardLayout(
    keys={
        **row(KEY_1, "&é\"'(-è_çà)=", "1234567890°+", f" {_TILDE}#{{[|{_GRAVE}\\^@]}}"),
        **row(KEY_Q, "azertyuiop" + _CIRCUMFLEX + "$", "AZERTYUIOP" + _DIAERESIS + "£", "  €        ¤"),
        **row(KEY_A, "qsdfghjklmù", "QSDFGHJKLM%"),
        KEY_GRAVE: ("²", "", ""),
        **row(KEY_BACKSLASH, "*", "µ"),
        **row(KEY_Z, "wxcvbn,;:!", "WXCVBN?./§"),
        **row(KEY_102ND, "<", ">"),
        KEY_SPACE: (" ", " ", ""),
    },
    decimal=".",
    alt_gr=True,
    caps_lock_letters_only=False,  # Windows shifts digits and signs too
)
