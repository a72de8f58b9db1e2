"""The part of etcd's messages that the daemon uses; ``make protos`` makes the code from the definitions beside it."""
