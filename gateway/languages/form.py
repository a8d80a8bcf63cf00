"""What a language has to say: the vocabulary that every language fills in. Pure.

Keys are the words of the product itself (a finding's code, a control code's command, a state of the screen); values
are what people read. One thing has one term throughout a language: what is scanned is an `article`, what is printed
on it a `label`, what is read a `code`; a scan is `stored` on the box, `sent` to the broker and `booked` by the central
system. What to do stands in the imperative, behind what is wrong.
"""

from collections.abc import Mapping

from msgspec import Struct

Words = Mapping[str, str]


class Guidance(Struct, frozen=True, kw_only=True):
    """One line of the quick guide: what a signal means and what to do."""

    meaning: str
    deed: str


class Vocabulary(Struct, frozen=True, kw_only=True):
    """One language."""

    name: str
    """What the language calls itself."""

    # The station's screen
    headlines: Words
    """State of the large panel -> its word. No two are alike."""
    actions: Words
    """Action -> what the next scan does; `undo`: it is taken back."""
    reasons: Words
    """Why an article is discarded."""
    missing: Words
    """What a label still lacks; `typed-again` and `end`: what is to be typed, a sentence each."""
    suggested: Words
    """What the symbol looks like that completed the last labels of the article: square or linear."""
    contexts: Words
    """Kind of context -> that it is chosen. Nothing of a person is in it."""
    context_chosen: str
    """Of any other kind."""
    controls: Words
    """Control code -> that it was obeyed."""
    foreign: Words
    """Why a control code was not obeyed."""
    foreign_other: str
    problems: Words
    """Why the station is not ready, or only in part, and what to do."""
    findings: Words
    """Code of a finding -> what is wrong, then what to do: at most 40 characters, two lines at 16 minutes of arc on
    7 inches at 2 m. docs/findings.md has the exact meanings."""
    finding_other: str
    """A finding of a newer daemon, by its code."""
    withheld: str
    context_refused: str
    discarded: str
    nothing_to_undo: str
    trouble: str
    repeat: str
    asked: str
    asked_ended: str
    other_patient: str
    """A wristband of another patient than that of the case which the central system has set."""
    asked_restored: str
    cancelled: str
    used_despite: str
    overridden: str
    article_to_undo: str
    not_found: str
    impossible: str
    patient_chosen: str
    case_since: str
    place: str
    corrects: str
    one_article: str
    locked: str
    destination: str
    count: Words
    """Mode of a count of stock that is under way."""
    missing_yet: str
    not_typed: Words
    """Why something typed is not taken; `other` for any other reason."""
    lost_daemon: str
    lost_page: str
    lot: str
    serial: str
    expiry: str
    number: str
    pieces: str
    no_name: str
    recent: str
    next: str
    until: str
    others: str
    """Scanners that are not named before."""
    alarms: str

    # How far scans have come
    stages: Words
    """stored, sent, booked: of one scan."""
    all_stages: Words
    """Of all scans: stored (a box that stands alone, everything exported), sent, booked."""
    to_export: str
    to_send: str
    to_book: str
    unknown_stage: str

    # What a case comes to
    case_counts: Words
    """used, wasted, returned, explanted, unresolved: a number and what it counts."""
    refused_unsettled: str
    """Of a scan that was refused, and neither booked all the same nor read again."""
    case_pages: str
    """Page of pages."""

    # Signals
    signals: Mapping[str, Guidance]
    """Signal -> what it means and what to do."""
    training: str
    """Shown with a signal that is played for training."""
    sound_on: str
    """The button that lets the page sound."""

    # Dates
    day_form: str
    """How a day is written, from {year}, {month}, {day} and {month_name}."""
    month_form: str
    months: tuple[str, ...]
    """Short names of the months; empty where the forms do not use them."""

    # Printed sheets
    codes_title: str
    captions: Words
    """Command of a control code -> what stands beneath its symbol."""
    caption_groups: Words
    """next, discard, correct, quantity, keyed, characters: headings of the sheet of control codes."""
    calibration_title: str
    calibration_how: str
    guide_title: str
    guide_headings: Words
    """signals, codes, trouble: headings of the quick guide."""
    guide_screen: str
    guide_sound: str
    guide_notes: tuple[str, ...]
    """What everybody must know, a sentence each."""
