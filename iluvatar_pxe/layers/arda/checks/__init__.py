"""Values that Talos refuses although its schema allows them: a table of rules for each subject. Pure."""
