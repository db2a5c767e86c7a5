"""`python -m ablate`, and the console script."""

from ablate.cli.app import main

if __name__ == "__main__":
    main()
