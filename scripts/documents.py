"""Markdown documents: their code blocks, anchors and links, as GitHub reads them. Imported by
scripts/lint-docs and scripts/site-pages."""

from __future__ import annotations

import pathlib
import re
import subprocess
from collections.abc import Iterator
from typing import NamedTuple

ROOT = pathlib.Path(__file__).resolve().parent.parent
FENCE = re.compile(r"^ *(`{3,}|~{3,})(.*)$")
INLINE_LINK = re.compile(r"(?P<image>!?)\[(?P<text>(?:[^\[\]]|\[[^\[\]]*\])*)\]\((?P<target>[^()\s]+)\)")
DEFINITION = re.compile(r"^\[[^\]]+\]: (?P<target>\S+)$", re.MULTILINE)
ATTRIBUTE = re.compile(r'\b(?:src|srcset|href)="(?P<target>[^"]*)"')
HEADING = re.compile(r"^#{1,6} +(.+?) *$", re.MULTILINE)


class Block(NamedTuple):
    """A fenced code block: `marks` are the words after its language."""

    line: int
    language: str
    marks: list[str]
    text: str


class Link(NamedTuple):
    """A link or image; `match` has its position, and the group `target`."""

    line: int
    target: str
    match: re.Match[str]


def files(*globs: str) -> list[pathlib.Path]:
    """The repository's files, relative to its root; also those that are not committed yet."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", "--", *globs]
    listed = subprocess.run(command, check=True, cwd=ROOT, capture_output=True, text=True).stdout.split("\0")
    return [path for path in sorted({pathlib.Path(name) for name in listed if name}) if (ROOT / path).exists()]


def blocks(text: str) -> Iterator[Block]:
    """Every fenced block; one without an end has the rest of the text."""
    fence, begin, info, lines = "", 0, "", []
    for number, line in enumerate(text.splitlines(), 1):
        match = FENCE.match(line)
        if not fence and match:
            fence, begin, info, lines = match[1], number, match[2], []
        elif fence and match and match[1].startswith(fence) and not match[2].strip():
            yield block(begin, info, lines)
            fence = ""
        elif fence:
            lines.append(line)
    if fence:
        yield block(begin, info, lines)


def block(line: int, info: str, lines: list[str]) -> Block:
    # rustdoc separates its attributes by commas.
    words = info.replace(",", " ").split()
    return Block(line, words[0] if words else "", words[1:], "".join(f"{line}\n" for line in lines))


def prose(text: str) -> str:
    """The text with the same length and lines, in which code is replaced by `\\0`."""
    blank = re.compile(r"[^\n]")
    lines, fence = text.splitlines(keepends=True), ""
    for index, line in enumerate(lines):
        match = FENCE.match(line.rstrip("\n"))
        if fence or match:
            lines[index] = blank.sub("\0", line)
        if not fence and match:
            fence = match[1]
        elif fence and match and match[1].startswith(fence) and not match[2].strip():
            fence = ""
    return re.sub(r"(`+)(?!`)[^`\n]+\1", lambda code: blank.sub("\0", code[0]), "".join(lines))


def links(text: str) -> Iterator[Link]:
    """Every link, image, link definition and HTML attribute with a URL, outside of code."""
    masked = prose(text)
    for pattern in (INLINE_LINK, DEFINITION, ATTRIBUTE):
        for match in pattern.finditer(masked):
            yield Link(masked.count("\n", 0, match.start()) + 1, match["target"], match)


def headings(text: str) -> list[str]:
    """The headings as plain text, in order."""
    masked = prose(text)
    found = [text[match.start(1) : match.end(1)] for match in HEADING.finditer(masked)]
    return [re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).replace("`", "").replace("**", "") for heading in found]


def anchors(text: str) -> list[str]:
    """The anchors of all headings, as on GitHub; the site's are made in the same way."""
    found: list[str] = []
    for heading in headings(text):
        slug = re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")
        same = sum(1 for other in found if re.fullmatch(rf"{re.escape(slug)}(-\d+)?", other))
        found.append(f"{slug}-{same}" if slug in found else slug)
    return found


def is_external(target: str) -> bool:
    return bool(re.match(r"[a-z][a-z0-9+.-]*:", target))
