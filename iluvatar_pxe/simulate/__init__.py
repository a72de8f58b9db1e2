"""The firmware's part: clients that boot from the network as real machines do, for ``simulate`` and the tests."""
