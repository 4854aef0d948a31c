"""XML files of other tools: elements that know their line. Declarations of types are refused.

A document type may define entities that grow to gigabytes or name other files; no format here has
one, so a file with one is not read any further.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from xml.parsers import expat

from alvision.core.errors import UserError


@dataclass
class Element:
    """An element of an XML file: its tag, its attributes, its text, its children, its line."""

    file: Path
    tag: str
    attributes: dict[str, str]
    line: int
    text: str = ""
    children: list[Element] = field(default_factory=list)

    def named(self, tag: str) -> Iterator[Element]:
        """Return the children of this tag."""
        return (child for child in self.children if child.tag == tag)

    def child_text(self, tag: str) -> str:
        """Return the text of a child.

        Raises:
            UserError: There is none, or it is empty.
        """
        text = next((child.text.strip() for child in self.named(tag)), "")
        if not text:
            raise self.wrong(f"<{self.tag}> has no <{tag}>")
        return text

    def attribute(self, name: str) -> str:
        """Return an attribute.

        Raises:
            UserError: It is missing or empty.
        """
        value = self.attributes.get(name, "")
        if not value.strip():
            raise self.wrong(f"<{self.tag}> has no {name}=")
        return value

    def wrong(self, problem: str) -> UserError:
        """Return the refusal of this element."""
        return UserError(f"{self.where}: {problem}; nothing was imported")

    @property
    def where(self) -> str:
        """Return the file and the line, for a sentence."""
        return f"{self.file}, line {self.line}"


def read_xml(path: Path) -> Element:
    """Read an XML file and return its outermost element.

    Raises:
        UserError: It cannot be read, is not whole, or declares a document type.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror or error}") from error
    parser, top = expat.ParserCreate(), Element(path, "", {}, 0)
    open_elements = [top]

    def start(tag: str, attributes: dict[str, str]) -> None:
        element = Element(path, tag, attributes, parser.CurrentLineNumber)
        open_elements[-1].children.append(element)
        open_elements.append(element)

    def characters(text: str) -> None:
        open_elements[-1].text += text

    def declared(*_: object) -> None:
        raise UserError(
            f"{path}, line {parser.CurrentLineNumber}: a document type (<!DOCTYPE>) is not read,"
            " because it may bring in other files: remove it; nothing was imported"
        )

    parser.buffer_text = True
    parser.StartElementHandler = start
    parser.EndElementHandler = lambda tag: open_elements.pop() and None
    parser.CharacterDataHandler = characters
    parser.StartDoctypeDeclHandler = declared
    try:
        parser.Parse(data, True)
    except (expat.ExpatError, LookupError, ValueError) as error:  # ValueError: an unknown encoding
        line = getattr(error, "lineno", 1)
        raise UserError(f"{path}, line {line}: not whole XML ({error}): export it again") from error
    return top.children[0]
