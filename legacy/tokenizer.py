"""The legacy tokenizer: words in order of first sight."""

from __future__ import annotations

from collections.abc import Iterable


class Tokenizer:
    """Splits on white space and numbers words 1, 2, 3, … in the order in which they are first seen.

    Numbers start at 1, so that a token divided by the largest number is never the 0.0 of the padding. Case counts.
    """

    def __init__(self) -> None:
        self.vocabulary: dict[str, int] = {}

    @property
    def largest_id(self) -> int:
        """The largest number given so far; 0 before any word was seen."""
        return len(self.vocabulary)

    def fit(self, texts: Iterable[str]) -> Tokenizer:
        """Numbers the words of `texts` that are new, and returns itself."""
        for text in texts:
            for word in text.split():
                self.vocabulary.setdefault(word, len(self.vocabulary) + 1)
        return self

    def encode(self, text: str) -> list[int]:
        """The numbers of the words of `text`. Raises ValueError, naming the word, for one never seen."""
        try:
            return [self.vocabulary[word] for word in text.split()]
        except KeyError as missing:
            raise ValueError(f"the word {missing.args[0]!r} of {text!r} is not in the vocabulary") from None
