"""Cards that turn a blank Raspberry Pi into the first of a home lab, and those that set its boot order."""
