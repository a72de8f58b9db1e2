"""What is known of machines: sightings, fingerprints, boot stages, quirks."""
