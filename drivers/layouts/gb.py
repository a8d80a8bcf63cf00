"""United Kingdom: what xkeyboard-config's `gb` and Windows' KBDUK both write."""

from evdev.ecodes import KEY_1, KEY_102ND, KEY_A, KEY_BACKSLASH, KEY_GRAVE, KEY_Q, KEY_SPACE, KEY_Z

from drivers.layouts import KeyboardLayout, row

LAYOUT = KeyboardLayout(
    keys={
        **row(KEY_1, "1234567890-=", '!"£$%^&*()_+', "   €"),
        **row(KEY_Q, "qwertyuiop[]", "QWERTYUIOP{}"),
        **row(KEY_A, "asdfghjkl;'", "ASDFGHJKL:@"),
        **row(KEY_GRAVE, "`", "¬"),
        **row(KEY_BACKSLASH, "#", "~"),
        **row(KEY_Z, "zxcvbnm,./", "ZXCVBNM<>?"),
        **row(KEY_102ND, "\\", "|"),
        KEY_SPACE: (" ", " ", ""),
    },
    decimal=".",
    alt_gr=True,
)
