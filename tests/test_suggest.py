"""What is suggested for a word that is not known."""

from iluvatar_pxe.suggest import MOST_KNOWN, meant_by


def test_the_most_similar_word_is_suggested() -> None:
    assert meant_by("arda-0l", ["bree-01", "arda-01"]) == "arda-01"
    assert meant_by("zzz", ["bree-01", "arda-01"]) is None


def test_among_many_words_nothing_is_suggested_since_that_takes_long() -> None:
    names = [f"arda-{number:04}" for number in range(MOST_KNOWN + 1)]
    assert meant_by("arda-00x1", names[1:])
    assert meant_by("arda-00x1", names) is None
