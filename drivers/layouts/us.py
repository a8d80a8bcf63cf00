"""United States: xkeyboard-config's `us` and Windows' KBDUS, which differ in the key left of Z on ISO keyboards."""

from evdev.ecodes import KEY_1, KEY_A, KEY_BACKSLASH, KEY_GRAVE, KEY_Q, KEY_SPACE

from drivers.layouts import KeyboardLayout, row

LAYOUT = KeyboardLayout(
    keys={
        **row(KEY_1, "1234567890-=", "!@#$%^&*()_+"),
        **row(KEY_Q, "qwertyuiop[]", "QWERTYUIOP{}"),
        **row(KEY_A, "asdfghjkl;'", 'ASDFGHJKL:"'),
        **row(KEY_GRAVE, "`", "~"),
        **row(KEY_BACKSLASH, "\\zxcvbnm,./", "|ZXCVBNM<>?"),
        KEY_SPACE: (" ", " ", ""),
    },
    decimal=".",
    alt_gr=False,
)
