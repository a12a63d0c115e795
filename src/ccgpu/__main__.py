"""`python -m ccgpu` is `ccgpu`."""

from ccgpu.cli.entry import main

if __name__ == "__main__":
    main()
