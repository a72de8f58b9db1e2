"""Entry of ``iluvatar-pxe`` and ``python -m iluvatar_pxe``."""

from iluvatar_pxe.cli.main import main

if __name__ == "__main__":
    main()
