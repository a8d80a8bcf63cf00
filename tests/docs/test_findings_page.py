"""docs/findings.md lists every finding the code can make."""

from tests.docs import findings


def test_the_page_is_what_the_code_says() -> None:
    assert findings.PAGE.read_text(encoding="utf-8") == findings.page(), "run `python -m tests.docs.findings`"
