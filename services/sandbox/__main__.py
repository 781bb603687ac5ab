"""Serve a simulated seller: python -m services.sandbox --help."""

from argparse import ArgumentParser, RawDescriptionHelpFormatter

from features.errors import DuecastError
from services.sandbox.erp import run
from services.sandbox.faults import EVERYDAY_FAULTS
from services.sandbox.options import add_world_arguments, world_options

EXAMPLES = """
examples:
  python -m services.sandbox                               a free port and a random token, printed at the start
  python -m services.sandbox --port 8700 --token secret
  python -m services.sandbox --customers 50 --years 2      a small world
  python -m services.sandbox --port 8700 --token secret --faults
  curl -H "Authorization: Bearer secret" "http://127.0.0.1:8700/api/v1/invoice?limit=2"
"""


def main(arguments: list[str] | None = None) -> None:
    """Serve on loopback until interrupted; a wrong option ends with one line and exit code 2."""
    parser = ArgumentParser(
        prog="python -m services.sandbox",
        description="Serve a simulated B2B seller as an ERP-like REST API on loopback.",
        epilog=EXAMPLES,
        formatter_class=RawDescriptionHelpFormatter,
    )
    add_world_arguments(parser)
    parser.add_argument("--port", type=int, default=0, help="0, the default, takes a free one")
    parser.add_argument("--token", help="bearer token that clients must send (default: a random one)")
    parser.add_argument("--faults", action="store_true", help="refuse, repeat and delay now and then, as real APIs do")
    given = parser.parse_args(arguments)
    try:
        run(world_options(given), given.port, given.token, EVERYDAY_FAULTS if given.faults else None)
    except DuecastError as error:
        parser.error(str(error))
    except KeyboardInterrupt:
        pass


if __name__ == "__main__":
    main()
