"""Reading pages: their elements, attributes and text, and whether every element is closed in turn."""

from html.parser import HTMLParser

from unhans.report.html import render
from unhans.report.html.case_view import case_view

VOID = {"img", "br", "meta", "link", "input"}


class Outline(HTMLParser):
    """A page or a part of one; reading it fails where an element is not closed in turn."""

    def __init__(self, text):
        super().__init__()
        self.open, self.seen, self.text, self.attributes = [], [], "", []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.seen.append(tag)
        self.attributes += attrs
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text += f"{data} "

    @property
    def words(self):
        """The text, spaces made one."""
        return " ".join(self.text.split())


def section_of(section):
    """The HTML of one artifact."""
    return render("case.html", case=case_view(section))
