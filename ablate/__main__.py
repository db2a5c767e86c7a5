"""`python -m ablate`: the same as the console script."""

from ablate_study import main

if __name__ == "__main__":
    main()
