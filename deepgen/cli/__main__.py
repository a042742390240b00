"""`python -m deepgen.cli`, the same as `deepgen`; what `accelerate launch -m deepgen.cli` starts."""

from .run import main

if __name__ == "__main__":
    main()
