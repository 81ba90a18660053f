"""Prepare and join documents in the child process."""

from __future__ import annotations

from collections.abc import Sequence

from dispute_provider._documents.child import cleaning, converting, joining, mails, pages, shrinking
from dispute_provider._documents.child.fonts import Font
from dispute_provider._documents.child.lettering import Letters
from dispute_provider._documents.child.polyglots import opens_as_pdf
from dispute_provider._documents.messages import STEPS, TYPES_FROM, Done, packed, unpacked
from dispute_provider._evidence.file_types import FILE_TYPES


class Preparation:
    """Prepares and joins documents. What libraries load on demand is loaded now.

    :param fonts: of the machine, those of this package first.
    """

    def __init__(self, fonts: Sequence[Font]) -> None:
        self._letters = Letters(fonts)
        converting.load_codecs()
        cleaning.warm_up()
        joining.warm_up(self._letters)
        mails.warm_up()

    def prepare(self, content: bytes, flags: int, most: int) -> bytes:
        """Return the list of changes made to a document, followed by the prepared document.

        :param flags: the steps and the accepted types.
        :param most: bytes, to which it is shrunk if the steps include that.
        """
        steps = {name for name, flag in STEPS.items() if flags & flag}
        converts = "convert" in steps and not opens_as_pdf(content)
        if converts and (made_of := pages.convert(content, self._letters)):
            return _packed(*made_of)
        done: list[Done] = []
        if "clean" in steps:
            content, done = cleaning.clean(content)
        made, more = content, list[Done]()
        if converts:
            accepted = [kind for index, kind in enumerate(FILE_TYPES) if flags >> TYPES_FROM + index & 1]
            made, more = converting.convert(content, accepted)
        if "shrink" in steps and len(made) > most:
            smaller, how = shrinking.shrink(content, most)
            if len(smaller) < len(made):
                made, more = smaller, how
        return _packed(made, [*done, *(each for each in more if each not in done)])

    def join(self, content: bytes) -> bytes:
        """Return the list of losses, followed by one PDF of several documents.

        :param content: the captions and sizes of the exhibits, and the exhibits.
        """
        described, contents = unpacked(content)
        parts, at = [], 0
        for caption, size in described:
            parts.append(joining.Part(caption, contents[at : at + size]))
            at += size
        return _packed(*joining.join(parts, self._letters))


def _packed(prepared: bytes, done: list[Done]) -> bytes:
    return packed([[each.what, each.facts] for each in done], prepared)
