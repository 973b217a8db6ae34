"""What a study refuses, in words for the person at the command line."""


class StudyError(Exception):
    """A study cannot start, go on or be reported; the message says what to do."""
