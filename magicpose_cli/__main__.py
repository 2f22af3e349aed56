"""`python -m magicpose_cli`, the same as `magicpose`."""

from .cli import main

if __name__ == "__main__":
    main()
