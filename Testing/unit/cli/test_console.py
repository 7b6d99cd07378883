from __future__ import annotations

import io
import json
import subprocess
import sys
from contextlib import redirect_stderr

from ASPECTSLib.cli.console import Console
from ASPECTSLib.errors import ErrorCode


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_progress_in_a_terminal_stays_on_one_line():
    console = Console(as_json=False)
    with redirect_stderr(Terminal()) as terminal:
        console.show_progress("reading", 0.5)
        console.show_progress("done", 1.0)
    text = terminal.getvalue()
    assert text.count("\n") == 1
    assert text.count("\r") == 2
    assert " 50% reading" in text


def test_an_error_starts_a_line_of_its_own():
    console = Console(as_json=False)
    with redirect_stderr(Terminal()) as terminal:
        console.show_progress("reading", 0.5)
        console.show_error(ErrorCode.NO_BRAIN, "found none")
    assert terminal.getvalue().splitlines()[-1] == "aspects: found none [NO_BRAIN]"


def test_progress_in_a_file_is_a_line_for_each_stage(capsys):
    console = Console(as_json=False)
    console.show_progress("reading", 0.0)
    console.show_progress("done", 1.0)
    assert [line.split()[-1] for line in capsys.readouterr().err.splitlines()] == [
        "reading",
        "done",
    ]


def test_a_quiet_console_shows_errors_only(capsys):
    console = Console(as_json=False, quiet=True)
    console.show_progress("reading", 0.5)
    console.show_error(ErrorCode.NO_BRAIN, "found none")
    assert capsys.readouterr().err == "aspects: found none [NO_BRAIN]\n"


def test_words_of_any_language_are_json(capsys):
    Console(as_json=True).show_error(ErrorCode.NO_IMAGES, 'no images in "Schädel"\n')
    (line,) = capsys.readouterr().err.splitlines()
    assert json.loads(line) == {
        "error": {"code": "NO_IMAGES", "message": 'no images in "Schädel"\n'}
    }


def test_work_goes_on_where_nobody_reads_what_it_says():
    lines = (
        "import sys",
        "from ASPECTSLib.cli.console import Console",
        "console = Console(as_json=False)",
        "console.show('first')",
        "sys.stdin.read()",  # until the reader has gone
        "for _ in range(3):",
        "    console.show('result')",
        "    console.show_progress('stage', 0.5)",
        "sys.exit(4)",
    )
    command = [sys.executable, "-c", "\n".join(lines)]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=subprocess.STDOUT) as process:
        assert process.stdout.readline().strip() == b"first"
        process.stdout.close()
        process.stdin.close()
        assert process.wait() == 4
