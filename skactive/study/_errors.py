"""What a study refuses, in words for the person at the command line."""


class StudyError(Exception):
    """A study cannot start, go on or be reported; the message says what to do.

    Examples
    --------
    >>> from skactive.study import StudyError, preset
    >>> try:
    ...     preset("mnits")
    ... except StudyError as error:
    ...     print(str(error).partition(" There are")[0])
    There is no preset 'mnits'. Did you mean 'mnist'?
    """
