"""Entry of ``iluvatar-pxe`` and ``python -m iluvatar_pxe``."""

import signal
import sys


def main() -> None:
    """Run the command line. A SIGHUP that comes before the daemon can act on it, and would end it, waits."""
    arguments = sys.argv[1:]
    if arguments[:1] == ["serve"]:
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGHUP})
    try:
        from iluvatar_pxe.cli import directly  # noqa: PLC0415 - takes a moment

        if directly.is_plain_serve(arguments):
            directly.serve(arguments)
        else:
            from iluvatar_pxe.cli.main import main as run  # noqa: PLC0415 - takes a moment

            run()
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    main()
