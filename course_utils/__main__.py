"""``python -m course_utils``: the same as ``course``."""

from course_utils.cli import main

main()
