"""What an import copies stays only while it runs, also if it is killed."""

from pathlib import Path

from iluvatar_pxe.assets.brought import remove_copies, staging


def test_copies_that_a_killed_import_left_are_removed(tmp_path: Path) -> None:
    remove_copies(tmp_path)
    assert list(tmp_path.iterdir()) == []
    with staging(tmp_path) as folder:
        pass
    (folder / "tmp1").mkdir()
    (folder / "tmp1/kernel").touch()
    remove_copies(tmp_path)
    assert list(folder.iterdir()) == []


def test_copies_of_an_import_that_runs_stay(tmp_path: Path) -> None:
    with staging(tmp_path) as folder:
        (folder / "tmp1").mkdir()
        remove_copies(tmp_path)
        assert list(folder.iterdir()) == [folder / "tmp1"]
    assert list(folder.iterdir()) == []
