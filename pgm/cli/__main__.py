"""`python -m pgm.cli`, the same as `pgm`."""

from .run import main

if __name__ == "__main__":
    main()
