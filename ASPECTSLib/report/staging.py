"""Folders that appear whole or not at all."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from ASPECTSLib.errors import ErrorCode, OutputError, UsageError

STAGING_PREFIX = ".aspects-"
"""Of names that are not final yet; a killed program leaves them."""

_FILES_OF_SYSTEMS = frozenset({".DS_Store", "Thumbs.db", "desktop.ini"})


def check_output(folder: Path) -> None:
    """Refuse an output folder before any work is done.

    Raises
    ------
    UsageError
        OUTPUT_EXISTS if there is something of that name already.
    OutputError
        OUTPUT_NOT_WRITABLE if it cannot be made.
    """
    _refuse_existing(folder)
    with staging_folder(folder):
        pass


def _refuse_existing(folder: Path) -> None:
    if _is_there(folder):
        message = f"the output folder {folder.name} exists; name a new one, nothing is overwritten"
        raise UsageError(ErrorCode.OUTPUT_EXISTS, message)


def _is_there(path: Path) -> bool:
    """Tell whether there is anything of that name, a broken link too."""
    try:
        path.lstat()
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError as error:
        raise _not_writable(path, error) from error
    return True


@contextmanager
def staging_folder(folder: Path) -> Iterator[Path]:
    """Give a hidden folder beside the wanted one; unless it is published, it goes again, with what was made for it.

    Raises
    ------
    OutputError
        OUTPUT_NOT_WRITABLE if it cannot be made or written to.
    """
    made = [parent for parent in folder.absolute().parents if not _is_there(parent)]
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        staging = Path(tempfile.mkdtemp(prefix=STAGING_PREFIX, dir=folder.parent))
    except OSError as error:
        _remove_empty(made)
        raise _not_writable(folder, error) from error
    try:
        yield staging
    except OSError as error:
        raise _not_writable(folder, error) from error
    finally:
        if staging.exists():
            shutil.rmtree(staging, ignore_errors=True)
            _remove_empty(made)


def publish(staging: Path, folder: Path, replaceable: Collection[str] = ()) -> None:
    """Give a staging folder its final name, in one step.

    Parameters
    ----------
    staging
        From `staging_folder`.
    folder
        The final name.
    replaceable
        A folder of that name that holds nothing but files of these names is replaced; none by default.

    Raises
    ------
    UsageError
        OUTPUT_EXISTS if there is something else of that name.
    """
    # mkdtemp makes folders for the owner alone; the result is as open as the user's umask says.
    umask = os.umask(0)
    os.umask(umask)
    staging.chmod(0o777 & ~umask)
    with _set_aside(folder, replaceable):
        _refuse_existing(folder)  # it may have been made meanwhile
        staging.rename(folder)


def replace_file(path: Path, content: bytes) -> None:
    """Write a file in one step: readers see the former content or the new one, whole.

    Raises
    ------
    OutputError
        OUTPUT_NOT_WRITABLE if it cannot be written.
    """
    staged = path.with_name(f"{STAGING_PREFIX}{path.name}")
    try:
        staged.write_bytes(content)
        staged.replace(path)
    except OSError as error:
        staged.unlink(missing_ok=True)
        raise _not_writable(path, error) from error


@contextmanager
def _set_aside(folder: Path, replaceable: Collection[str]) -> Iterator[None]:
    """Move a folder that may be replaced out of the way; back again on failure, gone on success."""
    if not replaceable or not folder.is_dir() or folder.is_symlink():
        yield
        return
    ours = {*replaceable, *_FILES_OF_SYSTEMS}
    others = sorted(path.name for path in folder.iterdir() if path.name not in ours)
    if others:
        message = f"the folder {folder.name} holds other files ({others[0]}); name another one"
        raise UsageError(ErrorCode.OUTPUT_EXISTS, message)
    aside = Path(tempfile.mkdtemp(prefix=STAGING_PREFIX, dir=folder.parent)) / folder.name
    try:
        folder.rename(aside)
        try:
            yield
        except BaseException:
            aside.rename(folder)
            raise
    except BaseException:
        with suppress(OSError):
            aside.parent.rmdir()  # holds the former folder if it could not be moved back
        raise
    shutil.rmtree(aside.parent, ignore_errors=True)


def _remove_empty(folders: list[Path]) -> None:
    """Remove folders that were made for nothing, innermost first."""
    for folder in folders:
        try:
            folder.rmdir()
        except FileNotFoundError:
            continue
        except OSError:
            return


def _not_writable(folder: Path, error: OSError) -> OutputError:
    reason = error.strerror or type(error).__name__
    message = f"the output folder {folder.name} cannot be written: {reason}"
    return OutputError(ErrorCode.OUTPUT_NOT_WRITABLE, message)
