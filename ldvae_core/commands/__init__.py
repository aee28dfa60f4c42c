"""What the commands of the command line do; their options are declared in __main__.py."""
