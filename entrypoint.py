"""The action's way in, and `overflow build` with every setting from the environment.

python entrypoint.py                  the same as the command `overflow build`: OVERFLOW_PROJECT
                                      and OVERFLOW_OUTPUT name the folders, and each option has
                                      its variable (`overflow build --help` lists them)
python entrypoint.py plan             the same as `overflow plan`, with report.json in
                                      OVERFLOW_OUTPUT
python3 -I entrypoint.py action STEP  a step of action.yml; needs Python alone
"""

# No `from __future__ import annotations`: Python 3.6 could not read the check below.
import sys
from pathlib import Path

if __name__ == "__main__":
    if sys.version_info < (3, 10):  # noqa: UP036 - what a runner has is no choice of ours
        version = ".".join(map(str, sys.version_info[:2]))
        sys.exit(
            f"::error title=overflow::Python 3.10 or later is needed, and {sys.executable} is"
            f" {version}: add actions/setup-python before this step"
        )
    # Isolated mode (-I) leaves out the script's own folder.
    sys.path.insert(0, str(Path(__file__).resolve().parent))
    if sys.argv[1:2] == ["action"] and len(sys.argv) == 3:
        from overflow.action import main

        sys.exit(main(sys.argv[2]))
    if sys.argv[1:] not in ([], ["plan"]):
        sys.stderr.write((__doc__ or "").partition("\n\n")[2])
        sys.exit(2)
    from overflow.cli import main_from_environment

    sys.exit(main_from_environment(*sys.argv[1:]))
