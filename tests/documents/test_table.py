"""Every command of the documents has its place in the table, and the table has no other; links lead somewhere."""

import re
from pathlib import Path

import pytest
from documents.markdown import OURS, ROOT, commands_in, documents, headings_of, links_in, text_of
from documents.table import COMMANDS, DEMONSTRATION, Where, commands_for
from support.warm import run_warm


def test_every_command_is_tried_and_nothing_else() -> None:
    written = {command for document in documents() for command in commands_in(text_of(document))}
    assert written - set(COMMANDS) == set(), "no place in tests/documents/table.py"
    assert set(COMMANDS) - written == set(), "in no document"


@pytest.mark.parametrize("command", commands_for(Where.NAMED))
def test_what_is_spoken_of_exists(command: str) -> None:
    words = command.removeprefix(OURS).split()
    names = [word for word in words if word.islower() and word[0].isalpha()]
    help_text = run_warm(*names, "--help", COLUMNS="200", TERMINAL_WIDTH="200")
    assert help_text.status == 0, help_text.error
    assert set(re.findall(r"--\w+", command)) <= set(re.findall(r"--\w+", help_text.output))


def test_the_tests_that_the_table_names_exist() -> None:
    for test in {DEMONSTRATION, *(COMMANDS[command].says for command in commands_for(Where.TEST))}:
        file, _, name = test.partition("::")
        assert re.search(rf"(?m)^(async )?def {name}\(", text_of(file)), test


@pytest.mark.parametrize("document", documents())
def test_links_between_documents_lead_somewhere(document: str) -> None:
    for link in links_in(text_of(document)):
        path, _, heading = link.partition("#")
        target = (ROOT / document).parent / path if path else ROOT / document
        assert target.is_file(), link
        assert not heading or heading in headings_of(target.read_text(encoding="utf-8")), link


@pytest.mark.parametrize("document", documents())
def test_files_that_are_named_exist(document: str) -> None:
    named = set(re.findall(r"`((?:tests|bench|iluvatar_pxe|boot_assets)/[\w./*-]+)`", text_of(document)))
    assert {name for name in named if not any(Path(ROOT).glob(name))} == set()


def test_what_is_a_command() -> None:
    text = (
        "Text\n\n    make run   # here\n    iluvatar-pxe lab up\n\n```\n    make no\n$ curl x\n```\n"
        "`machines hold NAME`, `plan_for`, `plan NAME`, `install`, `simulate` and `sudo -v`: `a b`.\n"
    )
    assert commands_in(text) == [
        "make run",
        "iluvatar-pxe lab up",
        "curl x",
        "iluvatar-pxe machines hold NAME",
        "iluvatar-pxe plan NAME",
        "sudo -v",
    ]
