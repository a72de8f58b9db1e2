"""Notifications: what somebody who is away is told, by the services that the fleet names."""
