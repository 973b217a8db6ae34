"""Running a module without leaving a trace in it."""
