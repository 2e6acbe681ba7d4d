"""The verbs of the command line: each parses, calls the service and shows what came back."""
