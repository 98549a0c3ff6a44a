import sys

from deepshare_pi.cli import main

if __name__ == "__main__":
    sys.exit(main())
