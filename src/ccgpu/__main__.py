"""`python -m ccgpu` is `ccgpu`."""

from ccgpu.cli.main import main

if __name__ == "__main__":
    main()
